"""`workflows run`."""

import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from workflows.cli.common import (
    DONE,
    FAILED,
    image_table,
    json_option,
    open_store,
    parse_assignments,
    print_json,
    say,
    set_option,
    settings,
    stand_in_environment,
)
from workflows.cli.data import draw_sample
from workflows.cli.definition import compiled
from workflows.cli.progress import Progress
from workflows.cli.summary import print_summary, summary
from workflows.definition.errors import WorkflowError
from workflows.definition.loader import load
from workflows.definition.model import Definition
from workflows.definition.parameters import bind
from workflows.local.executor import Execution, Place
from workflows.local.functions import handlers
from workflows.local.planner import plan
from workflows.local.runners.table import RUNNERS
from workflows.local.store import Store
from workflows.pipelines import catalog
from workflows.settings import Settings

_DATA_PARAMETER = "InputDataUrl"


@click.command("run")
@click.argument("name", metavar="NAME_OR_JSON")
@click.option("--profile", help="Parameter values that belong together, such as: sample.")
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help=f"Folder or archive with the pictures; becomes {_DATA_PARAMETER}.",
)
@set_option
@click.option("--verbose", "-v", is_flag=True, help="Show every line of the jobs' logs.")
@json_option
def run_command(
    name: str,
    profile: str | None,
    data: Path | None,
    assignments: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Run a pipeline on this machine, out of the same definition that SageMaker gets.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition.
    """
    chosen = settings()
    store = open_store(chosen)
    pipeline, definition = _load(name, chosen)
    given = {**_profile_values(profile, pipeline), **parse_assignments(assignments)}
    bind(definition, given)  # before anything is drawn or copied
    if data is None and profile is not None and _DATA_PARAMETER not in given:
        data = _draw_sample(pipeline, chosen)
    if data is not None:
        given[_DATA_PARAMETER] = _bring(data, pipeline, definition, store, chosen)
    images = image_table(chosen)
    functions = handlers(chosen.functions)
    planned = plan(
        definition, bind(definition, given), images=images, functions=functions, step_types=frozenset(RUNNERS)
    )
    started = time.monotonic()
    with _api(definition, store) as function_environment:
        execution = Execution(
            planned,
            pipeline_name=pipeline,
            store=store,
            runners=RUNNERS,
            place=Place(
                region=chosen["region"],
                account=chosen.account,
                images=images,
                environment=stand_in_environment(chosen),
                functions=functions,
                function_environment=function_environment,
            ),
            listener=Progress(verbose=verbose),
        )
        say(f"* execution {execution.id} of {pipeline}: {len(planned.order)} steps, state in {store.home}")
        record = execution.run()
    succeeded = record["PipelineExecutionStatus"] == "Succeeded"
    document = summary(store, execution.id, images=images, draw=succeeded)
    if as_json:
        print_json(document)
    else:
        print_summary(document, seconds=time.monotonic() - started)
    if not succeeded:
        say(f"ERROR {record.get('FailureReason')}")
    sys.exit(DONE if succeeded else FAILED)


@contextmanager
def _api(definition: Definition, store: Store) -> Iterator[dict[str, str]]:
    """What leads the AWS calls of Lambda functions to this machine; nothing where there are none."""
    if not any(step.type == "Lambda" for step in definition.steps.values()):
        yield {}
        return
    from workflows.server.api import api_app
    from workflows.server.listen import beside

    with beside(api_app(store)) as url:
        # SDKs sign every request; nobody checks these.
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def _load(name: str, chosen: Settings) -> tuple[str, Definition]:
    """Pipeline name and definition, from a name in the catalogue or a file."""
    if name in catalog.names():
        return name, load(compiled(name, chosen), source=name)
    file = Path(name)
    if not file.is_file():
        known = ", ".join(catalog.names())
        raise WorkflowError(f"'{name}' is neither a pipeline ({known}) nor a file with a definition")
    try:
        return file.stem, load(file.read_text(encoding="utf-8"), source=name)
    except UnicodeDecodeError as error:
        raise WorkflowError(f"{file}: not UTF-8 text: {error}") from None


def _profile_values(profile: str | None, pipeline: str) -> dict[str, str]:
    if profile is None:
        return {}
    overrides = catalog.overrides(profile, pipeline)
    say(f"* profile '{profile}' is not the pipeline's own recipe; it sets")
    for parameter, override in overrides.items():
        say(f"    {parameter} = {override.value}  ({override.reason})")
    return {parameter: override.value for parameter, override in overrides.items()}


def _draw_sample(pipeline: str, chosen: Settings) -> Path:
    """The drawn data of a pipeline; it is kept and drawn once."""
    sample = catalog.sample_of(pipeline)
    folder = chosen.home / "samples" / sample
    if not folder.exists():
        say(f"* drawing the sample data set '{sample}' (no photographs)")
        draw_sample(sample, folder)
    return folder


def _bring(data: Path, pipeline: str, definition: Definition, store: Store, chosen: Settings) -> str:
    """Copy the user's data to where its S3 URI leads; returns the URI."""
    if _DATA_PARAMETER not in definition.parameters:
        raise WorkflowError(f"--data: the definition has no parameter {_DATA_PARAMETER} to carry it")
    place = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    uri = f"s3://{chosen['bucket']}/{pipeline}/input/{place}"
    changed = store.objects.sync(data, uri)
    say(f"* {data} -> {uri} ({changed} files new or changed)")
    return uri
