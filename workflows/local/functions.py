"""Which handler stands in for a Lambda function."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

_PROJECT = Path(__file__).parents[2]


def handlers(extra: Mapping[str, str]) -> dict[str, str]:
    """Function name -> FILE:HANDLER.

    Args:
        extra: the [functions] table of the user's settings; its paths start where `workflows` is called.
    """
    own = tomllib.loads(files("workflows.local").joinpath("stand_ins.toml").read_text(encoding="utf-8"))
    table: dict[str, str] = {**own["functions"], **extra}
    return {
        name: str(Path(target.replace("{project}", str(_PROJECT))).absolute())
        for name, target in table.items()
    }


def function_name(arn: str) -> str:
    """The name in arn:aws:lambda:REGION:ACCOUNT:function:NAME[:ALIAS]."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn
