"""InvokeEndpointAsync: the request is an object, and so becomes the answer.

Source: SageMaker Developer Guide, "Asynchronous inference"; InvokeEndpointAsync in the service model.
"""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from workflows.definition.errors import WorkflowError
from workflows.local.deployments import Deployment
from workflows.local.objects import Location, parse
from workflows.local.records import ENDPOINT_CONFIG
from workflows.local.request import Request
from workflows.server.errors import AwsError
from workflows.server.machine import Machine

_PREFIX = "x-amzn-sagemaker-"
_LIMIT_S, _LONGEST_S = 900, 3600
# The service chooses a number where the configuration does not; here the container shares the machine.
_AT_ONCE = 4
_CLIENT_ERROR = 400


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One request that was accepted."""

    id: str
    endpoint: str
    input: Location | bytes
    headers: Mapping[str, str]
    output: Location
    failure: Location | None
    limit_s: int

    def locations(self) -> dict[str, str]:
        """The headers of the answer to its caller."""
        headers = {"X-Amzn-SageMaker-OutputLocation": str(self.output)}
        if self.failure is not None:
            headers["X-Amzn-SageMaker-FailureLocation"] = str(self.failure)
        return headers


class AsyncInvocations:
    """Takes requests, and answers them in the background."""

    def __init__(self, machine: Machine) -> None:
        """`machine` has the endpoints."""
        self._machine = machine
        self._places: dict[str, threading.Semaphore] = {}
        self._lock = threading.Lock()

    def begin(self, deployment: Deployment, headers: Mapping[str, str], body: bytes) -> Invocation:
        """Accept a request.

        Raises:
            AwsError: the endpoint is not asynchronous, or the request is wrong.
        """
        config = self._config(deployment)
        invocation = _read(deployment.endpoint, config, headers, body)
        place = self._place(deployment, config)
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            # Only a server that ends asks for it; its containers have to end anyhow.
            self._machine.hosts.close()

        work = partial(self._work, invocation, place, stopped)
        self._machine.background.start(f"async-invocation {uuid.uuid4()}", work, stop=stop)
        return invocation

    def _config(self, deployment: Deployment) -> Request:
        config = deployment.record.get("AsyncInferenceConfig")
        if config is None:
            known = self._machine.store.find(ENDPOINT_CONFIG, deployment.config) or {}
            config = known.get("AsyncInferenceConfig")
        if not isinstance(config, dict):
            raise _refused(f"Endpoint {deployment.endpoint} is not configured for asynchronous inference.")
        return Request(config, "AsyncInferenceConfig")

    def _place(self, deployment: Deployment, config: Request) -> threading.Semaphore:
        count = config.number("ClientConfig.MaxConcurrentInvocationsPerInstance", _AT_ONCE)
        with self._lock:
            key = f"{deployment.endpoint} {deployment.identity}"
            return self._places.setdefault(key, threading.Semaphore(count))

    def _work(self, invocation: Invocation, place: threading.Semaphore, stopped: threading.Event) -> None:
        with place:
            if stopped.is_set():
                return
            try:
                content = self._content(invocation)
                invoked = self._machine.hosts.ask(
                    invocation.endpoint, content, invocation.headers, limit_s=invocation.limit_s
                )
            except WorkflowError as error:
                self._fail(invocation, str(error))
                return
        if invoked.answer.status >= _CLIENT_ERROR:
            text = invoked.answer.body.decode(errors="replace")
            self._fail(invocation, f"Received error ({invoked.answer.status}) from primary: {text}")
        else:
            self._put(invocation.output, invoked.answer.body)

    def _content(self, invocation: Invocation) -> bytes:
        if isinstance(invocation.input, bytes):
            return invocation.input
        return self._machine.store.objects.read(str(invocation.input))

    def _fail(self, invocation: Invocation, reason: str) -> None:
        if invocation.failure is not None:
            self._put(invocation.failure, reason.encode())

    def _put(self, place: Location, content: bytes) -> None:
        with self._machine.store.objects.staged(str(place)) as file:
            file.write_bytes(content)


def _read(endpoint: str, config: Request, headers: Mapping[str, str], body: bytes) -> Invocation:
    own = {name.removeprefix(_PREFIX): value for name, value in headers.items() if name.startswith(_PREFIX)}
    identity = str(uuid.uuid4())
    try:
        return Invocation(
            id=own.get("inference-id", identity),
            endpoint=endpoint,
            input=_input(own, body),
            headers=_forwarded(own),
            output=_output(config, own, identity),
            failure=_failure(config, identity),
            limit_s=_limit_s(own),
        )
    except WorkflowError as error:
        raise _refused(str(error)) from None


def _input(own: Mapping[str, str], body: bytes) -> Location | bytes:
    uri = own.get("inputlocation")
    if (uri is None) is not bool(body):
        raise _refused("Either InputLocation or Body is needed, and not both.")
    return body if uri is None else parse(uri)


def _forwarded(own: Mapping[str, str]) -> dict[str, str]:
    names = {
        "content-type": "Content-Type",
        "accept": "Accept",
        "custom-attributes": f"{_PREFIX}custom-attributes",
    }
    return {target: own[name] for name, target in names.items() if name in own}


def _output(config: Request, own: Mapping[str, str], identity: str) -> Location:
    folder = parse(config.text("OutputConfig.S3OutputPath"))
    if extension := own.get("s3outputpathextension", "").strip("/"):
        folder = parse(str(folder.child(extension)))
    return parse(str(folder.child(own.get("filename", f"{identity}.out"))))


def _failure(config: Request, identity: str) -> Location | None:
    uri = config.text("OutputConfig.S3FailurePath", "")
    return parse(uri).child(f"{identity}-error.out") if uri else None


def _limit_s(own: Mapping[str, str]) -> int:
    text = own.get("invocationtimeoutseconds", str(_LIMIT_S))
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_S:
        raise _refused(f"InvocationTimeoutSeconds must be from 1 to {_LONGEST_S}, is {text}.")
    return int(text)


def _refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)
