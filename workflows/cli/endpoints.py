"""`workflows endpoints`."""

import click

from workflows.cli.common import json_option, open_store, print_json, print_table
from workflows.local.deployments import find_endpoint
from workflows.local.records import ENDPOINT


@click.group("endpoints")
def endpoints_command() -> None:
    """List or delete endpoints."""


@endpoints_command.command("list")
@json_option
def list_endpoints(as_json: bool) -> None:
    """Every endpoint of this machine."""
    records = open_store().all(ENDPOINT)
    if as_json:
        print_json(records)
        return
    keys = ("EndpointName", "EndpointStatus", "EndpointConfigName", "LastModifiedTime")
    rows = [tuple(str(entry[key]) for key in keys) for entry in records]
    print_table(rows, head=("ENDPOINT", "STATUS", "CONFIGURATION", "CHANGED"))


@endpoints_command.command("delete")
@click.argument("name")
def delete_endpoint(name: str) -> None:
    """Delete an endpoint; its model and the registered version stay."""
    store = open_store()
    find_endpoint(store, name)
    store.delete(ENDPOINT, name)
    click.echo(f"deleted endpoint {name}")
