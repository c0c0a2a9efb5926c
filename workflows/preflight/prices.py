"""What instances cost per hour: a table with its date, which users replace with their own."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from workflows.definition.errors import WorkflowError

_OURS = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, kw_only=True)
class Prices:
    """On-demand list prices of one region."""

    per_hour: Mapping[str, float]  # instance type -> price of one instance
    currency: str
    region: str
    as_of: date


def read_prices(file: Path | None = None) -> Prices:
    """Read a price table; the one of this package if no file is given.

    Raises:
        WorkflowError: the file is no such table.
    """
    path = file or _OURS
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkflowError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise WorkflowError(f"{path}: not TOML: {error}") from None
    return Prices(
        per_hour=_per_hour(table.get("per_hour"), path),
        currency=_text(table, "currency", path),
        region=_text(table, "region", path),
        as_of=_date(table.get("as_of"), path),
    )


def _per_hour(table: Any, path: Path) -> dict[str, float]:  # noqa: ANN401
    if not isinstance(table, dict) or not table:
        raise WorkflowError(f"{path}: needs a table [per_hour] of instance type = price")
    for name, price in table.items():
        if isinstance(price, bool) or not isinstance(price, (int, float)) or not 0 <= price < math.inf:
            raise WorkflowError(f"{path}: the price of {name} is {price!r}; write a number, 0 or more")
    return {name: float(price) for name, price in table.items()}


def _text(table: Mapping[str, Any], key: str, path: Path) -> str:
    if not isinstance(table.get(key), str):
        raise WorkflowError(f'{path}: needs {key} = "…"')
    return str(table[key])


def _date(value: Any, path: Path) -> date:  # noqa: ANN401
    if not isinstance(value, date):
        raise WorkflowError(f"{path}: needs as_of = 2025-01-31, the day on which the prices held")
    return value
