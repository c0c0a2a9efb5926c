"""From expressions to values, when the steps they wait for have ended."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.definition.errors import UnresolvedValue, did_you_mean
from workflows.definition.expressions import (
    EXECUTION,
    EXPERIMENT,
    PARAMETERS,
    parse_get,
    parse_join,
    parse_json_get,
)
from workflows.definition.model import JSON, Definition, Scalar

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


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Everything that an expression may refer to."""

    definition: Definition
    parameters: Mapping[str, Scalar]
    variables: Mapping[str, str]
    properties: Mapping[str, JSON]  # step -> what its Describe call returns
    read_object: Callable[[str], bytes]  # by S3 URI


def resolve(node: JSON, scope: Scope, *, where: str) -> JSON:
    """Replace every expression below a node by its value.

    Raises:
        UnresolvedValue: with the place, and what is there instead.
    """
    if isinstance(node, list):
        return [resolve(item, scope, where=f"{where}[{index}]") for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((key, body),) = node.items()
        if key == "Get":
            return _get(body, scope, where)
        if key == "Std:Join":
            return _join(body, scope, where)
        if key == "Std:JsonGet":
            return _json_get(body, scope, where)
    return {key: resolve(value, scope, where=f"{where}.{key}") for key, value in node.items()}


def text_of(value: JSON) -> str:
    """A value as it stands in a joined string."""
    return value if isinstance(value, str) else json.dumps(value)


def _get(body: JSON, scope: Scope, where: str) -> JSON:
    get = parse_get(body, where=where)
    if get.root == PARAMETERS:
        return scope.parameters[get.name]
    if get.root == EXPERIMENT:
        return resolve(scope.definition.experiment[get.name], scope, where=f"{EXPERIMENT}.{get.name}")
    if get.root == EXECUTION:
        if get.name not in scope.variables:
            raise UnresolvedValue(f"{where}: {get.name} has a value in a job's own arguments only")
        return scope.variables[get.name]
    if get.name not in scope.properties:
        raise UnresolvedValue(f"{where}: step '{get.name}' did not run, so it has no {body}")
    return _descend(scope.properties[get.name], get.path[1:], f"{where}: Steps.{get.name}")


def _join(body: JSON, scope: Scope, where: str) -> str:
    separator, items = parse_join(body, where=where)
    values = [resolve(item, scope, where=f"{where}.Values[{index}]") for index, item in enumerate(items)]
    return separator.join(text_of(value) for value in values)


def _json_get(body: JSON, scope: Scope, where: str) -> JSON:
    wanted = parse_json_get(body, where=where)
    if wanted.step is None:
        uri = text_of(resolve(wanted.s3_uri, scope, where=f"{where}.S3Uri"))
    else:
        file = scope.definition.steps[wanted.step].property_files[str(wanted.property_file)]
        path = ("ProcessingOutputConfig", "Outputs", file.output, "S3Output", "S3Uri")
        folder = _descend(scope.properties.get(wanted.step), path, f"{where}: Steps.{wanted.step}")
        uri = f"{text_of(folder).rstrip('/')}/{file.path}"
    try:
        document = json.loads(scope.read_object(uri))
    except RecursionError:
        raise UnresolvedValue(f"{where}: {uri} is nested too deeply") from None
    except ValueError as error:
        raise UnresolvedValue(f"{where}: {uri} is not JSON: {error}") from None
    return _descend(document, wanted.path, f"{where}: {uri}")


def _descend(value: JSON, path: tuple[str | int, ...], where: str) -> JSON:
    for part in path:
        known = _children(value)
        if part not in known:
            names = [name for name in known if isinstance(name, str)]
            raise UnresolvedValue(f"{where}: there is no '{part}'{did_you_mean(str(part), names)}")
        value = known[part]
    return value


def _children(value: JSON) -> dict[str | int, JSON]:
    if isinstance(value, dict):
        return dict(value.items())
    if not isinstance(value, list):
        return {}
    children: dict[str | int, JSON] = dict(enumerate(value))
    for item in value:
        if isinstance(item, dict):
            children |= {str(item[field]): item for field in _NAME_FIELDS if field in item}
    return children
