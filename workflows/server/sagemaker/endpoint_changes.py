"""What an endpoint goes through in the background: its container is started and proved, or ended.

Whoever changes an endpoint holds the lock in its folder (liveness.py), so that the next server can tell what
one that died has left half done.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local import deployments
from workflows.local.deployments import IN_SERVICE
from workflows.local.job_logs import log_of
from workflows.local.journal import now
from workflows.local.liveness import StillRunning, engine_of, is_running
from workflows.local.model_server import NotReady
from workflows.local.records import ENDPOINT, TAGS
from workflows.server.machine import Machine

CREATING, UPDATING, FAILED, DELETING = "Creating", "Updating", "Failed", "Deleting"
_REASON_LIMIT = 1024
_TAKEN_UP_WITHIN_S = 0.5
# What becomes of an endpoint whose change comes to nothing.
_ENDINGS = {CREATING: FAILED, UPDATING: IN_SERVICE}


def begin(machine: Machine, record: Record, deployed: Mapping[str, JSON], *, if_it_fails: str) -> None:
    """Start a container for an endpoint; once it has answered /ping the endpoint is InService with it.

    Args:
        machine: which hosts it.
        record: of the endpoint.
        deployed: what its record will say of its configuration and container.
        if_it_fails: its status then; what it had before goes on.
    """
    stopped = threading.Event()
    work = partial(_deploy, machine, {**record, **deployed}, deployed, if_it_fails, stopped)
    _start(machine, str(record["EndpointName"]), work, stopped)


def end(machine: Machine, name: str) -> None:
    """End the container of an endpoint, and with it the endpoint."""

    def work() -> None:
        machine.hosts.withdraw(name)
        machine.store.delete_all([(ENDPOINT, name), (TAGS, machine.names.arn(ENDPOINT, name))])

    # It takes no time that is worth cutting short.
    _start(machine, name, work, threading.Event())


def settle(machine: Machine) -> None:
    """Bring endpoints to an end that a server was changing when it died. For the start of a server."""
    found = [str(record["EndpointName"]) for record in _orphans(machine)]
    if found:
        # Another server may be about to take up what it has just recorded.
        time.sleep(_TAKEN_UP_WITHIN_S)
    for record in _orphans(machine):
        name, status = str(record["EndpointName"]), str(record["EndpointStatus"])
        if name not in found:
            continue
        if status == DELETING:
            machine.store.delete_all([(ENDPOINT, name), (TAGS, machine.names.arn(ENDPOINT, name))])
        else:
            reason = "the server that was changing the endpoint has ended"
            _end_badly(machine, name, _ENDINGS[status], reason)


def _orphans(machine: Machine) -> Iterator[Record]:
    for record in machine.store.all(ENDPOINT):
        is_changing = record.get("EndpointStatus") in (*_ENDINGS, DELETING)
        if is_changing and not is_running(_folder(machine, str(record["EndpointName"]))):
            yield record


def _folder(machine: Machine, name: str) -> Path:
    return log_of(machine.store, ENDPOINT, name).parent


def _start(machine: Machine, name: str, work: Callable[[], None], stopped: threading.Event) -> None:
    def held() -> None:
        with _changing(_folder(machine, name)):
            work()

    machine.background.start(f"{machine.names.arn(ENDPOINT, name)} {uuid4()}", held, stop=stopped.set)


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    while True:
        try:
            with engine_of(folder):
                yield
                return
        except StillRunning:
            continue  # the change before this one has just ended


def _deploy(
    machine: Machine,
    wanted: Record,
    deployed: Mapping[str, JSON],
    if_it_fails: str,
    stopped: threading.Event,
) -> None:
    name = str(wanted["EndpointName"])

    def take_over() -> None:
        fields: Record = {
            **deployed,
            "EndpointStatus": IN_SERVICE,
            "LastModifiedTime": now(),
            "PendingDeploymentSummary": None,
        }
        machine.store.change(ENDPOINT, name, lambda known: {**known, **fields})

    try:
        machine.hosts.deploy(
            deployments.deployment(wanted),
            deployments.container(machine.store, wanted),
            proved=take_over,
            stopped=stopped,
        )
    except (WorkflowError, OSError) as error:
        _end_badly(machine, name, if_it_fails, _reason(error, wanted, stopped))
    except BaseException as bug:
        _end_badly(machine, name, if_it_fails, f"InternalServerError: {bug!r}")
        raise


def _reason(error: Exception, wanted: Record, stopped: threading.Event) -> str:
    if stopped.is_set():
        return "the server that was changing the endpoint was stopped"
    if not isinstance(error, NotReady):
        return str(error)
    variant = deployments.deployment(wanted).variant
    return (
        f"The primary container for production variant {variant} did not pass the ping health check. Please "
        f"check CloudWatch logs for this endpoint. ({error})"
    )


def _end_badly(machine: Machine, name: str, status: str, reason: str) -> None:
    ended: Record = {
        "EndpointStatus": status,
        "FailureReason": reason[:_REASON_LIMIT],
        "LastModifiedTime": now(),
        "PendingDeploymentSummary": None,
    }
    machine.store.change(ENDPOINT, name, lambda known: {**known, **ended})
