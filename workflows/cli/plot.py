"""`workflows plot`."""

import click

from workflows.cli.common import (
    find_execution,
    image_table,
    json_option,
    open_store,
    print_json,
    settings,
    steps_of,
)
from workflows.cli.pictures import draw_pictures
from workflows.definition.errors import WorkflowError


@click.command("plot")
@click.argument("execution", default="latest")
@json_option
def plot_command(execution: str, as_json: bool) -> None:
    """Charts and pictures of an execution: PNG files, whose paths are printed."""
    chosen = settings()
    store = open_store(chosen)
    execution_id, _ = find_execution(store, execution)
    paths = draw_pictures(store, execution_id, steps_of(store, execution_id), images=image_table(chosen))
    if not paths:
        raise WorkflowError(f"execution {execution_id} has no metrics and no pictures yet")
    if as_json:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            click.echo(str(path))
