"""Which handlers stand in for Lambda functions, and how long each may run."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import JSON
from workflows.local import output_parameters
from workflows.local.request import Request

# What the SDK gives a function that it creates, and the most that a Lambda step waits.
TIME_LIMIT_S = 120
LONGEST_TIME_LIMIT_S = 600
_PROJECT = Path(__file__).parents[2]
_SETTINGS = ("handler", "timeout_s", "environment")
# Lambda sets these itself and refuses functions that bring their own.
_RESERVED = ("AWS_LAMBDA_", "LAMBDA_")


class FunctionError(WorkflowError):
    """An entry of [functions] is malformed."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Python function that stands in for a Lambda function."""

    file: Path
    handler: str
    timeout_s: int = TIME_LIMIT_S
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def fault(self) -> str | None:
        """Why it cannot be called, as far as that can be seen before; None if nothing is in the way."""
        return None if self.file.is_file() else f"{self.file}: no such file"


def handlers(extra: Mapping[str, object]) -> dict[str, Function]:
    """Function name -> what stands in for it.

    Args:
        extra: the [functions] table of the user's settings: "FILE:HANDLER", or a table with `handler`,
            `timeout_s` and `environment`. Its paths start where `workflows` is called.

    Raises:
        FunctionError: an entry is malformed.
    """
    own = tomllib.loads(files("workflows.local").joinpath("stand_ins.toml").read_text(encoding="utf-8"))
    table: dict[str, object] = {**own["functions"], **extra}
    return {name: _function(entry, f"[functions] {name}") for name, entry in table.items()}


def function_name(arn: str) -> str:
    """The name in arn:aws:lambda:REGION:ACCOUNT:function:NAME[:ALIAS]."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn


def refusals(_arguments: Mapping[str, JSON], fields: Mapping[str, JSON], where: str) -> Iterator[str]:
    """What SageMaker would not accept of a Lambda step, as far as its values are known."""
    yield from output_parameters.refusals(Request(fields, where))


def _function(entry: object, where: str) -> Function:
    settings = entry if isinstance(entry, dict) else {"handler": entry}
    for name in settings:
        if name not in _SETTINGS:
            raise FunctionError(f"{where}: no setting is named '{name}'{did_you_mean(name, _SETTINGS)}")
    file, handler = _target(settings.get("handler"), where)
    return Function(
        file=file,
        handler=handler,
        timeout_s=_time_limit(settings.get("timeout_s", TIME_LIMIT_S), where),
        environment=_environment(settings.get("environment", {}), where),
    )


def _target(text: object, where: str) -> tuple[Path, str]:
    file, _, handler = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not file or not handler.isidentifier():
        raise FunctionError(f"{where}: {text!r} is not of the form FILE:FUNCTION, such as find.py:handler")
    return Path(file.replace("{project}", str(_PROJECT))).absolute(), handler


def _time_limit(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LONGEST_TIME_LIMIT_S:
        raise FunctionError(
            f"{where}.timeout_s: {value!r} must be a whole number of seconds from 1 to "
            f"{LONGEST_TIME_LIMIT_S}, the most that a Lambda step waits"
        )
    return value


def _environment(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FunctionError(f"{where}.environment: must be a table of strings")
    for name, text in value.items():
        if not isinstance(text, str):
            raise FunctionError(f"{where}.environment.{name}: must be a string, is {text!r}")
        if name.startswith(_RESERVED):
            raise FunctionError(f"{where}.environment.{name}: Lambda sets this variable itself; remove it")
    return dict(value)
