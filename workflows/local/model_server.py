"""A model's inference container: started, proved by /ping, asked through /invocations."""

import http.client
import json
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.container import Container, tail
from workflows.local.images import StandIn
from workflows.local.objects import Objects

# SageMaker gives a container four minutes to pass its first ping, and an invocation 60 seconds.
START_LIMIT_S = 240
INVOCATION_LIMIT_S = 60
_PING_EVERY_S = 0.1
_CONTAINER_PORT = 8080


class ModelServerError(WorkflowError):
    """The model's container does not start, or no longer answers."""


@dataclass(frozen=True)
class Answer:
    """What the container said to one request."""

    status: int
    content_type: str
    body: bytes


class ModelServer:
    """One running inference container; a context manager that stops it."""

    def __init__(
        self,
        *,
        stand_in: StandIn,
        model_data: str,
        environment: Mapping[str, str],
        objects: Objects,
        folder: Path,
    ) -> None:
        """Unpack the model and start the container; it may not answer yet (see `wait_until_ready`).

        Args:
            stand_in: what runs in place of the model's image.
            model_data: S3 URI of model.tar.gz.
            environment: of the container.
            objects: where `model_data` is.
            folder: of this container's own; emptied first.
        """
        opt_ml = folder / "opt-ml"
        shutil.rmtree(opt_ml, ignore_errors=True)
        unpack_model(objects.path(model_data), opt_ml / "model", name=model_data)
        self._port = _free_port()
        port = {} if stand_in.docker_image else {"SAGEMAKER_BIND_TO_PORT": str(self._port)}
        container = Container(
            opt_ml=opt_ml,
            log=folder / "log.txt",
            argv=(*(stand_in.command or ()), "serve"),
            environment={**environment, **port},
            docker_image=stand_in.docker_image,
            ports={_CONTAINER_PORT: self._port},
        )
        self._log = container.log
        self._running = container.start()
        # Its output must be read, or it stops when the pipe is full.
        self._reader = threading.Thread(target=self._running.wait, args=(lambda _: None,), daemon=True)
        self._reader.start()

    def __enter__(self) -> "ModelServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self, limit_s: float = START_LIMIT_S) -> None:
        """Return once /ping answers 200.

        Raises:
            ModelServerError: the container ended, or the time is over; with the end of its log.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self._running.exit_code is not None:
                raise ModelServerError(
                    f"the model's container ended with exit code {self._running.exit_code}; "
                    f"its log ends: {tail(self._log, 5) or '(empty)'}"
                )
            try:
                if self._request("GET", "/ping", None, {}, timeout_s=2).status == http.client.OK:
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(_PING_EVERY_S)
        raise ModelServerError(f"the model's container did not pass /ping within {limit_s:.0f} s")

    @property
    def alive(self) -> bool:
        """Whether the container still runs."""
        return self._running.exit_code is None

    def invoke(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float = INVOCATION_LIMIT_S
    ) -> Answer:
        """One request to /invocations.

        Raises:
            ModelServerError: no answer within the time limit, or the connection broke.
        """
        try:
            return self._request("POST", "/invocations", body, headers, timeout_s=limit_s)
        except (OSError, http.client.HTTPException) as error:
            raise ModelServerError(f"the model's container did not answer: {error}") from None

    def execution_parameters(self) -> dict[str, JSON]:
        """What the container wishes for a batch transform, at GET /execution-parameters; mostly nothing."""
        try:
            answer = self._request("GET", "/execution-parameters", None, {}, timeout_s=2)
            wishes = json.loads(answer.body) if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return wishes if isinstance(wishes, dict) else {}

    def stop(self) -> None:
        """End the container."""
        self._running.stop(grace_s=30)
        self._reader.join()

    def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.headers.get("Content-Type", ""), response.read())
        finally:
            connection.close()


def unpack_model(archive: Path, folder: Path, *, name: str) -> None:
    """Unpack a model.tar.gz that may be hostile.

    Raises:
        ModelServerError: it is missing, damaged, or holds links or paths that leave the folder (SageMaker
            refuses to create an endpoint from those, too).
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if not (member.isfile() or member.isdir()):
                    raise ModelServerError(
                        f"{name}: '{member.name}' is a link or device; models hold files only"
                    )
                tar.extract(member, folder, filter="data")
    except FileNotFoundError:
        raise ModelServerError(f"{name}: no such model artifact") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelServerError(f"{name}: cannot be unpacked: {error}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
