"""`workflows executions` and `workflows show`."""

from datetime import datetime

import click

from workflows.cli.common import image_table, json_option, open_store, print_json, print_table, settings
from workflows.cli.resources import objects_of
from workflows.cli.summary import print_summary, summary
from workflows.local.records import EXECUTION, Record


@click.command("executions")
@json_option
def executions_command(as_json: bool) -> None:
    """Executions on this machine, newest first."""
    records = list(reversed(open_store().all(EXECUTION)))
    if as_json:
        print_json(
            [{key: value for key, value in entry.items() if key != "PipelineDefinition"} for entry in records]
        )
        return
    rows = [
        (
            str(entry["PipelineExecutionArn"]).rpartition("/")[2],
            str(entry["PipelineArn"]).rpartition("/")[2],
            str(entry["PipelineExecutionStatus"]),
            str(entry["CreationTime"]),
            seconds_between(str(entry["CreationTime"]), str(entry["LastModifiedTime"])),
        )
        for entry in records
    ]
    print_table(rows, head=("EXECUTION", "PIPELINE", "STATUS", "STARTED", "SECONDS"))


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
    print_table(
        [_row(step) for step in objects_of(document["Steps"])], head=("STEP", "TYPE", "STATUS", "SECONDS")
    )
    for step in objects_of(document["Steps"]):
        if "FailureReason" in step:
            click.echo(f"{step['StepName']}: {step['FailureReason']}")
    click.echo()
    for parameter in objects_of(document["PipelineParameters"]):
        click.echo(f"parameter  {parameter['Name']} = {parameter['Value']}")
    print_summary(document)


def seconds_between(start: str, end: str) -> str:
    """The time between two timestamps."""
    return f"{(datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds():.1f}"


def _row(step: Record) -> tuple[str, str, str, str]:
    seconds = seconds_between(str(step["StartTime"]), str(step["EndTime"])) if "EndTime" in step else ""
    return str(step["StepName"]), str(step["StepType"]), str(step["StepStatus"]), seconds
