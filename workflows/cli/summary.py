"""An execution as one document, for --json and for people."""

import click

from workflows.cli.common import find_execution, steps_of
from workflows.cli.pictures import draw_pictures
from workflows.definition.model import JSON
from workflows.local.holdings import run_folder
from workflows.local.images import ImageTable
from workflows.local.journal import EXECUTING, STOPPING
from workflows.local.liveness import is_running
from workflows.local.records import Record
from workflows.local.resources import last_part, made, made_by_step, objects_of, package_name
from workflows.local.store import Store


def summary(store: Store, execution: str, *, images: ImageTable, draw: bool) -> dict[str, JSON]:
    """What an execution did.

    Args:
        store: where it is recorded.
        execution: its id, ARN, or `latest`.
        images: knows the metrics that algorithms publish.
        draw: whether to draw its pictures, too.
    """
    execution_id, record = find_execution(store, execution)
    steps = steps_of(store, execution_id)
    pictures = draw_pictures(store, execution_id, steps, images=images) if draw else []
    document: dict[str, JSON] = {
        "execution": execution_id,
        **{key: value for key, value in record.items() if key != "Differences"},
        **_engine_state(store, record),
        "Steps": [dict(step) for step in steps],
        "Metrics": _metrics(store, steps),
        "ModelPackages": [_package(found) for found in made(store, steps, "RegisterModel")],
        "Endpoints": [
            {key: found[key] for key in ("EndpointName", "EndpointStatus", "EndpointConfigName")}
            for found in made(store, steps, "Endpoint")
        ],
        "Logs": str(store.home / "runs" / execution_id),
        "Pictures": [str(path) for path in pictures],
        "Differences": record["Differences"],
    }
    return document


def engine_runs(store: Store, record: Record) -> bool | None:
    """Whether the engine of an execution that has not ended still runs; None of one that has ended."""
    if record["PipelineExecutionStatus"] not in (EXECUTING, STOPPING):
        return None
    return is_running(run_folder(store, last_part(record["PipelineExecutionArn"])))


def status_of(document: Record) -> str:
    """The status of an execution for people: that it is Executing does not mean that anybody executes it."""
    gone = ", engine gone" if document.get("EngineRunning") is False else ""
    return f"{document['PipelineExecutionStatus']}{gone}"


def print_summary(document: dict[str, JSON], *, seconds: float | None = None) -> None:
    """The document for people."""
    after = f" after {seconds:.0f} s" if seconds is not None else ""
    click.echo(f"execution  {document['execution']} {status_of(document)}{after}")
    for entry in objects_of(document["Metrics"]):
        click.echo(f"metric     {entry['StepName']} {entry['MetricName']} {entry['Value']:.4f}")
    for entry in objects_of(document["ModelPackages"]):
        click.echo(f"model      {package_name(str(entry['ModelPackageArn']))} {entry['ModelApprovalStatus']}")
    for entry in objects_of(document["Endpoints"]):
        click.echo(f"endpoint   {entry['EndpointName']} {entry['EndpointStatus']}")
    for line in _texts(document["Pictures"]):
        click.echo(f"picture    {line}")
    click.echo(f"logs       {document['Logs']}")
    _print_differences(objects_of(document["Differences"]))


def _print_differences(differences: list[dict[str, JSON]]) -> None:
    """The ledger, a line for each kind of difference; --json has every field."""
    steps: dict[str, dict[str, None]] = {}
    for entry in differences:
        steps.setdefault(str(entry["Effect"]), {})[str(entry["StepName"])] = None
    if steps:
        click.echo("Different from SageMaker:")
    for effect, names in steps.items():
        click.echo(f"  - {effect} ({', '.join(names)})")


def _engine_state(store: Store, record: Record) -> Record:
    runs = engine_runs(store, record)
    return {} if runs is None else {"EngineRunning": runs}


def _metrics(store: Store, steps: list[Record]) -> list[JSON]:
    found: list[JSON] = []
    for step, job in made_by_step(store, steps, "TrainingJob"):
        for entry in objects_of(job.get("FinalMetricDataList")):
            if str(entry["MetricName"]).startswith("validation:"):
                found.append({"StepName": step, **entry})
    return found


def _package(record: Record) -> JSON:
    wanted = ("ModelPackageArn", "ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus")
    return {key: record[key] for key in wanted} | {
        "CustomerMetadataProperties": record.get("CustomerMetadataProperties", {})
    }


def _texts(value: JSON) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []
