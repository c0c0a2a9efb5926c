"""The pages of endpoints, and what they find in a picture."""

import base64

from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.records import Record
from workflows.local.deployments import IN_SERVICE
from workflows.local.job_logs import log_of
from workflows.local.records import ENDPOINT
from workflows.server.machine import Machine
from workflows.server.page import step_jobs
from workflows.server.page.answers import Prediction, predict
from workflows.server.page.faults import Missing
from workflows.server.page.forms import Form, Upload
from workflows.server.page.render import render

_THRESHOLD = 0.4
_KINDS = ("image/jpeg", "image/png")
_IN_PROGRESS = ("Creating", "Updating", "Deleting")
_BAD_REQUEST, _BAD_GATEWAY = 400, 502


def list_endpoints(machine: Machine, _request: Request) -> Response:
    """GET /-/endpoints."""
    found = list(reversed(machine.store.all(ENDPOINT)))
    return render("endpoints.html", endpoints=found, runs=any(map(_changes, found)))


def show_endpoint(machine: Machine, request: Request) -> Response:
    """GET /-/endpoints/NAME."""
    return _page(machine, _endpoint(machine, request))


def ask_endpoint(machine: Machine, request: Request, form: Form) -> Response:
    """POST /-/endpoints/NAME/picture: the same page, with what the endpoint finds."""
    record = _endpoint(machine, request)
    picture = form.files.get("picture")
    threshold = _fraction(form.fields.get("threshold", ""))
    if threshold is None:
        return _page(machine, record, fault="The threshold must be a number from 0 to 1", status=_BAD_REQUEST)
    if picture is None or not picture.content:
        return _page(machine, record, threshold, fault="Choose a picture first", status=_BAD_REQUEST)
    if picture.content_type not in _KINDS:
        fault = f"{picture.name} is {picture.content_type}; choose a JPEG or a PNG file"
        return _page(machine, record, threshold, fault=fault, status=_BAD_REQUEST)
    try:
        answer = predict(machine, str(record["EndpointName"]), picture, threshold=threshold)
    except WorkflowError as error:
        return _page(machine, record, threshold, fault=str(error), status=_BAD_GATEWAY)
    return _page(machine, record, threshold, picture=picture, answer=answer)


def _page(
    machine: Machine,
    record: Record,
    threshold: float = _THRESHOLD,
    *,
    picture: Upload | None = None,
    answer: Prediction | None = None,
    fault: str = "",
    status: int = 200,
) -> Response:
    name = str(record["EndpointName"])
    log = log_of(machine.store, ENDPOINT, name)
    shown = ""
    if picture is not None:
        shown = f"data:{picture.content_type};base64,{base64.b64encode(picture.content).decode()}"
    return render(
        "endpoint.html",
        status=status,
        endpoint=record,
        answers=record.get("EndpointStatus", IN_SERVICE) in (IN_SERVICE, "Updating"),
        threshold=f"{threshold:g}",
        picture=picture,
        shown=shown,
        answer=answer,
        fault=fault,
        log=step_jobs.tail(log)[0] if log.is_file() else "",
        runs=_changes(record),
    )


def _endpoint(machine: Machine, request: Request) -> Record:
    name = request.path_params["name"]
    record = machine.store.find(ENDPOINT, name)
    if record is None:
        known = [str(entry["EndpointName"]) for entry in machine.store.all(ENDPOINT)]
        raise Missing(
            f"No endpoint is named '{name}'{did_you_mean(name, known)}",
            hint="Choose one from the list; approve a model version and deploy it to have one.",
            back="/-/endpoints",
        )
    return record


def _changes(record: Record) -> bool:
    return record.get("EndpointStatus") in _IN_PROGRESS


def _fraction(text: str) -> float | None:
    try:
        value = float(text or _THRESHOLD)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
