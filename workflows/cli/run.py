"""`workflows run`: a pipeline on this machine, from its definition to its summary."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import click

from workflows.aws import executions, objects
from workflows.aws import pipelines as cloud
from workflows.aws.executions import Start
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import json_option, parse_assignments, say, set_option, settings
from workflows.cli.conducting import conduct, ended_by_signals, follow
from workflows.cli.data import draw_sample
from workflows.cli.definition import named_definition, pipeline_name
from workflows.cli.place import LOCAL, Connection, connect
from workflows.cli.starting import selected
from workflows.definition.errors import WorkflowError
from workflows.definition.loader import load
from workflows.definition.parameters import bind
from workflows.local.executor import Options
from workflows.local.faults import parse_faults
from workflows.pipelines import catalog
from workflows.settings import Settings

_DATA_PARAMETER = "InputDataUrl"
_PARALLEL_LIMIT = 50
_TOLD_EVERY = 1000


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What is to run."""

    pipeline: str
    text: str  # the definition
    from_s3: bool
    version: int | None  # None: the definition becomes the latest


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
    started = time.monotonic()
    chosen = _choose(name, pipeline_version, settings())
    given = {**_profile_values(profile, chosen.pipeline), **parse_assignments(assignments)}
    preflight_or_refuse(chosen.text, given, settings(), is_local=True)  # before anything is drawn or copied
    definition = load(chosen.text, source=name, from_s3=chosen.from_s3)
    bind(definition, given)
    options = Options(faults=parse_faults(faults, steps=definition.steps), use_cache=not no_cache)
    if data is not None and _DATA_PARAMETER not in definition.parameters:
        raise WorkflowError(f"--data: the definition has no parameter {_DATA_PARAMETER} to carry it")
    if data is None and profile is not None and _DATA_PARAMETER not in given:
        data = _draw_sample(chosen.pipeline, settings())
    with connect(LOCAL, options=options) as place, ended_by_signals():
        selection = selected(place, chosen.pipeline, steps, source)
        if data is not None:
            given[_DATA_PARAMETER] = _bring(place, data, chosen.pipeline)
        if chosen.version is None:
            wanted = cloud.Wanted(
                name=chosen.pipeline, definition=definition.text, role=place.settings["role"]
            )
            cloud.upsert(place.clients, wanted)
        start = Start(
            parameters=given, version=chosen.version, max_parallel=max_parallel, selection=selection
        )
        arn = executions.start(place.clients, chosen.pipeline, start, token=secrets.token_hex(16))
        conduct(place, follow(place, arn, verbose=verbose), as_json=as_json, since=started)


def _choose(name: str, version: int | None, chosen: Settings) -> _Chosen:
    """From the catalogue, a file, or the versions that are here."""
    if version is None:
        pipeline, text = named_definition(name, chosen)
        return _Chosen(pipeline=pipeline, text=text, from_s3=False, version=None)
    pipeline = name if name in catalog.names() else pipeline_name(Path(name))
    with connect(LOCAL) as place:
        record = cloud.get(place.clients, pipeline, version=version)
    text = str(record["PipelineDefinition"])
    return _Chosen(pipeline=pipeline, text=text, from_s3=True, version=version)


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


def _bring(place: Connection, data: Path, pipeline: str) -> str:
    """Copy the user's data to where its S3 URI leads; returns the URI.

    Data that has changed gets another URI: step caching compares URIs, never what is behind them.
    """
    bucket = place.settings["bucket"]
    uri = f"s3://{bucket}/{pipeline}/input/{_fingerprint(data)}"
    objects.ensure_bucket(place.clients, bucket)
    sent = objects.upload(place.clients, data, uri, report=_tell_sent)
    say(f"* {data} -> {uri} ({sent} files new or changed)")
    return uri


def _tell_sent(count: int, total: int) -> None:
    if total >= _TOLD_EVERY and count % _TOLD_EVERY == 0:
        say(f"* {count} of {total} files sent")


def _fingerprint(data: Path) -> str:
    """12 hexadecimal digits of where the data is, and of the names, sizes and times of its files."""
    digest = hashlib.sha256(str(data.resolve()).encode())
    for name, file in objects.files(data):
        stat = file.stat()
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:12]
