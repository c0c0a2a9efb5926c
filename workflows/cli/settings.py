"""`workflows settings`."""

import click

from workflows.cli.common import json_option, print_json, print_table, settings
from workflows.settings import SETTINGS


@click.command("settings")
@json_option
def settings_command(as_json: bool) -> None:
    """Every setting, its value, and where the value comes from."""
    chosen = settings()
    if as_json:
        print_json(
            {name: {"value": found.value, "origin": found.origin} for name, found in chosen.values.items()}
        )
        return
    rows = [
        (
            entry.name,
            chosen[entry.name],
            chosen.values[entry.name].origin,
            ", ".join(entry.variables),
            entry.text,
        )
        for entry in SETTINGS
    ]
    print_table(rows, head=("SETTING", "VALUE", "FROM", "VARIABLES", "WHAT IT IS"))
