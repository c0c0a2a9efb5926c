"""`workflows executions` and `workflows show`."""

import click

from workflows.aws import executions
from workflows.aws.errors import NotFound
from workflows.cli.common import json_option, print_json, print_table, say
from workflows.cli.place import Connection, connect, on_option
from workflows.cli.summary import engine_state, print_summary, status_of, summary
from workflows.cli.values import brief_change
from workflows.definition.errors import did_you_mean
from workflows.definition.model import JSON
from workflows.definition.records import Record, at, last_part, objects_of, seconds_between, source_of

_LISTED = 20


@click.command("executions")
@click.option("--pipeline", metavar="NAME", help="Only those of this pipeline.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LISTED,
    show_default=True,
    help="How many, the newest first.",
)
@on_option
@json_option
def executions_command(pipeline: str | None, limit: int, on: str | None, as_json: bool) -> None:
    """Executions, newest first."""
    with connect(on) as place:
        if pipeline is not None:
            check_pipeline(place, pipeline)
        found = executions.listed(place.clients, pipeline, limit=limit)
        listed = [_listed(place, str(entry["PipelineExecutionArn"])) for entry in found]
    if as_json:
        print_json(listed)
        return
    rows = [
        (
            str(entry["execution"]),
            last_part(entry["PipelineArn"]),
            str(entry.get("PipelineVersionId", "")),
            status_of(entry),
            str(entry["CreationTime"]),
            _seconds(entry["Seconds"]),
        )
        for entry in listed
    ]
    print_table(rows, head=("EXECUTION", "PIPELINE", "VERSION", "STATUS", "STARTED", "SECONDS"))
    if len(listed) == limit:
        say(f"TIP   these are the newest {limit}; --limit shows more")
    for entry in listed:
        _tell_how_to_go_on(entry)


@click.command("show")
@click.argument("execution", default="latest")
@on_option
@json_option
def show_command(execution: str, on: str | None, as_json: bool) -> None:
    """One execution: its steps, metrics, parameters. EXECUTION is an id, an ARN or `latest`."""
    with connect(on) as place:
        document = summary(place, executions.find(place.clients, execution), draw=False)
    if as_json:
        print_json(document)
        return
    steps = objects_of(document["Steps"])
    print_table(
        [_row(step) for step in steps], head=("STEP", "TYPE", "STATUS", "SECONDS", "ATTEMPTS", "FROM")
    )
    for step in steps:
        _explain(step)
    click.echo()
    version = f" version {document['PipelineVersionId']}" if "PipelineVersionId" in document else ""
    click.echo(f"pipeline   {last_part(document['PipelineArn'])}{version}")
    _print_selection(document)
    for parameter in objects_of(document["PipelineParameters"]):
        click.echo(f"parameter  {parameter['Name']} = {parameter['Value']}")
    print_summary(document)
    if "FailureReason" in document:
        click.echo(f"failure    {document['FailureReason']}")
    _tell_how_to_go_on(document)


def check_pipeline(place: Connection, name: str) -> None:
    """Refuse a pipeline that is not there.

    Raises:
        NotFound: with the name that may be meant.
    """
    known = [str(entry["PipelineName"]) for entry in executions.pipelines(place.clients)]
    if name not in known:
        where = "has run here" if place.is_local else f"is in {place.clients.region}"
        raise NotFound(f"no pipeline '{name}' {where}{did_you_mean(name, known)}")


def _listed(place: Connection, arn: str) -> Record:
    """An execution's description, with what a list should tell."""
    record = executions.describe(place.clients, arn)
    state = engine_state(place.store, record) if place.store else {}
    going_on = record["PipelineExecutionStatus"] in executions.GOING_ON
    seconds = None if going_on else seconds_between(record["CreationTime"], record["LastModifiedTime"])
    return {"execution": last_part(arn), **record, "Seconds": seconds, **state}


def _tell_how_to_go_on(entry: Record) -> None:
    if entry.get("EngineRunning") is False:
        name = entry["execution"]
        say(f"TIP   the engine of {name} is gone; go on with: workflows resume {name}")


def _row(step: Record) -> tuple[str, ...]:
    seconds = seconds_between(step["StartTime"], step["EndTime"]) if "EndTime" in step else None
    how = "cache, execution " if "CacheHitResult" in step else "execution "
    source = source_of(step)
    return (
        str(step["StepName"]),
        str(step["StepType"]),
        str(step["StepStatus"]),
        _seconds(seconds),
        str(step.get("AttemptCount", "")),
        f"{how}{source}" if source else "",
    )


def _explain(step: Record) -> None:
    """Why a step failed, and why it had to run."""
    if "FailureReason" in step:
        click.echo(f"{step['StepName']}: {step['FailureReason']}")
    miss = step.get("CacheMiss")
    if not isinstance(miss, dict):
        return
    since = f", compared with execution {last_part(miss['ComparedWith'])}" if miss["ComparedWith"] else ""
    click.echo(f"{step['StepName']} was not in the cache: {miss['Reason']}{since}")
    for change in objects_of(miss["Changed"]):
        before, after = brief_change(change["Before"], change["After"])
        click.echo(f"  {change['Field']}: {before} -> {after}")


def _print_selection(document: Record) -> None:
    names = ", ".join(
        str(entry["StepName"])
        for entry in objects_of(at(document, "SelectiveExecutionConfig", "SelectedSteps"))
    )
    if names:
        arn = at(document, "SelectiveExecutionConfig", "SourcePipelineExecutionArn")
        others = f"; other results are those of execution {last_part(arn)}" if arn else ""
        click.echo(f"selected   {names}{others}")


def _seconds(value: JSON) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""
