"""`workflows gc`."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from workflows.cli.common import (
    DONE,
    FAILED,
    find_execution,
    json_option,
    open_store,
    print_json,
    print_table,
    say,
)
from workflows.cli.values import size
from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.local.garbage import Choice, Garbage, Share, choose, examine
from workflows.local.sweep import Swept, sweep

_MOST_DAYS = 36_500


@click.command("gc")
@click.argument("executions", metavar="[EXECUTION]...", nargs=-1)
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Keep the newest N of each pipeline.")
@click.option(
    "--older-than",
    type=click.IntRange(0, _MOST_DAYS),
    metavar="DAYS",
    help="Only those that were last heard of so many days ago.",
)
@click.option("--inputs", is_flag=True, help="Also copies of input data that no other execution refers to.")
@click.option("--delete", is_flag=True, help="Remove it; without this, nothing is changed.")
@json_option
def gc_command(
    executions: tuple[str, ...],
    keep: int | None,
    older_than: int | None,
    inputs: bool,
    delete: bool,
    as_json: bool,
) -> None:
    """Remove executions, with what only they hold: folders, records, S3 objects. A dry run without --delete.

    EXECUTION is an id, an ARN or `latest`. Each option narrows what the others choose. What a remaining
    execution, a registered model version or an endpoint uses is never removed.
    """
    store = open_store()
    choice = Choice(
        executions=tuple(find_execution(store, name)[0] for name in executions),
        keep=keep,
        older_than=None if older_than is None else timedelta(days=older_than),
        inputs=inputs,
    )
    now = datetime.now(UTC)
    if delete:
        swept = sweep(store, choice, now=now)
    else:
        garbage = examine(store, choice, choose(store, choice, now=now), now=now)
        swept = Swept(garbage=garbage, failures=())
    if as_json:
        print_json(_garbage_record(swept, deleted=delete))
    else:
        _print_garbage(swept.garbage, deleted=delete)
        for failure in swept.failures:
            say(f"ERROR {failure}")
    sys.exit(FAILED if swept.failures else DONE)


def _print_garbage(garbage: Garbage, *, deleted: bool) -> None:
    whole = [share for share in garbage.shares if share.record is not None]
    if whole:
        print_table(
            [_share_row(share) for share in whole],
            head=("EXECUTION", "PIPELINE", "STATUS", "STARTED", "OBJECTS", "STAYS"),
        )
    for share in garbage.shares:
        if share.record is None:
            click.echo(f"rest      of {share.execution}, removed earlier: {len(share.objects)} objects")
    for name, folders in (("input", garbage.inputs), ("leftover", garbage.leftovers)):
        for folder in folders:
            click.echo(f"{name:8}  {folder}")
    for kept in garbage.kept:
        click.echo(f"kept      {kept.execution}: {kept.reason}")
    objects = sum(len(share.objects) for share in garbage.shares)
    count = len(garbage.shares) + len(garbage.inputs) + len(garbage.leftovers)
    click.echo(
        f"{'removed' if deleted else 'would remove'} {len(whole)} executions, {count} folders, "
        f"{objects} objects: {size(garbage.size)}"
    )
    if not deleted and count:
        say("TIP   nothing has been changed yet; remove it with: --delete")


def _share_row(share: Share) -> tuple[str, ...]:
    record = share.record or {}
    return (
        share.execution,
        last_part(record["PipelineArn"]),
        str(record["PipelineExecutionStatus"]),
        str(record["CreationTime"]),
        str(len(share.objects)),
        "" if share.is_whole else "what others use",
    )


def _garbage_record(swept: Swept, *, deleted: bool) -> Record:
    garbage = swept.garbage
    return {
        "Deleted": deleted,
        "Executions": [_share_record(share) for share in garbage.shares if share.record is not None],
        "Rests": [_share_record(share) for share in garbage.shares if share.record is None],
        "Kept": [{"execution": kept.execution, "Reason": kept.reason} for kept in garbage.kept],
        "Inputs": _paths(garbage.inputs),
        "Leftovers": _paths(garbage.leftovers),
        "Bytes": garbage.size,
        "Failures": list(swept.failures),
    }


def _share_record(share: Share) -> JSON:
    return {
        "execution": share.execution,
        "PipelineExecutionArn": share.record and share.record["PipelineExecutionArn"],
        "Objects": list(share.objects),
        "Records": [f"{kind}/{name}" for kind, name in share.records],
        "Whole": share.is_whole,
    }


def _paths(paths: Iterable[Path]) -> list[JSON]:
    return [str(path) for path in paths]
