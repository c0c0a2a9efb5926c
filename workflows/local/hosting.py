"""Answers for the endpoints of this machine: one running container for each.

A container starts when its endpoint is deployed, or first asked. One that died starts again with the next
request. Requests to one endpoint run side by side; the only thing that they ever wait for is a start.
"""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local import deployments
from workflows.local.connections import Answer
from workflows.local.deployments import Deployment, deployment_of
from workflows.local.images import ImageTable
from workflows.local.job_logs import log_of
from workflows.local.model_server import INVOCATION_LIMIT_S, ModelServer, ModelServerError
from workflows.local.records import ENDPOINT
from workflows.local.request import Request
from workflows.local.stopping import ended_by
from workflows.local.store import Store
from workflows.local.trees import remove_tree

# How long a container that was replaced may go on with the requests that it has.
_DRAIN_LIMIT_S = INVOCATION_LIMIT_S
# A container that was just started may have died, or been replaced, before a request came to it.
_TRIES = 3


class UnknownVariant(WorkflowError):
    """An endpoint has no variant of this name."""


@dataclass(frozen=True)
class Invoked:
    """An answer, and which of the endpoint's variants gave it."""

    answer: Answer
    variant: str


@dataclass
class _Host:
    """A container that answers for an endpoint."""

    server: ModelServer
    identity: tuple[str, str]
    variant: str
    folder: Path
    requests: int = 0  # that are with it now


class Hosts:
    """The running containers of endpoints; a context manager that ends them."""

    def __init__(self, store: Store, *, images: ImageTable, environment: Mapping[str, str]) -> None:
        """Nothing is started before an endpoint is deployed or asked."""
        self._store, self._images, self._environment = store, images, environment
        self._running: dict[str, _Host] = {}
        self._starts: dict[str, Future[None]] = {}
        self._closed = False
        # Guards all of these; nobody keeps it while something starts, answers or ends.
        self._state = threading.Condition()
        self._endings = ThreadPoolExecutor(thread_name_prefix="endpoint-end")
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all containers, whatever they are doing; none is started any more."""
        with self._state:
            self._closed = True
            for host in self._running.values():
                self._endings.submit(_end, host)
            self._running.clear()
            self._state.notify_all()
        self._endings.shutdown()
        for folder in (self._store.home / "endpoints").glob(f"*/{os.getpid()}"):
            with contextlib.suppress(OSError):
                folder.rmdir()  # not empty where another `Hosts` of this process is at work

    def invoke(self, endpoint: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request to an endpoint.

        Raises:
            UnknownEndpoint: there is none of this name, or it is not in service.
            ModelServerError: its container does not start or does not answer.
        """
        return self.ask(endpoint, body, headers).answer

    def ask(
        self,
        endpoint: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        variant: str | None = None,
        limit_s: float = INVOCATION_LIMIT_S,
    ) -> Invoked:
        """The same, to a certain variant or with another time limit, where they are given.

        Raises:
            UnknownVariant: the endpoint has no such variant.
            UnknownEndpoint, ModelServerError: as `invoke`.
        """
        with self._host_of(endpoint, variant) as host:
            return Invoked(host.server.invoke(body, headers, limit_s=limit_s), host.variant)

    def deploy(
        self,
        wanted: Deployment,
        container: Request,
        *,
        proved: Callable[[], None],
        stopped: threading.Event,
    ) -> None:
        """Start a container for an endpoint; once it answers /ping it takes the place of the former one.

        Args:
            wanted: what the endpoint's record will say.
            container: image, artifact and environment.
            proved: called when it answers; makes the record say so.
            stopped: ends the attempt.

        Raises:
            ModelServerError: it does not answer; the former one goes on.
            WorkflowError: nothing stands in for its image, or what stands in cannot be started.
        """
        with self._only_start_of(wanted.endpoint):
            self._start(wanted, container, proved=proved, stopped=stopped)

    def withdraw(self, endpoint: str) -> None:
        """End an endpoint's container, once it has answered the requests that it has."""
        # A start that is under way, for a request, would otherwise outlive the endpoint.
        with self._only_start_of(endpoint), self._state:
            host = self._running.pop(endpoint, None)
        if host is not None:
            self._drain_and_end(host)

    @contextmanager
    def _host_of(self, endpoint: str, variant: str | None) -> Iterator[_Host]:
        host = self._claim_or_start(endpoint, variant)
        try:
            yield host
        finally:
            with self._state:
                host.requests -= 1
                self._state.notify_all()

    def _claim_or_start(self, endpoint: str, variant: str | None) -> _Host:
        for _ in range(_TRIES):
            wanted = deployment_of(self._store, endpoint)
            if variant not in (None, wanted.variant):
                raise UnknownVariant(f"endpoint '{endpoint}' has no variant '{variant}'")
            with self._state:
                host = self._answering(wanted)
                if host is not None:
                    host.requests += 1
                    return host
                start = self._starts.get(endpoint)
            if start is None:
                self._start_for_request(endpoint)
            else:
                start.result()
        raise ModelServerError(f"the container of endpoint '{endpoint}' ends as soon as it has started")

    def _answering(self, wanted: Deployment) -> _Host | None:
        host = self._running.get(wanted.endpoint)
        fits = host is not None and host.identity == wanted.identity and host.server.alive
        return host if fits else None

    def _start_for_request(self, endpoint: str) -> None:
        with self._only_start_of(endpoint):
            # Again, as nobody changes it now: it may be deleted, or somebody else has started it.
            wanted = deployment_of(self._store, endpoint)
            with self._state:
                started = self._answering(wanted) is not None
            if not started:
                container = deployments.container(self._store, wanted.record)
                self._start(wanted, container, proved=lambda: None, stopped=threading.Event())

    @contextmanager
    def _only_start_of(self, endpoint: str) -> Iterator[None]:
        """Wait for a start of this endpoint that is under way; then let others wait for the one in here."""
        mine: Future[None] = Future()
        with self._state:
            self._state.wait_for(lambda: endpoint not in self._starts)
            self._starts[endpoint] = mine
        try:
            yield
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(None)
        finally:
            with self._state:
                del self._starts[endpoint]
                self._state.notify_all()

    def _start(
        self,
        wanted: Deployment,
        container: Request,
        *,
        proved: Callable[[], None],
        stopped: threading.Event,
    ) -> None:
        host = self._launch(wanted, container)
        try:
            with ended_by(stopped, host.server.stop):
                host.server.wait_until_ready()
            proved()
            self._install(wanted.endpoint, host)
        except BaseException:
            _end(host)
            raise

    def _launch(self, wanted: Deployment, container: Request) -> _Host:
        image = container.text("Image")
        stand_in = self._images.find(image)
        if stand_in is None:
            raise WorkflowError(f"{container.where}: nothing stands in for image '{image}'")
        # A folder for each process that hosts, and for each container: an update has two at a time.
        own = self._store.home / "endpoints" / wanted.endpoint / str(os.getpid())
        folder = own / str(next(self._numbers))
        try:
            server = ModelServer(
                stand_in=stand_in,
                model_data=container.text("ModelDataUrl"),
                environment={**self._environment, **container.mapping("Environment")},
                objects=self._store.objects,
                folder=folder,
                log=log_of(self._store, ENDPOINT, wanted.endpoint),
            )
        except BaseException:
            remove_tree(folder)
            raise
        return _Host(server, wanted.identity, wanted.variant, folder)

    def _install(self, endpoint: str, host: _Host) -> None:
        with self._state:
            if self._closed:
                raise ModelServerError("the server is being stopped")
            former = self._running.get(endpoint)
            self._running[endpoint] = host
            if former is not None:
                self._endings.submit(self._drain_and_end, former)

    def _drain_and_end(self, host: _Host) -> None:
        with self._state:
            self._state.wait_for(lambda: host.requests == 0 or self._closed, _DRAIN_LIMIT_S)
        _end(host)


def _end(host: _Host) -> None:
    host.server.stop()
    remove_tree(host.folder)


def served(container: Request) -> dict[str, JSON]:
    """What an endpoint's record keeps of its container."""
    kept = ("Image", "ModelDataUrl", "Environment")
    return {key: value for key in kept if (value := container.find(key)) is not None}
