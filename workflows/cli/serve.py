"""`workflows serve`."""

import ipaddress
import logging
import sys

import click

from workflows.cli.common import open_store, say, settings
from workflows.cli.place import engine_of, serving_environment
from workflows.definition.errors import WorkflowError


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option(
    "--token",
    envvar="WORKFLOWS_SERVER_TOKEN",
    help="Access key id that clients must sign with; needed beyond loopback.",
)
@click.option(
    "--resume/--mark",
    default=True,
    show_default=True,
    help="What becomes of executions whose process has died: they go on, or are marked as stopped.",
)
@click.option(
    "--throttle",
    "throttled",
    multiple=True,
    metavar="OPERATION[=TIMES]",
    help="Answer the next calls of an operation, one if no number is given, by ThrottlingException.",
)
def serve_command(host: str, port: int, token: str | None, resume: bool, throttled: tuple[str, ...]) -> None:
    """Speak SageMaker's API, S3, CloudWatch Logs, STS and EventBridge, until it is interrupted.

    AWS's own clients work unchanged after: export AWS_ENDPOINT_URL=http://127.0.0.1:8080 (with any access key
    and secret). Each request is logged as a line of JSON.
    """
    from workflows.server.app import JSON_SERVICES, running
    from workflows.server.listen import listening, serve
    from workflows.server.throttle import parse_throttle

    if not _is_loopback(host) and not token:
        raise WorkflowError(
            f"--host {host} is not a loopback address: give a --token that clients must sign with"
        )
    known = [operation for operations in JSON_SERVICES.values() for operation in operations]
    throttle = parse_throttle(throttled, known=known)
    chosen = settings()
    _log_to_stderr()
    with listening(host, port) as address:
        own = serving_environment(address.url, token)
        engine = engine_of(chosen, open_store(chosen), function_environment=own)
        with running(engine, resume=resume, token=token, host=host, throttle=throttle) as app:
            _tell(address.url)
            serve(app, address)


def _tell(url: str) -> None:
    say(f"TIP   {url}/ shows it in a browser")
    say(f"TIP   export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local")
    click.echo(f"serving this machine as AWS at {url}")
    sys.stdout.flush()


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    log = logging.getLogger("workflows.server")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
