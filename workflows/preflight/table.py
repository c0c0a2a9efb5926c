"""Prints the table of all rules for docs/preflight.md: python -m workflows.preflight.table."""

import sys

from workflows.preflight.catalog import RULES


def table() -> str:
    """Every rule in a row of Markdown."""
    rows = (f"| `{rule.identifier}` | {rule.severity.value} | {rule.title} |" for rule in RULES.values())
    return "\n".join(("| identifier | severity | what is found |", "|---|---|---|", *rows)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
