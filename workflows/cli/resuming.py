"""`workflows resume` and `workflows stop`."""

import secrets
import time
from typing import NoReturn

import click

from workflows.aws import executions
from workflows.cli.common import json_option, print_json
from workflows.cli.conducting import conduct, ended_by_signals, follow
from workflows.cli.place import LOCAL, Connection, connect, on_option

_PARALLEL_LIMIT = 50


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
    started = time.monotonic()
    with connect(LOCAL) as place, ended_by_signals():
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        resume(place, arn, max_parallel=max_parallel, verbose=verbose, as_json=as_json, since=started)


def resume(
    place: Connection, arn: str, *, max_parallel: int | None, verbose: bool, as_json: bool, since: float
) -> NoReturn:
    """Let an execution go on in this process, and conduct it to its end."""
    watch = follow(place, arn, verbose=verbose)
    # A step that goes on here writes to the log that it has begun.
    watch.skip_what_was()
    executions.retry(place.clients, arn, token=secrets.token_hex(16), max_parallel=max_parallel)
    conduct(place, watch, as_json=as_json, since=since)


@click.command("stop")
@click.argument("execution", default="latest")
@on_option
@json_option
def stop_command(execution: str, on: str | None, as_json: bool) -> None:
    """End a running execution: its jobs get the time to end that SageMaker gives them.

    EXECUTION is an id, an ARN or `latest`.
    """
    with connect(on) as place:
        record = executions.find(place.clients, execution)
        arn = str(record["PipelineExecutionArn"])
        executions.stop(place.clients, arn, token=secrets.token_hex(16))
        status = executions.describe(place.clients, arn)["PipelineExecutionStatus"]
    if as_json:
        print_json({"PipelineExecutionArn": arn, "PipelineExecutionStatus": status})
    else:
        click.echo(f"{record['PipelineExecutionArn']} {status}")
