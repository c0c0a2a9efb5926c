"""The steps of a definition, those inside conditions among them, each with its own fields checked."""

import re
from collections.abc import Iterator, Mapping

from workflows.definition.conditions import check_operands, parse_conditions
from workflows.definition.errors import DanglingReference, DefinitionError
from workflows.definition.fields import an_object, by_name, entries, listed, optional_text, text
from workflows.definition.model import JSON, Branch, PropertyFile, Step
from workflows.definition.policies import cache_policy, retry_policies
from workflows.definition.step_types import step_type

# Limits of the service model: StepName, StepDisplayName, StepDescription, the reason of a Fail step.
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
LONGEST_DISPLAY_NAME = 256
LONGEST_DESCRIPTION = 3072
_LONGEST_ERROR_MESSAGE = 3072
# What is read into attributes of its own; the rest, such as a Lambda's FunctionArn, stays as it is.
_KNOWN_FIELDS = (
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "PropertyFiles",
    "CacheConfig",
    "RetryPolicies",
    "DisplayName",
    "Description",
)
_COMPLETED = "Completed"
_TRIGGERS = (_COMPLETED, "Failed", "Stopped", "Any")
_BRANCHES = (("IfSteps", True), ("ElseSteps", False))


def read_steps(nodes: JSON, where: str = "Steps") -> dict[str, Step]:
    """Every step by its name, in document order, those in branches behind their condition.

    Raises:
        DefinitionError: a step is malformed, or stands in two places.
    """
    # Looked at first, as a step that stands in two places makes every other fault appear twice.
    by_name(_places(nodes, where), str, kind="steps")
    return {step.name: step for step in _steps(nodes, where, None)}


def _places(nodes: JSON, where: str) -> Iterator[tuple[str, str]]:
    for node, place in entries(nodes, where):
        yield check_step_name(node, place), place
        arguments = node.get("Arguments")
        if node.get("Type") == "Condition" and isinstance(arguments, dict):
            for key, _ in _BRANCHES:
                yield from _places(arguments.get(key), f"{place}.Arguments.{key}")


def check_step_name(node: Mapping[str, JSON], where: str) -> str:
    """A step's name.

    Raises:
        DefinitionError: it is missing or malformed.
    """
    name = node.get("Name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{where}.Name: {name!r} must be 1 to 64 letters, digits, hyphens or underscores"
        )
    return name


def _steps(nodes: JSON, where: str, branch: Branch | None) -> Iterator[Step]:
    for node, place in entries(nodes, where):
        step = _step(node, place, branch)
        yield step
        if step.type == "Condition":
            arguments = an_object(node["Arguments"], place)
            for key, outcome in _BRANCHES:
                side = Branch(condition=step.name, outcome=outcome)
                yield from _steps(arguments.get(key), f"{place}.Arguments.{key}", side)


def _step(node: Mapping[str, JSON], place: str, branch: Branch | None) -> Step:
    name = check_step_name(node, place)
    where = f"{place} '{name}'"
    kind = text(node, "Type", where)
    _check_required(node, kind, where)
    arguments = an_object(node.get("Arguments", {}), f"{where} Arguments")
    depends_on = _depends_on(node.get("DependsOn"), f"{where} DependsOn")
    return Step(
        name=name,
        type=kind,
        where=where,
        arguments=_arguments(arguments, kind, where, branch),
        depends_on=tuple(depends_on),
        triggers={step: trigger for step, trigger in depends_on.items() if trigger != _COMPLETED},
        branch=branch,
        property_files=_property_files(node.get("PropertyFiles"), kind, arguments, where),
        fields={key: value for key, value in node.items() if key not in _KNOWN_FIELDS},
        cache=cache_policy(node.get("CacheConfig"), kind, f"{where} CacheConfig"),
        retries=retry_policies(node.get("RetryPolicies"), kind, f"{where} RetryPolicies"),
        display_name=optional_text(node, "DisplayName", where, at_most=LONGEST_DISPLAY_NAME),
        description=optional_text(node, "Description", where, at_most=LONGEST_DESCRIPTION),
    )


def _depends_on(nodes: JSON, where: str) -> dict[str, str]:
    """The steps that come first, each with the outcome that lets this one run."""
    found: dict[str, str] = {}
    for index, node in enumerate(listed(nodes, where)):
        place = f"{where}[{index}]"
        name, trigger = read_dependency(node, place)
        if found.setdefault(name, trigger) != trigger:
            raise DefinitionError(
                f"{place}: '{name}' is listed twice, with Triggers {found[name]} and {trigger}"
            )
    return found


def read_dependency(node: JSON, where: str) -> tuple[str, str]:
    """Read an entry of DependsOn: the step, and the outcome that lets this one run.

    Raises:
        DefinitionError: it is malformed.
    """
    if isinstance(node, str):
        return node, _COMPLETED
    # Since version 3.27 of the SDK.
    entry = an_object(node, where, or_else="a step's name or an object of Step and Trigger")
    trigger = optional_text(entry, "Trigger", where) or _COMPLETED
    if trigger not in _TRIGGERS:
        raise DanglingReference(where=where, kind="Trigger", name=trigger, known=_TRIGGERS)
    return text(entry, "Step", where), trigger


def _check_required(node: Mapping[str, JSON], kind: str, where: str) -> None:
    for field in step_type(kind).required:
        if node.get(field) is None:
            raise DefinitionError(f"{where}: {field} is missing; {kind} steps need it")


def _arguments(
    arguments: dict[str, JSON], kind: str, where: str, branch: Branch | None
) -> Mapping[str, JSON]:
    if kind == "Condition":
        return _condition_arguments(arguments, where, branch)
    if kind == "Fail":
        check_message(arguments, f"{where} Arguments")
    return arguments


def _condition_arguments(
    arguments: Mapping[str, JSON], where: str, branch: Branch | None
) -> Mapping[str, JSON]:
    if branch is not None:
        raise DefinitionError(
            f"{where}: a condition cannot stand inside the branch of '{branch.condition}'; put it beside "
            "that step and repeat the condition"
        )
    if "Conditions" not in arguments:
        raise DefinitionError(f"{where} Arguments: Conditions is missing")
    for condition in parse_conditions(arguments["Conditions"], where=f"{where} Arguments.Conditions"):
        check_operands(condition)
    # The steps in its branches stand beside it.
    return {"Conditions": arguments["Conditions"]}


def check_message(arguments: Mapping[str, JSON], where: str) -> None:
    """Check the arguments of a Fail step.

    Raises:
        DefinitionError: its ErrorMessage is missing, no string or too long.
    """
    if not isinstance(arguments.get("ErrorMessage"), dict):
        text(arguments, "ErrorMessage", where, at_most=_LONGEST_ERROR_MESSAGE)


def _property_files(
    nodes: JSON, kind: str, arguments: Mapping[str, JSON], where: str
) -> dict[str, PropertyFile]:
    place = f"{where} PropertyFiles"
    if nodes and not step_type(kind).has_property_files:
        raise DefinitionError(f"{place}: only Processing steps have property files; remove it")
    found = [(read_property_file(entry, at), at) for entry, at in entries(nodes, place)]
    for file, at in found:
        check_output(file, arguments, f"{at} '{file.name}'")
    return by_name(found, lambda file: file.name, kind="property files")


def read_property_file(node: Mapping[str, JSON], where: str) -> PropertyFile:
    """Read an entry of PropertyFiles.

    Raises:
        DefinitionError: it is malformed.
    """
    return PropertyFile(
        name=text(node, "PropertyFileName", where),
        output=text(node, "OutputName", where),
        path=text(node, "FilePath", where),
    )


def check_output(file: PropertyFile, arguments: Mapping[str, JSON], where: str) -> None:
    """Check that a property file's output is one of its step's.

    Raises:
        DanglingReference: it is not.
    """
    config = arguments.get("ProcessingOutputConfig")
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    known = [str(entry.get("OutputName")) for entry in _objects(outputs)]
    if file.output not in known:
        raise DanglingReference(where=where, kind="output", name=file.output, known=known)


def _objects(value: JSON) -> list[dict[str, JSON]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
