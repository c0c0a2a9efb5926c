"""`workflows models`: the versions in the registry."""

import click

from workflows.cli.common import json_option, open_store, print_json, print_table
from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.local.journal import now
from workflows.local.records import MODEL_PACKAGE, Record
from workflows.local.resources import package_name
from workflows.local.store import Store


@click.group("models")
def models_command() -> None:
    """List, show, approve or reject model versions."""


@models_command.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """Every version, oldest first."""
    records = open_store().all(MODEL_PACKAGE)
    if as_json:
        print_json(records)
        return
    rows = [
        (_name(entry), str(entry["ModelApprovalStatus"]), str(entry["CreationTime"]), _figures(entry))
        for entry in records
    ]
    print_table(rows, head=("MODEL", "APPROVAL", "REGISTERED", "METRICS"))


@models_command.command("show")
@click.argument("model")
@json_option
def show_model(model: str, as_json: bool) -> None:
    """One version: MODEL is GROUP/VERSION or an ARN."""
    record = find_model(open_store(), model)
    if as_json:
        print_json(record)
        return
    click.echo(f"model       {_name(record)}")
    click.echo(
        f"approval    {record['ModelApprovalStatus']} {record.get('ApprovalDescription', '')}".rstrip()
    )
    click.echo(f"registered  {record['CreationTime']}")
    properties = record.get("CustomerMetadataProperties")
    for key, value in properties.items() if isinstance(properties, dict) else ():
        click.echo(f"{key}  {value}")


@models_command.command("approve")
@click.argument("model")
@click.option("--reason", help="Kept with the version as its ApprovalDescription.")
def approve_model(model: str, reason: str | None) -> None:
    """Set a version's approval status to Approved."""
    _set_status(model, "Approved", reason)


@models_command.command("reject")
@click.argument("model")
@click.option("--reason", help="Kept with the version as its ApprovalDescription.")
def reject_model(model: str, reason: str | None) -> None:
    """Set a version's approval status to Rejected."""
    _set_status(model, "Rejected", reason)


def find_model(store: Store, name: str) -> Record:
    """A version by GROUP/VERSION or ARN.

    Raises:
        WorkflowError: there is none.
    """
    wanted = package_name(name) if name.startswith("arn:") else name
    record = store.find(MODEL_PACKAGE, wanted)
    if record is None:
        known = [_name(entry) for entry in store.all(MODEL_PACKAGE)]
        raise WorkflowError(f"no model version '{wanted}'{did_you_mean(wanted, known)}")
    return record


def _set_status(name: str, status: str, reason: str | None) -> None:
    store = open_store()
    record = find_model(store, name)
    changed = {**record, "ModelApprovalStatus": status, "LastModifiedTime": now()}
    if reason:
        changed["ApprovalDescription"] = reason
    store.put(MODEL_PACKAGE, _name(record), changed, parent=str(record["ModelPackageGroupName"]))
    click.echo(f"{_name(record)} {status}")


def _name(record: Record) -> str:
    return package_name(str(record["ModelPackageArn"]))


def _figures(record: Record) -> str:
    properties = record.get("CustomerMetadataProperties")
    items = properties.items() if isinstance(properties, dict) else ()
    return ", ".join(f"{key} {value}" for key, value in items if key.endswith(("MAP", "Accuracy")))
