"""Runs a job's command as a container would: its own /opt/ml, a clean environment, a log.

On Linux the job sees its folder at /opt/ml (launcher.py); elsewhere "/opt/ml" is rewritten to the folder in
arguments, environment and configuration files, and OPT_ML names it. Images without a stand-in run in Docker.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.launcher import NOT_STARTED

# SageMaker sends SIGTERM, and SIGKILL after this time.
STOP_GRACE_S = 120
_LAUNCHER = Path(__file__).with_name("launcher.py")
_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?=/|$|\W)")


class ContainerError(WorkflowError):
    """A container could not be started."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What to run, and the folder that stands for its /opt/ml."""

    opt_ml: Path
    log: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    docker_image: str | None = None
    ports: Mapping[int, int] = field(default_factory=dict)  # container -> this machine, for Docker

    def write_config(self, relative: str, document: JSON) -> None:
        """Put a JSON file below /opt/ml, with paths that the container can open."""
        path = self.opt_ml / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._inside(json.dumps(document, indent=2)) + "\n", encoding="utf-8")

    def message(self, relative: str) -> str:
        """A text that the container left below /opt/ml for its caller; empty if none."""
        path = self.opt_ml / relative
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""

    def _inside(self, text: str) -> str:
        if self.docker_image or namespaces_work():
            return text
        return _OPT_ML.sub(lambda _: str(self.opt_ml), text)

    def start(self) -> "Running":
        """Start the process.

        Raises:
            ContainerError: the command does not exist.
        """
        for folder in (self.opt_ml, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            process = subprocess.Popen(
                self._command(),
                env=None if self.docker_image else self._process_environment(),
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ContainerError(f"cannot start {self.argv[0]}: {error.strerror}") from None
        return Running(process, self.log)

    def _command(self) -> list[str]:
        if self.docker_image:
            environment = [
                item for name, value in self.environment.items() for item in ("--env", f"{name}={value}")
            ]
            ports = [
                item
                for inside, here in self.ports.items()
                for item in ("--publish", f"127.0.0.1:{here}:{inside}")
            ]
            mount = ["--volume", f"{self.opt_ml.resolve()}:/opt/ml"]
            return ["docker", "run", "--rm", "--init", *mount, *ports, *environment, *self._docker_argv()]
        argv = [self._inside(part) for part in self.argv]
        if namespaces_work():
            return [sys.executable, "-I", "-S", str(_LAUNCHER), str(self.opt_ml.resolve()), *argv]
        return argv

    def _docker_argv(self) -> list[str]:
        image = str(self.docker_image)
        if self.argv and self.argv[0] not in ("train", "serve"):
            return ["--entrypoint", self.argv[0], image, *self.argv[1:]]
        return [image, *self.argv]

    def _process_environment(self) -> dict[str, str]:
        # A home of its own: the user's has credentials in it.
        own = {"HOME": str(self.log.parent)}
        if not namespaces_work():
            own["OPT_ML"] = str(self.opt_ml.resolve())
        return process_environment(
            own | {name: self._inside(value) for name, value in self.environment.items()}
        )


class Running:
    """A started container."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    def wait(self, on_line: Callable[[str], None], *, timeout_s: float | None = None) -> tuple[int, bool]:
        """Read its output to the end; returns the exit code, and whether the time limit ended it."""
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            self.stop()

        timer = threading.Timer(timeout_s, expire) if timeout_s else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            self._copy_output(on_line)
            return self._process.wait(), timed_out.is_set()
        finally:
            if timer:
                timer.cancel()

    def _copy_output(self, on_line: Callable[[str], None]) -> None:
        output = self._process.stdout
        if output is None:
            return
        with output, self._log.open("ab", buffering=0) as log:
            for raw in output:
                log.write(raw)
                on_line(raw.decode(errors="replace").rstrip("\r\n"))

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ask the process and its children to end, then make them."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        # Also what the process itself has left behind.
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def process_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job's process.

    Not the caller's: a job on SageMaker has neither its credentials nor its settings.
    """
    base = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return base | dict(own)


@cache
def namespaces_work() -> bool:
    """Whether this machine can show a process its own /opt/ml."""
    if not sys.platform.startswith("linux"):
        return False
    probe = Path(os.environ.get("TMPDIR", "/tmp"), f"workflows-probe-{os.getpid()}")  # noqa: S108
    probe.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(probe), "true"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode != NOT_STARTED
    finally:
        for folder in (probe, probe.with_name(f"{probe.name}-opt")):
            if folder.is_dir():
                folder.rmdir()


def tail(log: Path, lines: int = 10) -> str:
    """The last lines of a log."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 16384))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
