"""From definition JSON, whoever compiled it, to a checked `Definition`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from workflows.definition.errors import DanglingReference, DefinitionError, DependencyCycle
from workflows.definition.expressions import EXECUTION_VARIABLES, Get, JsonGet, references
from workflows.definition.model import JSON, Branch, Definition, Parameter, PropertyFile, Scalar, Step

VERSION = "2020-12-01"

_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}
# What a step has beside its arguments and is read into attributes of its own.
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
# Nothing may wait for a value of these: they have none.
_WITHOUT_PROPERTIES = ("Fail",)

_T = TypeVar("_T")


def load(text: str, *, source: str = "definition") -> Definition:
    """Read a definition and check everything that can be known from it alone.

    Args:
        text: the JSON, compiled by any version of the SDK or written by hand.
        source: what to call it in messages, such as its file name.

    Raises:
        DefinitionError: with the place in the document.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"{source}: not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list):
        raise DefinitionError(f"{source}: a pipeline definition is an object with a list of Steps")
    if document.get("Version", VERSION) != VERSION:
        raise DefinitionError(f"{source}: Version is {document['Version']!r}; only '{VERSION}' is known")
    parameters = _unique(
        [_parameter(node, where) for node, where in _entries(document.get("Parameters"), "Parameters")]
    )
    steps = _unique(list(_steps(document["Steps"], "Steps", None)))
    needs = {step.name: _needs(step, steps, parameters) for step in steps.values()}
    _refuse_cycles(needs)
    return Definition(parameters=parameters, steps=steps, needs=needs, document=document)


def _entries(nodes: JSON, where: str) -> Iterator[tuple[dict[str, JSON], str]]:
    if nodes is None:
        return
    if not isinstance(nodes, list):
        raise DefinitionError(f"{where}: must be a list")
    for index, node in enumerate(nodes):
        if not isinstance(node, dict):
            raise DefinitionError(f"{where}[{index}]: must be an object")
        yield node, f"{where}[{index}]"


def _unique(items: Sequence[_T]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for item in items:
        name = str(getattr(item, "name"))  # noqa: B009
        if name in found:
            raise DefinitionError(
                f"two {type(item).__name__.lower()}s are named '{name}'; names must be unique"
            )
        found[name] = item
    return found


def _name(node: Mapping[str, JSON], key: str, where: str) -> str:
    name = node.get(key)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{where}.{key}: {name!r} must be 1 to 64 letters, digits, hyphens or underscores"
        )
    return name


def _parameter(node: Mapping[str, JSON], where: str) -> Parameter:
    name = _name(node, "Name", where)
    kind = node.get("Type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise DefinitionError(f"{where} '{name}': Type {kind!r} is none of {', '.join(_TYPES)}")
    choices = tuple(str(choice) for choice in _list(node.get("EnumValues"), f"{where}.EnumValues"))
    default = node.get("DefaultValue")
    if default is not None and not _is_of_type(default, kind):
        raise DefinitionError(f"{where} '{name}': DefaultValue {default!r} is no {kind}")
    if choices and default is not None and str(default) not in choices:
        raise DefinitionError(f"{where} '{name}': DefaultValue {default!r} is none of {', '.join(choices)}")
    return Parameter(name=name, type=kind, default=_scalar(default), choices=choices)


def _is_of_type(value: JSON, kind: str) -> bool:
    # bool is a subclass of int, yet true is no Integer.
    return isinstance(value, _TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def _scalar(value: JSON) -> Scalar | None:
    return value if isinstance(value, (str, int, float, bool)) else None


def _list(value: JSON, where: str) -> list[JSON]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise DefinitionError(f"{where}: must be a list")
    return value


def _steps(nodes: JSON, where: str, branch: Branch | None) -> Iterator[Step]:
    for node, place in _entries(nodes, where):
        name = _name(node, "Name", place)
        kind = node.get("Type")
        arguments = node.get("Arguments")
        if not isinstance(kind, str) or not isinstance(arguments, dict):
            raise DefinitionError(f"{place} '{name}': a step has a Type and an object of Arguments")
        if kind == "Condition" and branch is not None:
            raise DefinitionError(
                f"{place} '{name}': a condition cannot stand inside the branch of '{branch.condition}'; "
                "put it beside that step and repeat the condition"
            )
        yield _step(node, name, kind, arguments, place, branch)
        if kind == "Condition":
            for key, outcome in (("IfSteps", True), ("ElseSteps", False)):
                side = Branch(condition=name, outcome=outcome)
                yield from _steps(arguments.get(key), f"{place}.Arguments.{key}", side)


def _step(
    node: Mapping[str, JSON],
    name: str,
    kind: str,
    arguments: dict[str, JSON],
    where: str,
    branch: Branch | None,
) -> Step:
    if kind == "Condition":
        arguments = {"Conditions": arguments.get("Conditions", [])}
    cache = node.get("CacheConfig")
    return Step(
        name=name,
        type=kind,
        where=f"{where} '{name}'",
        arguments=arguments,
        depends_on=tuple(str(item) for item in _list(node.get("DependsOn"), f"{where}.DependsOn")),
        branch=branch,
        property_files=_unique(
            [
                _property_file(entry, place)
                for entry, place in _entries(node.get("PropertyFiles"), f"{where}.PropertyFiles")
            ]
        ),
        fields={key: value for key, value in node.items() if key not in _KNOWN_FIELDS},
        cached=isinstance(cache, dict) and cache.get("Enabled") is True,
        retried=bool(node.get("RetryPolicies")),
    )


def _property_file(node: Mapping[str, JSON], where: str) -> PropertyFile:
    try:
        return PropertyFile(
            name=str(node["PropertyFileName"]), output=str(node["OutputName"]), path=str(node["FilePath"])
        )
    except KeyError as error:
        raise DefinitionError(f"{where}: {error.args[0]} is missing") from None


def _needs(step: Step, steps: Mapping[str, Step], parameters: Mapping[str, Parameter]) -> frozenset[str]:
    """The steps that must have ended before this one; checks its references on the way."""
    needed = {step.branch.condition} if step.branch else set()
    for name in step.depends_on:
        _check_step(name, step, f"{step.where} DependsOn", steps)
        needed.add(name)
    for where, reference in _references(step):
        if isinstance(reference, JsonGet):
            _check_property_file(reference, step, where, steps)
            needed |= {reference.step} if reference.step else set()
        elif reference.root == "Steps":
            _check_step(reference.name, step, where, steps)
            needed.add(reference.name)
        else:
            _check_value(reference, where, parameters)
    for file in step.property_files.values():
        _check_output(file, step)
    return frozenset(needed)


def _references(step: Step) -> Iterator[tuple[str, Get | JsonGet]]:
    yield from references(dict(step.arguments), f"{step.where} Arguments")
    yield from references(dict(step.fields), step.where)


def _check_value(reference: Get, where: str, parameters: Mapping[str, Parameter]) -> None:
    known, kind = (
        (list(parameters), "parameter")
        if reference.root == "Parameters"
        else (EXECUTION_VARIABLES, "execution variable")
    )
    if reference.name not in known:
        raise DanglingReference(where=where, kind=kind, name=reference.name, known=known)


def _check_step(name: str, step: Step, where: str, steps: Mapping[str, Step]) -> None:
    if name not in steps:
        raise DanglingReference(where=where, kind="step", name=name, known=list(steps))
    target = steps[name]
    if target.type in _WITHOUT_PROPERTIES:
        raise DefinitionError(f"{where}: '{name}' is a {target.type} step; nothing can wait for it")
    mine, its = step.branch, target.branch
    if mine and its and mine.condition == its.condition and mine.outcome != its.outcome:
        raise DefinitionError(
            f"{where}: '{name}' stands on the other branch of '{its.condition}' and never runs first"
        )


def _check_property_file(reference: JsonGet, step: Step, where: str, steps: Mapping[str, Step]) -> None:
    if reference.step is None or reference.property_file is None:
        return
    _check_step(reference.step, step, where, steps)
    known = steps[reference.step].property_files
    if reference.property_file not in known:
        raise DanglingReference(
            where=where,
            kind=f"property file of '{reference.step}'",
            name=reference.property_file,
            known=list(known),
        )


def _check_output(file: PropertyFile, step: Step) -> None:
    config = step.arguments.get("ProcessingOutputConfig")
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    entries = outputs if isinstance(outputs, list) else []
    known = [str(entry.get("OutputName")) for entry in entries if isinstance(entry, dict)]
    if file.output not in known:
        where = f"{step.where} PropertyFiles '{file.name}'"
        raise DanglingReference(where=where, kind="output", name=file.output, known=known)


def _refuse_cycles(needs: Mapping[str, frozenset[str]]) -> None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise DependencyCycle(reversed(error.args[1])) from None
