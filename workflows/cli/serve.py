"""`workflows serve`."""

import ipaddress

import click

from workflows.cli.common import image_table, open_store, say, settings, stand_in_environment
from workflows.definition.errors import WorkflowError
from workflows.local.hosting import Hosts
from workflows.local.records import ENDPOINT


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
def serve_command(host: str, port: int) -> None:
    """Answer for this machine's endpoints at SageMaker's own route, until it is interrupted.

    boto3.client("sagemaker-runtime", endpoint_url="http://127.0.0.1:8080").invoke_endpoint(...)
    """
    from workflows.server.app import make_app
    from workflows.server.listen import listen

    chosen = settings()
    store = open_store(chosen)
    if not _is_loopback(host):
        say(f"WARNING {host} is not a loopback address: anybody who reaches it can ask these endpoints")
    names = [str(entry["EndpointName"]) for entry in store.all(ENDPOINT)]
    if not names:
        raise WorkflowError(
            "there is no endpoint yet; `workflows run birds-detection --profile sample` makes one"
        )
    with Hosts(store, images=image_table(chosen), environment=stand_in_environment(chosen)) as hosts:
        listen(
            make_app(hosts, store, region=chosen["region"], account=chosen.account),
            host=host,
            port=port,
            ready=lambda url: click.echo(f"serving {', '.join(names)} at {url}"),
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
