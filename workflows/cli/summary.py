"""An execution as one document, for --json and for people."""

import click

from workflows.aws import executions
from workflows.cli.pictures import draw_pictures
from workflows.cli.place import Connection
from workflows.definition.model import JSON
from workflows.definition.records import Record, at, last_part, objects_of, package_name
from workflows.local.holdings import run_folder
from workflows.local.journal import EXECUTING, STOPPING
from workflows.local.liveness import is_running
from workflows.local.records import EXECUTION, EXECUTION_STEP
from workflows.local.store import Store


def summary(place: Connection, record: Record, *, draw: bool) -> Record:
    """What an execution did.

    Args:
        place: where it runs.
        record: its description.
        draw: whether to draw its pictures, too.
    """
    clients, arn = place.clients, str(record["PipelineExecutionArn"])
    steps = executions.steps(clients, arn)
    types = step_types(place, arn)
    made = {key: executions.made_by_step(clients, steps, key) for key in ("RegisterModel", "Endpoint")}
    pictures = draw_pictures(place, arn, steps) if draw else []
    document: Record = {
        "execution": last_part(arn),
        **record,
        "PipelineParameters": list[JSON](executions.parameters(clients, arn)),
        "Steps": [{**step, "StepType": types.get(str(step["StepName"]), "")} for step in steps],
        "Metrics": _metrics(place, steps),
        "ModelPackages": [_package(found) for _, found in made["RegisterModel"]],
        "Endpoints": [
            {key: found[key] for key in ("EndpointName", "EndpointStatus", "EndpointConfigName")}
            for _, found in made["Endpoint"]
        ],
        "Pictures": [str(path) for path in pictures],
    }
    return _with_local_notes(document, place.store) if place.store else document


def step_types(place: Connection, arn: str) -> dict[str, str]:
    """Step -> type, of everything in an execution's definition."""
    return executions.step_types(place.clients, arn)


def engine_state(store: Store, record: Record) -> Record:
    """Whether the engine of an execution that has not ended still runs; nothing of one that has ended."""
    if record["PipelineExecutionStatus"] not in (EXECUTING, STOPPING):
        return {}
    return {"EngineRunning": is_running(run_folder(store, last_part(record["PipelineExecutionArn"])))}


def status_of(document: Record) -> str:
    """The status of an execution for people: that it is Executing does not mean that anybody executes it."""
    gone = ", engine gone" if document.get("EngineRunning") is False else ""
    return f"{document['PipelineExecutionStatus']}{gone}"


def print_summary(document: Record, *, seconds: float | None = None) -> None:
    """The document for people."""
    after = f" after {seconds:.0f} s" if seconds is not None else ""
    click.echo(f"execution  {document['execution']} {status_of(document)}{after}")
    for entry in objects_of(document["Metrics"]):
        click.echo(f"metric     {entry['StepName']} {entry['MetricName']} {entry['Value']:.4f}")
    for entry in objects_of(document["ModelPackages"]):
        click.echo(f"model      {package_name(entry['ModelPackageArn'])} {entry['ModelApprovalStatus']}")
    for entry in objects_of(document["Endpoints"]):
        click.echo(f"endpoint   {entry['EndpointName']} {entry['EndpointStatus']}")
    for line in _texts(document["Pictures"]):
        click.echo(f"picture    {line}")
    if "Logs" in document:
        click.echo(f"logs       {document['Logs']}")
    _print_differences(objects_of(document.get("Differences")))


def _with_local_notes(document: Record, store: Store) -> Record:
    """With what only this machine knows: the ledger, why steps had to run, where the logs are."""
    execution_id = str(document["execution"])
    record = store.find(EXECUTION, execution_id) or {}
    misses = {
        str(step["StepName"]): step["CacheMiss"]
        for step in store.all(EXECUTION_STEP, parent=execution_id)
        if "CacheMiss" in step
    }
    steps: list[JSON] = [
        {**step, "CacheMiss": misses[str(step["StepName"])]} if step["StepName"] in misses else step
        for step in objects_of(document["Steps"])
    ]
    return {
        **document,
        **engine_state(store, document),
        "Steps": steps,
        "Logs": str(run_folder(store, execution_id)),
        "Differences": record.get("Differences", []),
    }


def _print_differences(differences: list[Record]) -> None:
    """The ledger, a line for each kind of difference; --json has every field."""
    steps: dict[str, dict[str, None]] = {}
    for entry in differences:
        steps.setdefault(str(entry["Effect"]), {})[str(entry["StepName"])] = None
    if steps:
        click.echo("Different from SageMaker:")
    for effect, names in steps.items():
        click.echo(f"  - {effect} ({', '.join(names)})")


def _metrics(place: Connection, steps: list[Record]) -> list[JSON]:
    found: list[JSON] = []
    for step, job in executions.made_by_step(place.clients, steps, "TrainingJob"):
        for entry in objects_of(job.get("FinalMetricDataList")):
            if str(entry["MetricName"]).startswith("validation:"):
                found.append({"StepName": step, **entry})
    return found


def _package(record: Record) -> JSON:
    wanted = ("ModelPackageArn", "ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus")
    return {key: at(record, key) for key in wanted} | {
        "CustomerMetadataProperties": record.get("CustomerMetadataProperties", {})
    }


def _texts(value: JSON) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []
