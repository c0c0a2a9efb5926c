"""Runs a job's command as a container would: its own /opt/ml, a clean environment, a log.

On Linux the job sees its folder at /opt/ml (launcher.py); elsewhere "/opt/ml" is rewritten to the folder in
arguments, environment and configuration files, and OPT_ML names it. Images without a stand-in run in Docker.
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.launcher import NOT_STARTED

# SageMaker sends SIGTERM, and SIGKILL after this time.
STOP_GRACE_S = 120
_LENT, _SCRATCH, _HOME = "lent", "scratch", "home"
# What a container leaves in its folder, beside its log.
CONTAINER_TREES = ("opt-ml", _LENT, _SCRATCH, _HOME)
_HOSTS = Path("/etc/hosts")
_LAUNCHER = Path(__file__).with_name("launcher.py")
_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?=/|$|\W)")
# After this time a launcher that does not kill its command is killed itself.
_KILL_LIMIT_S = 15


class ContainerError(WorkflowError):
    """A container could not be started."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What to run, and the folder that stands for its /opt/ml."""

    opt_ml: Path
    log: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = ""  # of a Docker container; without it, one made from the folder's
    docker_image: str | None = None
    ports: Mapping[int, int] = field(default_factory=dict)  # container -> this machine, for Docker
    hosts_file: Path | None = None  # shown at /etc/hosts

    @property
    def lent(self) -> Path:
        """What is shown below /opt/ml without being in its folder; see `can_be_lent`."""
        return self.opt_ml.with_name(_LENT)

    @property
    def scratch(self) -> Path:
        """What the kernel needs to show both together."""
        return self.opt_ml.with_name(_SCRATCH)

    @property
    def home(self) -> Path:
        """The job's home and working folder: the user's own has credentials in it."""
        return self.opt_ml.with_name(_HOME)

    def can_be_lent(self) -> bool:
        """Whether the job may see linked files, and change them without changing the originals."""
        return self.has_own_mounts() and overlays_work(self.log.parent)

    def has_own_mounts(self) -> bool:
        """Whether the job sees its own /opt/ml and /etc/hosts."""
        return self.docker_image is None and namespaces_work()

    def write_config(self, relative: str, document: JSON) -> None:
        """Put a JSON file below /opt/ml, with paths that the container can open."""
        path = self.opt_ml / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._inside(json.dumps(document, indent=2)) + "\n", encoding="utf-8")

    def _inside(self, text: str) -> str:
        if self.docker_image or namespaces_work():
            return text
        return _OPT_ML.sub(lambda _: str(self.opt_ml), text)

    def start(self) -> "Running":
        """Start the process.

        Raises:
            ContainerError: the command does not exist, or cannot be one.
        """
        for folder in (self.opt_ml, self.home, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        environment = None if self.docker_image else self._process_environment()
        if environment is None:
            self._remove_left_over()
        else:
            self._check_command(environment["PATH"])
        command = [sys.executable, "-I", "-S", str(_LAUNCHER), *self._options(), "--", *self._command()]
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.home,
                # Never written to: the kernel closes it when this process ends, and the launcher notices.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            # Arguments and environment are too long, or hold a NUL.
            raise ContainerError(f"cannot start {shlex.join(self.argv[:1])}: {error}") from None
        return Running(process, self.log)

    def _check_command(self, search: str) -> None:
        if not self.argv:
            raise ContainerError("there is nothing to start: neither entry point nor command")
        name = self.argv[0]
        # A path may exist in the container only.
        if "/" not in name and shutil.which(name, path=search) is None:
            raise ContainerError(f"cannot start {name}: no such command")

    def _options(self) -> list[str]:
        if self.docker_image:
            return [f"docker={self._docker_name()}"]
        if not namespaces_work():
            return []
        options = [f"opt-ml={self.opt_ml.resolve()}"]
        if self.hosts_file and _HOSTS.is_file():
            options.append(f"hosts={self.hosts_file.resolve()}")
        if self.lent.is_dir():
            self.scratch.mkdir(exist_ok=True)
            options += [f"lent={self.lent.resolve()}", f"work={self.scratch.resolve()}"]
        return options

    def _command(self) -> list[str]:
        if not self.docker_image:
            return [self._inside(part) for part in self.argv]
        environment = [
            item for name, value in self.environment.items() for item in ("--env", f"{name}={value}")
        ]
        ports = [
            item
            for inside, here in self.ports.items()
            for item in ("--publish", f"127.0.0.1:{here}:{inside}")
        ]
        name = ["--name", self._docker_name()]
        mount = ["--volume", f"{self.opt_ml.resolve()}:/opt/ml"]
        return ["docker", "run", "--rm", "--init", *name, *mount, *ports, *environment, *self._docker_argv()]

    def _docker_name(self) -> str:
        folder = hashlib.sha256(str(self.opt_ml.resolve()).encode()).hexdigest()[:16]
        return self.name or f"workflows-{folder}"

    def _remove_left_over(self) -> None:
        # Of a try whose engine and launcher were both killed; mostly there is none, and this fails.
        command = ["docker", "rm", "--force", self._docker_name()]
        subprocess.run(command, capture_output=True, check=False)

    def _docker_argv(self) -> list[str]:
        image = str(self.docker_image)
        if self.argv and self.argv[0] not in ("train", "serve"):
            return ["--entrypoint", self.argv[0], image, *self.argv[1:]]
        return [image, *self.argv]

    def _process_environment(self) -> dict[str, str]:
        own = {"HOME": str(self.home.resolve())}
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
        self._log_starts = log.stat().st_size if log.is_file() else 0

    def wait(self, on_line: Callable[[str], None]) -> int:
        """Read its output to the end; returns the exit code: 128 and its number for a signal."""
        try:
            self._copy_output(on_line)
            return self._process.wait()
        finally:
            self._cut_life_line()

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

    def log_tail(self, lines: int) -> str:
        """The last lines that it has written; empty if none."""
        return tail(self._log, lines, start=self._log_starts)

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ask the process to end, then make it and its children."""
        self.ask_to_end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self.kill()

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Make it and all of its children end at once."""
        self._cut_life_line()
        try:
            self._process.wait(_KILL_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _cut_life_line(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()


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
    with tempfile.TemporaryDirectory(prefix="workflows-probe-") as probe:
        return _launch("true", {"opt-ml": Path(probe)}) != NOT_STARTED


def overlays_work(folder: Path) -> bool:
    """Whether it can show files of this file system as if a job might write to them."""
    device = folder.stat().st_dev
    if device not in _OVERLAYS:
        _OVERLAYS[device] = _overlay_works(folder)
    return _OVERLAYS[device]


_OVERLAYS: dict[int, bool] = {}  # file system -> whether it takes overlays; asked once


def _overlay_works(folder: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="workflows-probe-", dir=folder) as probe:
        parts = {name: Path(probe, name) for name in ("opt-ml", "lent", "work")}
        for part in parts.values():
            part.mkdir()
        file = parts["lent"] / "file"
        file.write_text("lent", encoding="ascii")
        # Some file systems take an overlay, but only to read it.
        code = _launch("echo written > /opt/ml/file", parts)
        for left in parts["work"].iterdir():
            left.rmdir()  # by itself: the kernel made it unreadable
        return code == 0 and file.read_text(encoding="ascii") == "lent"


def _launch(script: str, folders: Mapping[str, Path]) -> int:
    options = [f"{name}={path}" for name, path in folders.items()]
    command = [sys.executable, "-I", "-S", str(_LAUNCHER), *options, "--", "sh", "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        return process.wait()


def tail(log: Path, lines: int = 10, *, start: int = 0) -> str:
    """The last lines of a log, or of what follows its first bytes."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(start, end - 16384))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
