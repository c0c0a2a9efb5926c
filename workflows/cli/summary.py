"""An execution as one document, for --json and for people."""

import click

from workflows.cli.common import find_execution, steps_of
from workflows.cli.pictures import draw_pictures
from workflows.cli.resources import made, made_by_step, objects_of, package_name
from workflows.definition.model import JSON
from workflows.local.images import ImageTable
from workflows.local.records import Record
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
        **{key: value for key, value in record.items() if key not in ("PipelineDefinition", "Differences")},
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


def print_summary(document: dict[str, JSON], *, seconds: float | None = None) -> None:
    """The document for people."""
    after = f" after {seconds:.0f} s" if seconds is not None else ""
    click.echo(f"execution  {document['execution']} {document['PipelineExecutionStatus']}{after}")
    for entry in objects_of(document["Metrics"]):
        click.echo(f"metric     {entry['StepName']} {entry['MetricName']} {entry['Value']:.4f}")
    for entry in objects_of(document["ModelPackages"]):
        click.echo(f"model      {package_name(str(entry['ModelPackageArn']))} {entry['ModelApprovalStatus']}")
    for entry in objects_of(document["Endpoints"]):
        click.echo(f"endpoint   {entry['EndpointName']} {entry['EndpointStatus']}")
    for line in _texts(document["Pictures"]):
        click.echo(f"picture    {line}")
    click.echo(f"logs       {document['Logs']}")
    if differences := _texts(document["Differences"]):
        click.echo("Different from SageMaker:")
        for line in differences:
            click.echo(f"  - {line}")


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
