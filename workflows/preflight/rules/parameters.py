"""The definition's parameters, and the values that a start gives them."""

from collections import Counter
from collections.abc import Iterator

from workflows.definition.errors import DefinitionError, ParameterError, did_you_mean
from workflows.definition.expressions import PARAMETERS, Get
from workflows.definition.model import JSON
from workflows.definition.parameters import MOST_PARAMETERS, check_length, read_parameter, value_of
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import list_of, object_of, text_of
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.rules.references import references

_GUIDE = "SageMaker Developer Guide, Pipeline parameters"
_SCHEMA_NAME = 64

MALFORMED = Rule(
    identifier="malformed-parameter",
    severity=Severity.ERROR,
    title="A parameter's name, type, default or choices are not allowed",
    why="The service refuses the definition.",
    source=f"{_GUIDE}; published JSON schema of definitions",
    refused_here=True,
)
REPEATED = Rule(
    identifier="repeated-parameter",
    severity=Severity.ERROR,
    title="Two parameters have one name",
    why="The service refuses the definition.",
    source=_GUIDE,
    refused_here=True,
)
TOO_MANY = Rule(
    identifier="too-many-parameters",
    severity=Severity.ERROR,
    title=f"There are more than {MOST_PARAMETERS} parameters",
    why="A start takes no more.",
    source="API reference, StartPipelineExecution, PipelineParameters",
    refused_here=True,
)
WRONG_VALUE = Rule(
    identifier="wrong-parameter-value",
    severity=Severity.ERROR,
    title="A value that was given is not one for this parameter, or for no parameter at all",
    why="The start is refused.",
    source=_GUIDE,
    refused_here=True,
)
NO_DEFAULT = Rule(
    identifier="no-default",
    severity=Severity.NOTE,
    title="A parameter has no default",
    why="Each start must give a value, and a schedule can give none that depends on the time.",
    source="SageMaker SDK, triggers: a schedule needs defaults for all parameters",
)
UNUSED = Rule(
    identifier="unused-parameter",
    severity=Severity.WARNING,
    title="Nothing refers to a parameter",
    why="Whoever sets it expects an effect that it has not.",
    source="the definition itself",
)
LONG_NAME = Rule(
    identifier="long-parameter-name",
    severity=Severity.WARNING,
    title=f"A parameter's name has more than {_SCHEMA_NAME} characters",
    why="The published schema allows no more, the API does.",
    source="published JSON schema of definitions; API reference, Parameter",
)


def _find(context: Context) -> Iterator[Finding]:
    nodes = context.document.get("Parameters")
    if nodes is not None and not isinstance(nodes, list):
        yield MALFORMED.at(("Parameters",), "Parameters must be a list", "write a list of objects")
    if len(list_of(nodes)) > MOST_PARAMETERS:
        yield TOO_MANY.at(
            ("Parameters",),
            f"{len(list_of(nodes))} are more than the {MOST_PARAMETERS} that are allowed",
            "write the values that never change into the steps",
        )
    names = Counter(text_of(object_of(node).get("Name")) for node in list_of(nodes))
    seen: set[str] = set()
    used = _used(context.document)
    for index, node in enumerate(list_of(nodes)):
        name = text_of(object_of(node).get("Name"))
        if names[name] > 1 and name in seen:
            yield REPEATED.at(
                ("Parameters", index, "Name"), f"two parameters are named '{name}'", "rename or remove one"
            )
        seen.add(name)
        yield from _parameter(context, node, index, is_used=name in used)
    for name in context.given:
        if name not in context.parameters:
            yield WRONG_VALUE.at(
                ("Parameters",),
                f"no parameter is named '{name}'{did_you_mean(name, list(context.parameters))}",
                "give values to parameters that there are",
            )


CHECK = Check(
    rules=(MALFORMED, REPEATED, TOO_MANY, WRONG_VALUE, NO_DEFAULT, UNUSED, LONG_NAME),
    find=_find,
)


def _parameter(context: Context, node: JSON, index: int, *, is_used: bool) -> Iterator[Finding]:
    path = ("Parameters", index)
    if not isinstance(node, dict):
        yield MALFORMED.at(path, "a parameter must be an object", "write Name, Type and DefaultValue")
        return
    try:
        parameter = read_parameter(node, "")
    except DefinitionError as error:
        yield MALFORMED.at(path, str(error).lstrip(". "), "correct it")
        return
    given = context.given.get(parameter.name)
    try:
        if given is not None or parameter.default is not None:
            check_length(parameter, given or "")
            value_of(parameter, given)
    except ParameterError as error:
        yield WRONG_VALUE.at(path, str(error), "give another value with --set")
    if parameter.default is None and given is None:
        yield NO_DEFAULT.at(
            path, f"'{parameter.name}' has no default", f"give one, or start with --set {parameter.name}=…"
        )
    if not is_used:
        yield UNUSED.at(path, f"nothing refers to '{parameter.name}'", "remove it, or use it")
    if len(parameter.name) > _SCHEMA_NAME:
        yield LONG_NAME.at(
            (*path, "Name"), f"{len(parameter.name)} characters", f"use at most {_SCHEMA_NAME}"
        )


def _used(document: dict[str, JSON]) -> set[str]:
    rest = {key: value for key, value in document.items() if key != PARAMETERS}
    found = (reference.leads_to for reference in references(rest, ()))
    return {get.name for get in found if isinstance(get, Get) and get.root == PARAMETERS}
