"""`workflows start`, `watch` and `retry`: executions on AWS, and on this machine through the same calls."""

import hashlib
import secrets
import sys
import time
from typing import NoReturn

import click

from workflows.aws import executions
from workflows.aws import pipelines as cloud
from workflows.aws.executions import Selection, Start
from workflows.aws.watching import StillGoing, Watch
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import (
    DONE,
    FAILED,
    json_option,
    parse_assignments,
    print_json,
    say,
    set_option,
)
from workflows.cli.conducting import conduct, ended_by_signals, follow
from workflows.cli.failures import can_be_retried, tell_failures
from workflows.cli.place import Connection, connect, on_option
from workflows.cli.progress import Progress
from workflows.cli.resuming import resume
from workflows.cli.summary import print_summary, step_types, summary
from workflows.definition.loader import load
from workflows.definition.parameters import bind
from workflows.definition.records import last_part
from workflows.pipelines import catalog

_PARALLEL_LIMIT = 50
_TOKEN_LENGTH = 32


@click.command("start")
@click.argument("pipeline")
@set_option
@click.option("--profile", help="Parameter values that belong together, such as: sample.")
@click.option("--pipeline-version", type=int, help="Of the pipeline, if not the latest.")
@click.option("--steps", help="Run only these steps (NAME,NAME…); the others' results are reused.")
@click.option("--from", "source", metavar="EXECUTION", help="With --steps: whose results are reused.")
@click.option("--max-parallel", type=click.IntRange(1, _PARALLEL_LIMIT), help="How many steps work at once.")
@click.option(
    "--token",
    metavar="TEXT",
    help="Start at most one execution for this text, however often it is tried: such as a build's id.",
)
@click.option("--wait", is_flag=True, help="Watch it to its end. On this machine it is always waited for.")
@on_option
@json_option
def start_command(
    pipeline: str,
    assignments: tuple[str, ...],
    profile: str | None,
    pipeline_version: int | None,
    steps: str | None,
    source: str | None,
    max_parallel: int | None,
    token: str | None,
    wait: bool,
    on: str | None,
    as_json: bool,
) -> None:
    """Start an execution of a pipeline that was upserted; prints its ARN."""
    since = time.monotonic()
    given = {**(catalog.profile(profile, pipeline) if profile else {}), **parse_assignments(assignments)}
    with connect(on) as place:
        record = cloud.get(place.clients, pipeline, version=pipeline_version)
        # Refused here, not after the service has taken it.
        text = str(record["PipelineDefinition"])
        preflight_or_refuse(text, given, place.settings, is_local=place.is_near)
        bind(load(text, source=pipeline, from_s3=True), given)
        start = Start(
            parameters=given,
            version=pipeline_version,
            max_parallel=max_parallel,
            selection=selected(place, pipeline, steps, source),
        )
        arn = executions.start(place.clients, pipeline, start, token=_request_token(pipeline, token))
        if place.is_local:
            with ended_by_signals():
                conduct(place, follow(place, arn, verbose=False), as_json=as_json, since=since)
        _go_on(place, arn, wait=wait, as_json=as_json)


@click.command("retry")
@click.argument("execution", default="latest")
@click.option("--max-parallel", type=click.IntRange(1, _PARALLEL_LIMIT), help="How many steps work at once.")
@click.option("--wait", is_flag=True, help="Watch it to its end. On this machine it is always waited for.")
@on_option
@json_option
def retry_command(
    execution: str, max_parallel: int | None, wait: bool, on: str | None, as_json: bool
) -> None:
    """Let an execution that failed or was stopped go on; steps that have succeeded do not run again.

    EXECUTION is an id, an ARN or `latest`.
    """
    since = time.monotonic()
    with connect(on) as place:
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        if place.is_local:
            # The work is done by this very process.
            with ended_by_signals():
                resume(place, arn, max_parallel=max_parallel, verbose=False, as_json=as_json, since=since)
        executions.retry(place.clients, arn, token=secrets.token_hex(16), max_parallel=max_parallel)
        _go_on(place, arn, wait=wait, as_json=as_json)


@click.command("watch")
@click.argument("execution", default="latest")
@click.option("--limit", type=click.FloatRange(min=1), metavar="SECONDS", help="How long to watch, at most.")
@click.option("--logs", "follow", is_flag=True, help="Show what the jobs write, too.")
@on_option
@json_option
def watch_command(execution: str, limit: float | None, follow: bool, on: str | None, as_json: bool) -> None:
    """Follow an execution to its end; exits with 1 if it does not succeed.

    EXECUTION is an id, an ARN or `latest`.
    """
    with connect(on) as place:
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        follow_to_the_end(place, arn, limit_s=limit, follow_logs=follow, as_json=as_json)


def follow_to_the_end(
    place: Connection, arn: str, *, limit_s: float | None, follow_logs: bool, as_json: bool
) -> NoReturn:
    """Tell how an execution goes that another process runs, and end with its exit code.

    Raises:
        StillGoing: the time is over.
    """
    watch = Watch(
        clients=place.clients,
        arn=arn,
        step_types=step_types(place, arn),
        listener=Progress(verbose=follow_logs),
        pace=place.pace,
        follow_logs=follow_logs,
        limit_s=limit_s,
    )
    try:
        record = watch.to_the_end()
    except StillGoing as still:
        raise StillGoing(f"{still}: workflows watch {last_part(arn)}{place.clients.flag}") from None
    succeeded = record["PipelineExecutionStatus"] == executions.SUCCEEDED
    document = summary(place, record, draw=False)
    if not succeeded:
        tell_failures(place.clients, arn, record)
        if can_be_retried(place.clients, arn, watch.step_types):
            say(f"TIP   go on from there: workflows retry {last_part(arn)}{place.clients.flag}")
    if as_json:
        print_json(document)
    else:
        print_summary(document)
    sys.exit(DONE if succeeded else FAILED)


def selected(place: Connection, pipeline: str, steps: str | None, source: str | None) -> Selection | None:
    """What --steps and --from choose; results come from the pipeline's latest execution if not said.

    Raises:
        WorkflowError: they do not go together, or there is no such execution.
    """
    if steps is None:
        if source is not None:
            raise click.UsageError("--from goes with --steps; to continue an execution use `workflows retry`")
        return None
    names = tuple(name.strip() for name in steps.split(","))
    record = executions.find(place.clients, source or "latest", pipeline=pipeline)
    return Selection(steps=names, source_arn=str(record["PipelineExecutionArn"]))


def _go_on(place: Connection, arn: str, *, wait: bool, as_json: bool) -> None:
    if wait:
        say(f"* execution {arn}")
        follow_to_the_end(place, arn, limit_s=None, follow_logs=False, as_json=as_json)
    if as_json:
        print_json({"PipelineExecutionArn": arn})
    else:
        click.echo(arn)


def _request_token(pipeline: str, text: str | None) -> str:
    """ClientRequestToken has 32 to 128 characters."""
    if text is None:
        return secrets.token_hex(_TOKEN_LENGTH // 2)
    return hashlib.sha256(f"{pipeline}\0{text}".encode()).hexdigest()
