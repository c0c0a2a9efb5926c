"""What several commands share: settings, the store, options, tables and JSON."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from workflows.definition.errors import ParameterError, WorkflowError
from workflows.definition.records import Record
from workflows.local.records import EXECUTION
from workflows.local.store import Store
from workflows.settings import Settings, load

Command = TypeVar("Command", bound=Callable[..., Any])

DONE, FAILED = 0, 1


def settings() -> Settings:
    """The settings of this call."""
    root = click.get_current_context().find_root()
    flags: Mapping[str, str | None] = root.obj or {}
    return load(flags=flags, environment=os.environ, folder=Path.cwd())


def open_store(chosen: Settings | None = None) -> Store:
    """The state of this machine."""
    return Store((chosen or settings()).home)


def json_option(command: Command) -> Command:
    """Adds --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def set_option(command: Command) -> Command:
    """Adds --set NAME=VALUE, any number of times."""
    return click.option(
        "--set",
        "assignments",
        metavar="NAME=VALUE",
        multiple=True,
        help="Give a parameter a value; repeatable.",
    )(command)


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """["Epochs=3"] -> {"Epochs": "3"}.

    Raises:
        ParameterError: there is no '=' in one of them.
    """
    found: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--set {text}: write NAME=VALUE")
        found[name.strip()] = value
    return found


def print_json(document: object) -> None:
    """JSON on standard output."""
    click.echo(json.dumps(document, indent=2))


def print_table(rows: Sequence[Sequence[str]], *, head: Sequence[str]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_file(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all.

    Raises:
        WorkflowError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise WorkflowError(f"{path}: cannot be written: {error.strerror}") from None


def say(text: str) -> None:
    """A line of progress, on standard error so that standard output holds results only."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def find_execution(store: Store, name: str) -> tuple[str, Record]:
    """An execution by its id, its ARN, or `latest`; returns id and record.

    Raises:
        WorkflowError: there is none.
    """
    if name == "latest":
        records = store.all(EXECUTION)
        if not records:
            raise WorkflowError(
                "nothing has run here yet; start with: workflows run birds-detection --profile sample"
            )
        record = records[-1]
    else:
        found = store.find(EXECUTION, name.rpartition("/")[2])
        if found is None:
            raise WorkflowError(f"no execution '{name}'; `workflows executions` lists them")
        record = found
    return str(record["PipelineExecutionArn"]).rpartition("/")[2], record
