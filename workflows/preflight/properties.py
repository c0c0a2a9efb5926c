"""Where Steps.NAME… leads: in what the step's Describe call will return, and in what its arguments say."""

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.definition.errors import did_you_mean
from workflows.definition.model import JSON
from workflows.preflight.document import RawStep, object_of, objects, text_of
from workflows.preflight.service import Service
from workflows.preflight.values import ANY_SCALAR, OF_PARAMETER, UNKNOWN, Value, of_shape

# What SageMaker calls the name of an entry, by list.
_NAME_FIELDS = (
    "OutputName",
    "InputName",
    "ChannelName",
    "MetricName",
    "Name",
    "VariantName",
    "ParameterName",
)
_OUTPUT_PARAMETERS = "OutputParameters"
METRICS = "FinalMetricDataList"


@dataclass(frozen=True, kw_only=True)
class Lead:
    """What a path leads to; `missing` says what is not there."""

    value: Value = UNKNOWN
    argument: JSON = None  # what the step's own arguments hold there, if anything
    missing: str | None = None


def lead(step: RawStep, path: tuple[str | int, ...], service: Service) -> Lead:
    """Follow a path behind Steps.NAME."""
    if step.type in ("Lambda", "Callback"):
        return _output_parameter(step, path)
    if step.type == "Condition":
        return Lead(value=Value(kinds=frozenset({"string"})))
    if service.record(step.type) is None or not path:
        return Lead()
    properties = service.properties(step.type)
    first, *rest = path
    if first not in properties:
        return Lead(missing=f"a {step.type} step has no property '{first}'{_near(first, properties)}")
    return _descend(properties[str(first)], rest, step.arguments.get(str(first)), service)


def _descend(shape: str, path: Iterable[str | int], argument: JSON, service: Service) -> Lead:
    for part in path:
        if not shape:
            return Lead()
        kind = service.shapes[shape]["type"]
        if kind == "structure":
            members = service.members(shape)
            if part not in members:
                return Lead(missing=f"there is no '{part}' in a {shape}{_near(part, members)}")
            shape = members[str(part)]
        elif kind in ("list", "map"):
            missing = _missing_entry(argument, part)
            if missing or (kind == "map" and isinstance(part, int)):
                return Lead(missing=missing or f"entry {part}: what is there has names, no numbers")
            shape = service.within(shape, "member" if kind == "list" else "value")
        else:
            return Lead(missing=f"'{part}': what is there is a {kind}, which has no members")
        argument = _entry(argument, part)
    value = of_shape(service, shape) if shape else UNKNOWN
    return Lead(value=value, argument=argument)


def _missing_entry(argument: JSON, part: str | int) -> str | None:
    """What is wrong with an entry's name, where the arguments show all the entries that there will be."""
    if isinstance(argument, dict) and isinstance(part, str) and part not in argument:
        return f"there is no '{part}'{_near(part, argument)}"
    if not isinstance(argument, list):
        return None
    if isinstance(part, int):
        return None if part < len(argument) else f"there is no entry {part}; there are {len(argument)}"
    names = _names(argument)
    return None if part in names else f"there is no '{part}'{_near(part, names)}"


def _names(entries: list[JSON]) -> list[str]:
    found = (object_of(entry).get(field) for entry in entries for field in _NAME_FIELDS)
    return [name for name in found if isinstance(name, str)]


def _entry(argument: JSON, part: str | int) -> JSON:
    if isinstance(argument, dict):
        return argument.get(str(part))
    if isinstance(argument, list):
        if isinstance(part, int):
            return argument[part] if part < len(argument) else None
        return next((entry for entry in argument if part in _names([entry])), None)
    return None


def _output_parameter(step: RawStep, path: tuple[str | int, ...]) -> Lead:
    if not path or path[0] != _OUTPUT_PARAMETERS or len(path) < 2:
        return Lead(missing=f"a {step.type} step has nothing but {_OUTPUT_PARAMETERS}['NAME']")
    if len(path) > 2:
        return Lead(missing=f"'{path[1]}' is one value; nothing can follow it")
    entries = {
        text_of(entry.get("OutputName")): text_of(entry.get("OutputType"))
        for entry, _ in objects(step.node.get(_OUTPUT_PARAMETERS), ())
    }
    if path[1] not in entries:
        return Lead(missing=f"there is no output parameter '{path[1]}'{_near(path[1], entries)}")
    kind = OF_PARAMETER.get(entries[str(path[1])])
    return Lead(value=Value(kinds=frozenset({kind})) if kind else ANY_SCALAR)


def _near(part: str | int, known: Iterable[str]) -> str:
    return did_you_mean(str(part), list(known)) if isinstance(part, str) else ""
