"""`workflows models`: the versions in the registry."""

import click

from workflows.aws import registry
from workflows.cli.common import json_option, print_json, print_table
from workflows.cli.place import connect, on_option
from workflows.definition.records import Record, package_name


@click.group("models")
def models_command() -> None:
    """List, show, approve or reject model versions."""


@models_command.command("list")
@click.argument("group", required=False)
@on_option
@json_option
def list_models(group: str | None, on: str | None, as_json: bool) -> None:
    """Every version, oldest first; with GROUP only its own."""
    with connect(on) as place:
        found = list(registry.versions(place.clients, group))
    if as_json:
        print_json(found)
        return
    rows = [
        (_name(entry), str(entry["ModelApprovalStatus"]), str(entry["CreationTime"]), _figures(entry))
        for entry in found
    ]
    print_table(rows, head=("MODEL", "APPROVAL", "REGISTERED", "METRICS"))


@models_command.command("show")
@click.argument("model")
@on_option
@json_option
def show_model(model: str, on: str | None, as_json: bool) -> None:
    """One version: MODEL is GROUP/VERSION or an ARN."""
    with connect(on) as place:
        record = registry.find(place.clients, model)
    if as_json:
        print_json(record)
        return
    click.echo(f"model       {_name(record)}")
    status = record.get("ModelApprovalStatus", "")  # none where it is of no group
    click.echo(f"approval    {status} {record.get('ApprovalDescription', '')}".rstrip())
    click.echo(f"registered  {record['CreationTime']}")
    properties = record.get("CustomerMetadataProperties")
    for key, value in properties.items() if isinstance(properties, dict) else ():
        click.echo(f"{key}  {value}")


@models_command.command("approve")
@click.argument("model")
@click.option("--reason", help="Kept with the version as its ApprovalDescription.")
@on_option
@json_option
def approve_model(model: str, reason: str | None, on: str | None, as_json: bool) -> None:
    """Set a version's approval status to Approved."""
    _set_status(model, registry.APPROVED, reason, on, as_json=as_json)


@models_command.command("reject")
@click.argument("model")
@click.option("--reason", help="Kept with the version as its ApprovalDescription.")
@on_option
@json_option
def reject_model(model: str, reason: str | None, on: str | None, as_json: bool) -> None:
    """Set a version's approval status to Rejected."""
    _set_status(model, registry.REJECTED, reason, on, as_json=as_json)


def _set_status(model: str, status: str, reason: str | None, on: str | None, *, as_json: bool) -> None:
    with connect(on) as place:
        record = registry.find(place.clients, model)
        registry.set_status(place.clients, str(record["ModelPackageArn"]), status, reason=reason)
    if as_json:
        print_json({"ModelPackageArn": record["ModelPackageArn"], "ModelApprovalStatus": status})
    else:
        click.echo(f"{_name(record)} {status}")


def _name(record: Record) -> str:
    return package_name(record["ModelPackageArn"])


def _figures(record: Record) -> str:
    properties = record.get("CustomerMetadataProperties")
    items = properties.items() if isinstance(properties, dict) else ()
    return ", ".join(f"{key} {value}" for key, value in items if key.endswith(("MAP", "Accuracy")))
