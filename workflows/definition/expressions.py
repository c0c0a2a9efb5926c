"""The expressions inside a definition: what they refer to, and where they stand.

{"Get": "Parameters.X"}, {"Get": "Execution.X"}, {"Get": "Steps.N.A['k'][0]"},
{"Std:Join": {"On": ..., "Values": [...]}} and {"Std:JsonGet": {"PropertyFile" or "S3Uri": ..., "Path": ...}}.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.errors import DefinitionError
from workflows.definition.model import JSON

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

_HEAD = re.compile(r"[A-Za-z0-9_\-]+")
_TOKEN = re.compile(r"\.([A-Za-z0-9_\-]+)|\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d+)\]")


@dataclass(frozen=True)
class Get:
    """A parsed Get: `root` is Parameters, Execution or Steps, `path` what follows."""

    root: str
    path: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """The parameter, execution variable or step that is meant."""
        return str(self.path[0])


@dataclass(frozen=True)
class JsonGet:
    """A parsed Std:JsonGet; it reads a step's property file, or an S3 URI that is an expression itself."""

    path: tuple[str | int, ...]
    step: str | None = None
    property_file: str | None = None
    s3_uri: JSON = None


def parse_path(text: str, *, where: str) -> tuple[str | int, ...]:
    """Split "A.B['k'][0]" into its parts.

    Raises:
        DefinitionError: the text is no such path.
    """
    head = _HEAD.match(text)
    parts: list[str | int] = [head.group()] if head else []
    position = head.end() if head else 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            break
        name, single, double, index = token.groups()
        parts.append(
            int(index) if index is not None else next(p for p in (name, single, double) if p is not None)
        )
        position = token.end()
    if not parts or position < len(text):
        raise DefinitionError(f"{where}: '{text}' is not a path such as Steps.Name.Field['key'][0]")
    return tuple(parts)


def parse_get(text: JSON, *, where: str) -> Get:
    """Read the value of a Get.

    Raises:
        DefinitionError: it is not a path, or does not begin with Parameters, Execution or Steps.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{where}: Get takes a string, not {text!r}")
    root, *path = parse_path(text, where=where)
    if root not in ("Parameters", "Execution", "Steps") or not path:
        raise DefinitionError(f"{where}: '{text}' does not begin with Parameters., Execution. or Steps.")
    return Get(str(root), tuple(path))


def parse_json_get(body: JSON, *, where: str) -> JsonGet:
    """Read the value of a Std:JsonGet.

    Raises:
        DefinitionError: Path is no literal path, or the source is neither a property file nor an S3 URI.
    """
    if not isinstance(body, dict) or not isinstance(body.get("Path"), str):
        raise DefinitionError(f"{where}: Std:JsonGet needs a literal Path")
    path = parse_path(str(body["Path"]), where=f"{where}.Path")
    if "S3Uri" in body:
        return JsonGet(path, s3_uri=body["S3Uri"])
    source = body.get("PropertyFile")
    if not isinstance(source, dict) or "Get" not in source:
        raise DefinitionError(f"{where}: Std:JsonGet needs a PropertyFile or an S3Uri")
    get = parse_get(source["Get"], where=f"{where}.PropertyFile")
    if get.root != "Steps" or len(get.path) != 3 or get.path[1] != "PropertyFiles":
        raise DefinitionError(f"{where}.PropertyFile: '{source['Get']}' is not Steps.NAME.PropertyFiles.FILE")
    return JsonGet(path, step=get.name, property_file=str(get.path[2]))


def is_expression(node: JSON) -> bool:
    """Whether a node is to be replaced by a value."""
    return isinstance(node, dict) and len(node) == 1 and next(iter(node)) in EXPRESSION_KEYS


def references(node: JSON, where: str) -> Iterator[tuple[str, Get | JsonGet]]:
    """Every Get and Std:JsonGet below a node, with the place where it stands."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, f"{where}[{index}]")
    elif isinstance(node, dict):
        yield from _references_of_object(node, where)


def _references_of_object(node: Mapping[str, JSON], where: str) -> Iterator[tuple[str, Get | JsonGet]]:
    if "Get" in node and len(node) == 1:
        yield where, parse_get(node["Get"], where=where)
    elif "Std:JsonGet" in node:
        found = parse_json_get(node["Std:JsonGet"], where=where)
        yield where, found
        yield from references(found.s3_uri, f"{where}.S3Uri")
    else:
        for key, value in node.items():
            yield from references(value, f"{where}.{key}")
