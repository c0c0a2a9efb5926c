"""Values for a definition's parameters, from the strings that a start call carries."""

from collections.abc import Mapping

from workflows.definition.errors import ParameterError, did_you_mean
from workflows.definition.model import Definition, Parameter, Scalar

_BOOLEANS = {"true": True, "false": False}


def bind(definition: Definition, given: Mapping[str, str]) -> dict[str, Scalar]:
    """Every parameter with its value: the given one, else its default.

    Args:
        definition: whose parameters are to be filled.
        given: name -> value as a string, as StartPipelineExecution carries it.

    Raises:
        ParameterError: a name is unknown, a value has the wrong type or is no choice, or none is there.
    """
    for name in given:
        if name not in definition.parameters:
            raise ParameterError(
                f"no parameter is named '{name}'{did_you_mean(name, list(definition.parameters))}"
            )
    return {name: _value(parameter, given.get(name)) for name, parameter in definition.parameters.items()}


def _value(parameter: Parameter, text: str | None) -> Scalar:
    if text is None:
        if parameter.default is None:
            raise ParameterError(
                f"parameter '{parameter.name}' has no default; give it with --set {parameter.name}=…"
            )
        return parameter.default
    try:
        value = _parse(parameter.type, text)
    except (ValueError, KeyError):
        raise ParameterError(
            f"parameter '{parameter.name}' takes {_article(parameter.type)}; '{text}' is none"
        ) from None
    if parameter.choices and text not in parameter.choices:
        raise ParameterError(
            f"parameter '{parameter.name}' is one of {', '.join(parameter.choices)}; got '{text}'"
        )
    return value


def _parse(kind: str, text: str) -> Scalar:
    if kind == "Integer":
        return int(text)
    if kind == "Float":
        return float(text)
    return _BOOLEANS[text.lower()] if kind == "Boolean" else text


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "Integer" else f"a {kind}"
