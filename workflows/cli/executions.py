"""`workflows executions` and `workflows show`."""

import click

from workflows.cli.common import (
    image_table,
    json_option,
    open_store,
    print_json,
    print_table,
    say,
    settings,
)
from workflows.cli.summary import engine_runs, print_summary, status_of, summary
from workflows.cli.values import brief_change
from workflows.definition.errors import did_you_mean
from workflows.definition.model import JSON
from workflows.local.comparison import seconds_between
from workflows.local.pipelines import UnknownPipeline
from workflows.local.records import EXECUTION, PIPELINE, Record
from workflows.local.resources import last_part, objects_of, source_of
from workflows.local.store import Store


@click.command("executions")
@click.option("--pipeline", metavar="NAME", help="Only those of this pipeline.")
@json_option
def executions_command(pipeline: str | None, as_json: bool) -> None:
    """Executions on this machine, newest first."""
    store = open_store()
    if pipeline is not None:
        check_pipeline(store, pipeline)
    listed = [_listed(store, record) for record in reversed(store.all(EXECUTION, parent=pipeline))]
    if as_json:
        print_json(listed)
        return
    rows = [
        (
            str(entry["execution"]),
            last_part(entry["PipelineArn"]),
            str(entry["PipelineVersionId"]),
            status_of(entry),
            str(entry["CreationTime"]),
            _seconds(entry["Seconds"]),
        )
        for entry in listed
    ]
    print_table(rows, head=("EXECUTION", "PIPELINE", "VERSION", "STATUS", "STARTED", "SECONDS"))
    for entry in listed:
        _tell_how_to_go_on(entry)


@click.command("show")
@click.argument("execution", default="latest")
@json_option
def show_command(execution: str, as_json: bool) -> None:
    """One execution: its steps, metrics, parameters. EXECUTION is an id, an ARN or `latest`."""
    chosen = settings()
    document = summary(open_store(chosen), execution, images=image_table(chosen), draw=False)
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
    click.echo(f"pipeline   {last_part(document['PipelineArn'])} version {document['PipelineVersionId']}")
    _print_selection(document)
    for parameter in objects_of(document["PipelineParameters"]):
        click.echo(f"parameter  {parameter['Name']} = {parameter['Value']}")
    print_summary(document)
    if "FailureReason" in document:
        click.echo(f"failure    {document['FailureReason']}")
    _tell_how_to_go_on(document)


def check_pipeline(store: Store, name: str) -> None:
    """Refuse a pipeline that has never run here.

    Raises:
        UnknownPipeline: with the name that may be meant.
    """
    known = [str(entry["PipelineName"]) for entry in store.all(PIPELINE)]
    if name not in known:
        raise UnknownPipeline(f"no pipeline '{name}' has run here{did_you_mean(name, known)}")


def _listed(store: Store, record: Record) -> Record:
    """An execution's record without the ledger, with what a list should tell."""
    execution_id, runs = last_part(record["PipelineExecutionArn"]), engine_runs(store, record)
    seconds = seconds_between(record["CreationTime"], record["LastModifiedTime"])
    entry: Record = {"execution": execution_id, **record, "Seconds": seconds if runs is None else None}
    del entry["Differences"]
    return entry if runs is None else {**entry, "EngineRunning": runs}


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
        str(step["AttemptCount"]),
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
    config = document.get("SelectiveExecutionConfig")
    if isinstance(config, dict):
        names = ", ".join(str(entry["StepName"]) for entry in objects_of(config["SelectedSteps"]))
        arn = config.get("SourcePipelineExecutionArn")
        others = f"; other results are those of execution {last_part(arn)}" if arn else ""
        click.echo(f"selected   {names}{others}")


def _seconds(value: JSON) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""
