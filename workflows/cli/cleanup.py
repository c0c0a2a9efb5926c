"""`workflows cleanup`."""

import click

from workflows.aws import cleanup
from workflows.aws.cleanup import Leftover
from workflows.cli.common import json_option, print_json, print_table, say
from workflows.cli.place import connect, on_option


@click.command("cleanup")
@click.argument("pipeline")
@click.option("--all", "everything", is_flag=True, help="Also its schedules, its endpoint, and the pipeline.")
@click.option("--delete", is_flag=True, help="Delete it; without this, nothing is changed.")
@on_option
@json_option
def cleanup_command(pipeline: str, everything: bool, delete: bool, on: str | None, as_json: bool) -> None:
    """What a pipeline has left and nobody needs: endpoint configurations, models; with --all everything.

    What an endpoint serves, and what a rollback would go to, stays. Data in S3, versions in the registry,
    logs and images are never deleted.
    """
    with connect(on) as place:
        left = cleanup.plan(place.clients, pipeline, everything=everything)
        if delete:
            cleanup.carry_out(place.clients, left, report=_tell)
    if as_json:
        print_json({"Deleted": delete, "Leftovers": [entry.record() for entry in left]})
        return
    if not left:
        click.echo(f"{pipeline}: nothing to clean up")
        return
    rows = [(entry.kind, entry.name, "yes" if entry.costs_while_idle else "", entry.why) for entry in left]
    print_table(rows, head=("WHAT", "NAME", "COSTS WHILE IDLE", "WHY"))
    if not delete:
        say("TIP   nothing was deleted; --delete does it")


def _tell(leftover: Leftover) -> None:
    say(f"* deleted {leftover.kind} {leftover.name}")
