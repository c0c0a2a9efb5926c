"""`workflows endpoints`."""

import click

from workflows.aws import endpoints
from workflows.cli.common import json_option, print_json, print_table
from workflows.cli.place import connect, on_option


@click.group("endpoints")
def endpoints_command() -> None:
    """List or delete endpoints."""


@endpoints_command.command("list")
@on_option
@json_option
def list_endpoints(on: str | None, as_json: bool) -> None:
    """Every endpoint."""
    with connect(on) as place:
        found = list(endpoints.listed(place.clients))
    if as_json:
        print_json(found)
        return
    keys = ("EndpointName", "EndpointStatus", "EndpointConfigName", "LastModifiedTime")
    rows = [tuple(str(entry.get(key, "")) for key in keys) for entry in found]
    print_table(rows, head=("ENDPOINT", "STATUS", "CONFIGURATION", "CHANGED"))


@endpoints_command.command("delete")
@click.argument("name")
@on_option
@json_option
def delete_endpoint(name: str, on: str | None, as_json: bool) -> None:
    """Delete an endpoint; its model and the registered version stay."""
    with connect(on) as place:
        endpoints.delete(place.clients, name)
    if as_json:
        print_json({"EndpointName": name, "deleted": True})
    else:
        click.echo(f"deleted endpoint {name}")
