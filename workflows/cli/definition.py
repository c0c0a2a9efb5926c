"""`workflows list` and `workflows definition`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import click

from workflows.cli.common import (
    json_option,
    parse_assignments,
    print_json,
    print_table,
    set_option,
    settings,
    write_file,
)
from workflows.definition.errors import WorkflowError
from workflows.definition.loader import load
from workflows.definition.model import JSON
from workflows.definition.parameters import bind
from workflows.definition.source import SourceLine
from workflows.pipelines import catalog
from workflows.pipelines.catalog import Compiled
from workflows.pipelines.compiled import compiled
from workflows.settings import Settings

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]+")


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """The pipelines, and the profiles that each has."""
    rows = [
        (name, ", ".join(catalog.profile_names(name)), text) for name, text in catalog.descriptions().items()
    ]
    if as_json:
        print_json(
            [{"name": name, "profiles": profiles, "description": text} for name, profiles, text in rows]
        )
    else:
        print_table(rows, head=("PIPELINE", "PROFILES", "WHAT IT DOES"))


@click.command("definition")
@click.argument("name")
@set_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
def definition_command(name: str, assignments: tuple[str, ...], output: Path | None) -> None:
    """A pipeline's compiled definition as JSON, the same bytes every time; no network is used.

    NAME is a pipeline of `workflows list`. With --set, a parameter's default in the definition is changed.
    """
    text = _with_defaults(definition_text(name, settings()), parse_assignments(assignments))
    if output is None:
        click.echo(text, nl=False)
        return
    write_file(output, text)
    click.echo(str(output))


def named_definition(name: str, chosen: Settings) -> tuple[str, str]:
    """Name and definition of a pipeline of this project, or of what is in a file.

    Raises:
        WorkflowError: it is neither, or the file is not text.
    """
    if name in catalog.names():
        return name, definition_text(name, chosen)
    file = Path(name)
    if not file.is_file():
        known = ", ".join(catalog.names())
        raise WorkflowError(f"'{name}' is neither a pipeline ({known}) nor a file with a definition")
    try:
        return pipeline_name(file), file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WorkflowError(f"{file}: not UTF-8 text: {error}") from None


def pipeline_name(file: Path) -> str:
    """The name of the pipeline in a file: the file's own, with what the service takes in a name."""
    return _NOT_IN_A_NAME.sub("-", file.stem).strip("-") or "pipeline"


def definition_text(name: str, chosen: Settings) -> str:
    """The definition of one of this project's pipelines."""
    return _compiled(name, chosen).text


def source_lines(name: str, chosen: Settings) -> Mapping[str, SourceLine]:
    """Step -> the line of code that makes it; of a definition in a file nothing is known."""
    return _compiled(name, chosen).lines if name in catalog.names() else {}


def _compiled(name: str, chosen: Settings) -> Compiled:
    return compiled(
        name,
        region=chosen["region"],
        role=chosen.job_role,
        default_bucket=chosen["bucket"],
        folder=chosen.home / "compiled",
    )


def _with_defaults(text: str, given: dict[str, str]) -> str:
    if not given:
        return text
    values = bind(load(text), given)
    document: dict[str, JSON] = json.loads(text)
    parameters = document["Parameters"]
    for parameter in parameters if isinstance(parameters, list) else []:
        if isinstance(parameter, dict) and parameter["Name"] in given:
            parameter["DefaultValue"] = values[str(parameter["Name"])]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
