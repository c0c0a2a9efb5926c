"""A model's inference container: started, proved by /ping, asked through /invocations."""

import http.client
import json
import shutil
import tarfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local import ports
from workflows.local.connections import Answer, Connections
from workflows.local.container import Container
from workflows.local.images import StandIn
from workflows.local.objects import Objects

# SageMaker gives a container four minutes to pass its first ping, and an invocation 60 seconds.
START_LIMIT_S = 240
INVOCATION_LIMIT_S = 60
_PING_EVERY_S = 0.1
# What a container that has ended wrote is in its log by then.
_LOG_LIMIT_S = 5
_CONTAINER_PORT = 8080


class ModelServerError(WorkflowError):
    """The model's container does not start, or no longer answers."""


class NotReady(ModelServerError):
    """The container runs, but does not pass /ping; or it has ended before it did."""


class InvocationTimeout(ModelServerError):
    """The container took longer over a request than it may."""


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
        log: Path | None = None,
    ) -> None:
        """Unpack the model and start the container; it may not answer yet (see `wait_until_ready`).

        Args:
            stand_in: what runs in place of the model's image.
            model_data: S3 URI of model.tar.gz.
            environment: of the container.
            objects: where `model_data` is.
            folder: of this container's own; emptied first.
            log: what it writes is added to this file; without one, to log.txt in the folder.

        Raises:
            ModelServerError: the model cannot be unpacked.
            ContainerError: the command does not exist, or cannot be one.
        """
        opt_ml = folder / "opt-ml"
        shutil.rmtree(opt_ml, ignore_errors=True)
        unpack_model(objects.path(model_data), opt_ml / "model", name=model_data)
        self._port = ports.reserve()
        self._connections = Connections("127.0.0.1", self._port)
        port = {} if stand_in.docker_image else {"SAGEMAKER_BIND_TO_PORT": str(self._port)}
        container = Container(
            opt_ml=opt_ml,
            log=log or folder / "log.txt",
            argv=(*(stand_in.command or ()), "serve"),
            environment={**environment, **port},
            docker_image=stand_in.docker_image,
            ports={_CONTAINER_PORT: self._port},
        )
        try:
            self._running = container.start()
        except BaseException:
            ports.release(self._port)
            raise
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
                self._reader.join(_LOG_LIMIT_S)
                raise NotReady(
                    f"the model's container ended with exit code {self._running.exit_code}; "
                    f"its log ends: {self._running.log_tail(5) or '(empty)'}"
                )
            if self._passes_ping():
                return
            time.sleep(_PING_EVERY_S)
        raise NotReady(f"the model's container did not pass /ping within {limit_s:.0f} s")

    def _passes_ping(self) -> bool:
        try:
            return self._connections.request("GET", "/ping", None, {}, timeout_s=2).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False  # not listening yet, or none that speaks HTTP

    @property
    def alive(self) -> bool:
        """Whether the container still runs."""
        return self._running.exit_code is None

    def invoke(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float = INVOCATION_LIMIT_S
    ) -> Answer:
        """One request to /invocations.

        Raises:
            InvocationTimeout: no answer within the time limit.
            ModelServerError: the connection broke.
        """
        try:
            return self._connections.request("POST", "/invocations", body, headers, timeout_s=limit_s)
        except TimeoutError:
            raise InvocationTimeout(
                f"the model's container did not answer: timed out after {limit_s:g} s"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise ModelServerError(f"the model's container did not answer: {error}") from None

    def execution_parameters(self) -> dict[str, JSON]:
        """What the container wishes for a batch transform, at GET /execution-parameters; mostly nothing."""
        try:
            answer = self._connections.request("GET", "/execution-parameters", None, {}, timeout_s=2)
            wishes = json.loads(answer.body) if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return wishes if isinstance(wishes, dict) else {}

    def stop(self) -> None:
        """End the container."""
        self._running.stop(grace_s=30)
        self._reader.join()
        self._connections.close()
        ports.release(self._port)


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
