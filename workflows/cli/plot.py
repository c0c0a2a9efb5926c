"""`workflows plot`."""

import click

from workflows.aws import executions
from workflows.cli.common import json_option, print_json
from workflows.cli.pictures import draw_pictures
from workflows.cli.place import connect, on_option
from workflows.definition.errors import WorkflowError
from workflows.definition.records import last_part


@click.command("plot")
@click.argument("execution", default="latest")
@on_option
@json_option
def plot_command(execution: str, on: str | None, as_json: bool) -> None:
    """Charts and pictures of an execution: PNG files, whose paths are printed."""
    with connect(on) as place:
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        paths = draw_pictures(place, arn, executions.steps(place.clients, arn))
    if not paths:
        raise WorkflowError(f"execution {last_part(arn)} has no metrics and no pictures yet")
    if as_json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            click.echo(str(path))
