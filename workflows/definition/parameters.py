"""The parameters of a definition, and their values from the strings that a start call carries."""

import math
import re
from collections.abc import Mapping

from workflows.definition.errors import DefinitionError, ParameterError, did_you_mean
from workflows.definition.fields import by_name, entries, listed
from workflows.definition.model import JSON, Definition, Parameter, Scalar

_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}
_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

# Limits of the service model: PipelineParameterName, String1024, ParameterList. The published schema of
# definitions lets names have 64 characters only, but lags behind the service.
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")
MOST_PARAMETERS = 200
_LONGEST_VALUE = 1024
_LONGEST_DEFAULT = 4096


def read_parameters(nodes: JSON, where: str = "Parameters") -> dict[str, Parameter]:
    """The parameters by name.

    Raises:
        DefinitionError: one is malformed, two have one name, or there are too many.
    """
    found = [(read_parameter(node, place), place) for node, place in entries(nodes, where)]
    if len(found) > MOST_PARAMETERS:
        raise DefinitionError(
            f"{where}: {len(found)} are more than the {MOST_PARAMETERS} that are allowed; write the values "
            "that never change into the steps"
        )
    return by_name(found, lambda parameter: parameter.name, kind="parameters")


def bind(definition: Definition, given: Mapping[str, str]) -> dict[str, Scalar]:
    """Every parameter with its value: the given one, else its default.

    Args:
        definition: whose parameters are to be filled.
        given: name -> value as a string, as StartPipelineExecution carries it.

    Raises:
        ParameterError: a name is unknown, a value is too long, has the wrong type or is no choice, or none is
            there.
    """
    for name, text in given.items():
        if name not in definition.parameters:
            raise ParameterError(
                f"no parameter is named '{name}'{did_you_mean(name, list(definition.parameters))}"
            )
        check_length(definition.parameters[name], text)
    return {name: value_of(parameter, given.get(name)) for name, parameter in definition.parameters.items()}


def check_length(parameter: Parameter, text: str) -> None:
    """Check that a start can carry a value.

    Raises:
        ParameterError: it is too long.
    """
    # An execution that goes on gives its defaults, too, which may be longer.
    if len(text) > _LONGEST_VALUE and text != parameter.default:
        raise ParameterError(
            f"parameter '{parameter.name}': {len(text)} characters are more than the {_LONGEST_VALUE} that a "
            "start takes; put the value into S3 and give its URI"
        )


def read_parameter(node: Mapping[str, JSON], place: str) -> Parameter:
    """Read one parameter.

    Raises:
        DefinitionError: it is malformed.
    """
    name = node.get("Name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{place}.Name: {name!r} must be 1 to 256 letters, digits, hyphens or underscores"
        )
    where = f"{place} '{name}'"
    kind = node.get("Type", "String")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise DefinitionError(f"{where}: Type {kind!r} is none of {', '.join(_TYPES)}")
    choices = tuple(str(choice) for choice in listed(node.get("EnumValues"), f"{where} EnumValues"))
    default = _default(node.get("DefaultValue"), kind, where)
    if choices and default is not None and str(default) not in choices:
        raise DefinitionError(f"{where}: DefaultValue {default!r} is none of {', '.join(choices)}")
    return Parameter(name=name, type=kind, default=default, choices=choices)


def _default(value: JSON, kind: str, where: str) -> Scalar | None:
    if value is None:
        return None
    # bool is a subclass of int, yet true is no Integer.
    if isinstance(value, (dict, list)) or not isinstance(value, _TYPES[kind]):
        raise DefinitionError(f"{where}: DefaultValue {value!r} is no {kind}")
    if isinstance(value, bool) and kind != "Boolean":
        raise DefinitionError(f"{where}: DefaultValue {value!r} is no {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise DefinitionError(f"{where}: DefaultValue is too large")
    if isinstance(value, str) and len(value) > _LONGEST_DEFAULT:
        raise DefinitionError(
            f"{where}: {len(value)} characters are more than the {_LONGEST_DEFAULT} that a DefaultValue may "
            "have"
        )
    return value


def value_of(parameter: Parameter, text: str | None) -> Scalar:
    """A parameter's value: the given one, else its default.

    Raises:
        ParameterError: it has the wrong type or is no choice, or there is none.
    """
    if text is None:
        if parameter.default is None:
            raise ParameterError(
                f"parameter '{parameter.name}' has no default; give it with --set {parameter.name}=…"
            )
        return parameter.default
    value = _parse(parameter.type, text)
    if value is None:
        raise ParameterError(
            f"parameter '{parameter.name}' takes {_article(parameter.type)}; '{text}' is none"
        )
    if parameter.choices and text not in parameter.choices:
        raise ParameterError(
            f"parameter '{parameter.name}' is one of {', '.join(parameter.choices)}; got '{text}'"
        )
    return value


def _parse(kind: str, text: str) -> Scalar | None:
    """The value, or None if the text is none of this kind."""
    if kind == "Integer":
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind == "Float":
        value = float(text) if _FLOAT.fullmatch(text) else math.inf
        return value if math.isfinite(value) else None
    return _BOOLEANS.get(text.lower()) if kind == "Boolean" else text


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "Integer" else f"a {kind}"
