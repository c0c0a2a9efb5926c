"""The expressions inside a definition: what they refer to, and where they stand.

{"Get": "Parameters.X"}, {"Get": "Execution.X"}, {"Get": "PipelineExperimentConfig.ExperimentName"},
{"Get": "Steps.N.A['k'][0]"}, {"Std:Join": {"On": ..., "Values": [...]}} and
{"Std:JsonGet": {"PropertyFile" or "S3Uri": ..., "Path": ...}}.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.errors import DefinitionError, did_you_mean
from workflows.definition.fields import an_object, listed
from workflows.definition.model import JSON

PARAMETERS, EXECUTION, EXPERIMENT, STEPS = "Parameters", "Execution", "PipelineExperimentConfig", "Steps"
ROOTS = (PARAMETERS, EXECUTION, EXPERIMENT, STEPS)
EXPRESSION_KEYS = ("Get", "Std:Join", "Std:JsonGet")
EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)
EXPERIMENT_FIELDS = ("ExperimentName", "TrialName")

_QUOTED_OR_INDEX = r"\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d{1,9})\]"
_PROPERTY = re.compile(rf"(?:^|\.)([A-Za-z0-9_\-]+)|{_QUOTED_OR_INDEX}", re.ASCII)
# In a file of the user's own, keys may be anything; here only what has a meaning in a path must be quoted.
_KEY_OF_FILE = re.compile(rf"(?:^|\.)([^.\[\]'\"]+)|{_QUOTED_OR_INDEX}", re.ASCII)


@dataclass(frozen=True)
class Get:
    """A parsed Get: `root` is one of ROOTS, `path` what follows."""

    root: str
    path: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """The parameter, execution variable, field or step that is meant."""
        return str(self.path[0])


@dataclass(frozen=True)
class JsonGet:
    """A parsed Std:JsonGet; it reads a step's property file, or an S3 URI that is an expression itself."""

    path: tuple[str | int, ...]
    step: str | None = None
    property_file: str | None = None
    s3_uri: JSON = None


def parse_path(text: str, *, where: str, of_file: bool = False) -> tuple[str | int, ...]:
    """Split "A.B['k'][0]" into its parts.

    Args:
        text: the path.
        where: its place, for messages.
        of_file: whether it leads into a JSON file, where keys may hold more characters.

    Raises:
        DefinitionError: the text is no such path.
    """
    pattern = _KEY_OF_FILE if of_file else _PROPERTY
    parts: list[str | int] = []
    position = 0
    while position < len(text) and (token := pattern.match(text, position)):
        name, single, double, index = token.groups()
        parts.append(
            int(index) if index is not None else next(p for p in (name, single, double) if p is not None)
        )
        position = token.end()
    if not parts or position < len(text):
        example = "metrics['a b'][0].value" if of_file else "Steps.Name.Field['key'][0]"
        raise DefinitionError(f"{where}: '{text}' is not a path such as {example}")
    return tuple(parts)


def parse_get(text: JSON, *, where: str) -> Get:
    """Read the value of a Get.

    Raises:
        DefinitionError: it is not a path, or does not begin with one of ROOTS.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{where}: Get takes a string, not {text!r}")
    root, *path = parse_path(text, where=where)
    if root not in ROOTS or not path:
        raise DefinitionError(f"{where}: '{text}' does not begin with {'., '.join(ROOTS)}.")
    if root != STEPS and len(path) > 1:
        raise DefinitionError(f"{where}: '{text}': nothing can follow {root}.{path[0]}")
    return Get(str(root), tuple(path))


def parse_join(body: JSON, *, where: str) -> tuple[str, list[JSON]]:
    """Read the value of a Std:Join: its separator and its values.

    Raises:
        DefinitionError: it is malformed.
    """
    body = an_object(body, where)
    separator = body.get("On", "")
    if not isinstance(separator, str):
        raise DefinitionError(f"{where}.On: {separator!r} must be a string")
    if "Values" not in body:
        raise DefinitionError(f"{where}: Std:Join needs Values")
    return separator, listed(body["Values"], f"{where}.Values")


def parse_json_get(body: JSON, *, where: str) -> JsonGet:
    """Read the value of a Std:JsonGet.

    Raises:
        DefinitionError: Path is no literal path, or the source is neither a property file nor an S3 URI.
    """
    if not isinstance(body, dict) or not isinstance(body.get("Path"), str):
        raise DefinitionError(
            f"{where}: Std:JsonGet needs a Path that is a literal string, not an expression"
        )
    path = parse_path(str(body["Path"]), where=f"{where}.Path", of_file=True)
    if ("S3Uri" in body) == ("PropertyFile" in body):
        raise DefinitionError(f"{where}: Std:JsonGet needs either a PropertyFile or an S3Uri")
    if "S3Uri" in body:
        return JsonGet(path, s3_uri=_joined_uri(body["S3Uri"], f"{where}.S3Uri"))
    source = an_object(body["PropertyFile"], f"{where}.PropertyFile")
    get = parse_get(source.get("Get"), where=f"{where}.PropertyFile")
    if get.root != STEPS or len(get.path) != 3 or get.path[1] != "PropertyFiles":
        raise DefinitionError(f"{where}.PropertyFile: '{source['Get']}' is not Steps.NAME.PropertyFiles.FILE")
    return JsonGet(path, step=get.name, property_file=str(get.path[2]))


def _joined_uri(node: JSON, where: str) -> JSON:
    if not isinstance(node, dict) or list(node) != ["Std:Join"]:
        raise DefinitionError(f'{where}: must be a {{"Std:Join": …}}, also around a single value')
    for index, value in enumerate(parse_join(node["Std:Join"], where=where)[1]):
        if isinstance(value, (dict, list)) and not (is_expression(value) and "Get" in value):
            raise DefinitionError(
                f"{where}.Values[{index}]: must be a literal, a parameter, an execution variable or a "
                "property"
            )
    return node


def is_expression(node: JSON) -> bool:
    """Whether a node is to be replaced by a value."""
    return isinstance(node, dict) and len(node) == 1 and next(iter(node)) in EXPRESSION_KEYS


def references(node: JSON, where: str) -> Iterator[tuple[str, Get | JsonGet]]:
    """Every Get and Std:JsonGet below a node, with the place where it stands.

    Raises:
        DefinitionError: an expression is malformed.
    """
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, f"{where}[{index}]")
    elif isinstance(node, dict):
        yield from _references_of_object(node, where)


def _references_of_object(node: Mapping[str, JSON], where: str) -> Iterator[tuple[str, Get | JsonGet]]:
    _check_functions(node, where)
    if len(node) == 1 and "Get" in node:
        yield where, parse_get(node["Get"], where=where)
    elif "Std:Join" in node:
        yield from _references_of_join(node["Std:Join"], where)
    elif "Std:JsonGet" in node:
        found = parse_json_get(node["Std:JsonGet"], where=where)
        yield where, found
        yield from references(found.s3_uri, f"{where}.S3Uri")
    else:
        for key, value in node.items():
            yield from references(value, f"{where}.{key}")


def _references_of_join(body: JSON, where: str) -> Iterator[tuple[str, Get | JsonGet]]:
    for index, value in enumerate(parse_join(body, where=where)[1]):
        if value is None or (isinstance(value, (dict, list)) and not is_expression(value)):
            raise DefinitionError(
                f"{where}.Values[{index}]: {value!r} cannot be joined; give strings, numbers or expressions"
            )
        yield from references(value, f"{where}.Values[{index}]")


def _check_functions(node: Mapping[str, JSON], where: str) -> None:
    for key in node:
        if not key.startswith("Std:"):
            continue
        if key not in EXPRESSION_KEYS:
            raise DefinitionError(
                f"{where}: no function is named '{key}'{did_you_mean(key, EXPRESSION_KEYS[1:])}"
            )
        if len(node) > 1:
            others = ", ".join(other for other in node if other != key)
            raise DefinitionError(f"{where}: {key} must stand alone; move {others} out of its object")
