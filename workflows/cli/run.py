"""`workflows run`, `resume`, `retry` and `stop`."""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from workflows.cli.common import (
    DONE,
    FAILED,
    find_execution,
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
from workflows.cli.definition import definition_text
from workflows.cli.progress import Progress
from workflows.cli.summary import print_summary, summary
from workflows.definition.errors import WorkflowError
from workflows.definition.loader import load
from workflows.definition.model import Definition
from workflows.definition.parameters import bind
from workflows.local import pipelines
from workflows.local.engine import Engine
from workflows.local.executor import Execution, Options, Place
from workflows.local.faults import parse_faults
from workflows.local.functions import handlers
from workflows.local.records import EXECUTION
from workflows.local.selection import Selection
from workflows.local.store import Store
from workflows.pipelines import catalog
from workflows.settings import Settings

_DATA_PARAMETER = "InputDataUrl"
_PARALLEL_LIMIT = 50


@click.command("run")
@click.argument("name", metavar="NAME_OR_JSON")
@click.option("--profile", help="Parameter values that belong together, such as: sample.")
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help=f"Folder or archive with the pictures; becomes {_DATA_PARAMETER}.",
)
@set_option
@click.option("--pipeline-version", type=int, help="Run this version of the pipeline, not the code's.")
@click.option("--steps", help="Run only these steps (NAME,NAME…); the others' results are reused.")
@click.option(
    "--from",
    "source",
    metavar="EXECUTION",
    help="With --steps: whose results are reused; the pipeline's latest if not given.",
)
@click.option("--max-parallel", type=click.IntRange(1, _PARALLEL_LIMIT), help="How many steps work at once.")
@click.option("--no-cache", is_flag=True, help="Run every step, also one that the step cache could answer.")
@click.option(
    "--inject",
    "faults",
    metavar="STEP=FAULT[:TIMES]",
    multiple=True,
    help="Rehearse a fault: capacity-error, resource-limit, throttling, service-fault, internal-error, "
    "spot-interruption, kill, timeout or exit-N; repeatable.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show every line of the jobs' logs.")
@json_option
def run_command(
    name: str,
    profile: str | None,
    data: Path | None,
    assignments: tuple[str, ...],
    pipeline_version: int | None,
    steps: str | None,
    source: str | None,
    max_parallel: int | None,
    no_cache: bool,
    faults: tuple[str, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Run a pipeline on this machine, out of the same definition that SageMaker gets.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition.
    """
    chosen = settings()
    store = open_store(chosen)
    pipeline, definition = _load(name, pipeline_version, store, chosen)
    options = Options(
        max_parallel=max_parallel,
        faults=parse_faults(faults, steps=definition.steps),
        use_cache=not no_cache,
    )
    selection = _selection(steps, source, pipeline, store)
    given = {**_profile_values(profile, pipeline), **parse_assignments(assignments)}
    bind(definition, given)  # before anything is drawn or copied
    if data is None and profile is not None and _DATA_PARAMETER not in given:
        data = _draw_sample(pipeline, chosen)
    if data is not None:
        given[_DATA_PARAMETER] = _bring(data, pipeline, definition, store, chosen)

    def begin(engine: Engine, listener: Progress) -> Execution:
        return engine.start(
            pipeline, definition, given, listener=listener, options=options, selection=selection
        )

    _conduct(begin, definition, store, chosen, verbose=verbose, as_json=as_json)


@click.command("resume")
@click.argument("execution", default="latest")
@click.option("--max-parallel", type=click.IntRange(1, _PARALLEL_LIMIT), help="How many steps work at once.")
@click.option("--verbose", "-v", is_flag=True, help="Show every line of the jobs' logs.")
@json_option
def resume_command(execution: str, max_parallel: int | None, verbose: bool, as_json: bool) -> None:
    """Go on with an execution whose engine died, that was stopped or that has failed.

    EXECUTION is an id, an ARN or `latest`. Steps that have succeeded are not run again; the definition and
    the parameters are those of its start.
    """
    chosen = settings()
    store = open_store(chosen)
    execution_id, record = find_execution(store, execution)
    version = record["PipelineVersionId"]
    pipeline = str(record["PipelineArn"]).rpartition("/")[2]
    definition = pipelines.definition_of(store, pipeline, version if isinstance(version, int) else 1)

    def begin(engine: Engine, listener: Progress) -> Execution:
        return engine.resume(execution_id, listener=listener, options=Options(max_parallel=max_parallel))

    _conduct(begin, definition, store, chosen, verbose=verbose, as_json=as_json)


@click.command("stop")
@click.argument("execution", default="latest")
@json_option
def stop_command(execution: str, as_json: bool) -> None:
    """End a running execution: its jobs get the time to end that SageMaker gives them.

    EXECUTION is an id, an ARN or `latest`.
    """
    chosen = settings()
    store = open_store(chosen)
    execution_id, record = find_execution(store, execution)
    status = engine_of(chosen, store).stop(execution_id)
    if as_json:
        print_json(
            {"PipelineExecutionArn": record["PipelineExecutionArn"], "PipelineExecutionStatus": status}
        )
    else:
        click.echo(f"{execution_id} {status}")


def _conduct(
    begin: Callable[[Engine, Progress], Execution],
    definition: Definition,
    store: Store,
    chosen: Settings,
    *,
    verbose: bool,
    as_json: bool,
) -> None:
    """Run an execution in this process, tell how it goes and end with its exit code."""
    started = time.monotonic()
    with _api(definition, engine_of(chosen, store)) as function_environment, _ended_by_signals():
        engine = engine_of(chosen, store, function_environment)
        execution = begin(engine, Progress(verbose=verbose))
        say(f"* execution {execution.id} of {execution.identity.pipeline}: state in {store.home}")
        record = execution.run()
    succeeded = record["PipelineExecutionStatus"] == "Succeeded"
    document = summary(store, execution.id, images=engine.place.images, draw=succeeded)
    if as_json:
        print_json(document)
    else:
        print_summary(document, seconds=time.monotonic() - started)
    if not succeeded:
        say(f"ERROR {record.get('FailureReason') or record['PipelineExecutionStatus']}")
        say(f"TIP   go on from there: workflows resume {execution.id}")
    sys.exit(DONE if succeeded else FAILED)


def engine_of(
    chosen: Settings, store: Store, function_environment: Mapping[str, str] | None = None
) -> Engine:
    """The engine of this machine, as the settings describe it; functions may have a place to call."""
    place = Place(
        region=chosen["region"],
        account=chosen.account,
        images=image_table(chosen),
        environment=stand_in_environment(chosen),
        functions=handlers(chosen.functions),
        function_environment=function_environment or {},
    )
    return Engine(store=store, place=place)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a closed terminal or a `kill` end an execution as Ctrl-C does: jobs ended, state recorded."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is Python's
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup ignores SIGHUP on purpose
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _api(definition: Definition, engine: Engine) -> Iterator[dict[str, str]]:
    """What leads the AWS calls of Lambda functions to this machine; nothing where there are none."""
    if not any(step.type == "Lambda" for step in definition.steps.values()):
        yield {}
        return
    from workflows.server.app import answering
    from workflows.server.listen import beside

    with answering(engine) as app, beside(app) as url:
        # SDKs sign every request; nobody checks these.
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def _load(name: str, version: int | None, store: Store, chosen: Settings) -> tuple[str, Definition]:
    """Pipeline name and definition: from the catalogue, a file, or the versions that have run here."""
    if version is not None:
        pipeline = Path(name).stem
        return pipeline, pipelines.definition_of(store, pipeline, version)
    if name in catalog.names():
        return name, load(definition_text(name, chosen), source=name)
    file = Path(name)
    if not file.is_file():
        known = ", ".join(catalog.names())
        raise WorkflowError(f"'{name}' is neither a pipeline ({known}) nor a file with a definition")
    try:
        return file.stem, load(file.read_text(encoding="utf-8"), source=name)
    except UnicodeDecodeError as error:
        raise WorkflowError(f"{file}: not UTF-8 text: {error}") from None


def _selection(steps: str | None, source: str | None, pipeline: str, store: Store) -> Selection | None:
    if steps is None:
        if source is not None:
            raise WorkflowError("--from goes with --steps; to continue an execution use `workflows resume`")
        return None
    if source is not None:
        record = find_execution(store, source)[1]
    else:
        records = store.all(EXECUTION, parent=pipeline)
        if not records:
            raise WorkflowError(f"--steps: no execution of {pipeline} is here to take the other results from")
        record = records[-1]
    names = tuple(name.strip() for name in steps.split(","))
    return Selection(steps=names, source_arn=str(record["PipelineExecutionArn"]))


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
    """Copy the user's data to where its S3 URI leads; returns the URI.

    Data that has changed gets another URI: step caching compares URIs, never what is behind them.
    """
    if _DATA_PARAMETER not in definition.parameters:
        raise WorkflowError(f"--data: the definition has no parameter {_DATA_PARAMETER} to carry it")
    uri = f"s3://{chosen['bucket']}/{pipeline}/input/{_fingerprint(data)}"
    changed = store.objects.sync(data, uri)
    say(f"* {data} -> {uri} ({changed} files new or changed)")
    return uri


def _fingerprint(data: Path) -> str:
    """12 hexadecimal digits of where the data is, and of the names, sizes and times of its files."""
    digest = hashlib.sha256(str(data.resolve()).encode())
    files = (
        [data]
        if data.is_file()
        else sorted(Path(base, name) for base, _, names in os.walk(data) for name in names)
    )
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(data)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:12]
