"""`workflows serve`."""

import ipaddress
import logging
import sys

import click

from workflows.cli.common import open_store, say, settings
from workflows.cli.run import engine_of
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
def serve_command(host: str, port: int, token: str | None, resume: bool) -> None:
    """Speak SageMaker's API, S3, CloudWatch Logs, STS and EventBridge, until it is interrupted.

    AWS's own clients work unchanged after: export AWS_ENDPOINT_URL=http://127.0.0.1:8080 (with any access key
    and secret). Each request is logged as a line of JSON.
    """
    from workflows.server.app import running
    from workflows.server.listen import listen

    if not _is_loopback(host) and not token:
        raise WorkflowError(
            f"--host {host} is not a loopback address: give a --token that clients must sign with"
        )
    chosen = settings()
    _log_to_stderr()
    with running(engine_of(chosen, open_store(chosen)), resume=resume, token=token, host=host) as app:
        listen(app, host=host, port=port, ready=_tell)


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
