"""Each step's arguments against the request that they become."""

from collections.abc import Iterator, Mapping

from workflows.definition.errors import did_you_mean
from workflows.definition.expressions import is_expression
from workflows.definition.model import JSON
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import own_arguments
from workflows.preflight.findings import Finding, Path, Rule, Severity, spoken
from workflows.preflight.patterns import matches
from workflows.preflight.service import OPERATIONS, Shape
from workflows.preflight.values import TAKEN, Value, kind_of

_SOURCE = "botocore's model of SageMaker 2017-07-24, shape of the request"
_REFUSED = "The service refuses the request when the step starts; what ran before it has been paid for."
_NEWER = "; if it is newer than this installation's botocore, update that"

MISSING = Rule(
    identifier="missing-field",
    severity=Severity.ERROR,
    title="A field that the request must have is absent",
    why=_REFUSED,
    source=_SOURCE,
)
UNKNOWN_FIELD = Rule(
    identifier="unknown-field",
    severity=Severity.ERROR,
    title="The request has no such field",
    why=_REFUSED,
    source=_SOURCE,
)
WRONG_TYPE = Rule(
    identifier="wrong-type",
    severity=Severity.ERROR,
    title="A value, or what an expression becomes, has another type than the field",
    why=f"{_REFUSED} A number parameter becomes a string by a Std:Join around it.",
    source=f"{_SOURCE}; SageMaker SDK, to_string() of pipeline variables",
)
NOT_A_CHOICE = Rule(
    identifier="not-a-choice",
    severity=Severity.ERROR,
    title="A value is none of those that the field takes",
    why=_REFUSED,
    source=_SOURCE,
)
WRONG_FORM = Rule(
    identifier="wrong-form",
    severity=Severity.ERROR,
    title="A string has not the form that the field asks for",
    why=_REFUSED,
    source=_SOURCE,
)
WRONG_LENGTH = Rule(
    identifier="wrong-length",
    severity=Severity.ERROR,
    title="A string, list or map is too long or too short",
    why=_REFUSED,
    source=_SOURCE,
)
OUT_OF_RANGE = Rule(
    identifier="out-of-range",
    severity=Severity.ERROR,
    title="A number is smaller or larger than the field takes",
    why=_REFUSED,
    source=_SOURCE,
)
_SHORT = 80
_LITERALS = {"structure": dict, "map": dict, "list": list}
_ARTICLES = {
    "string": "a string",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
    "structure": "an object",
    "map": "an object",
    "list": "a list",
    "timestamp": "a time",
    "blob": "a string",
}


def _find(context: Context) -> Iterator[Finding]:
    for step in context.of_type(*OPERATIONS):
        shape = context.service.request(step.type)
        if shape is None or not isinstance(step.node.get("Arguments"), dict):
            continue
        walk = _Walk(context, step.arguments_path)
        yield from walk.structure(
            own_arguments(step), shape, step.arguments_path, filled_in=OPERATIONS[step.type].filled_in
        )


CHECK = Check(
    rules=(
        MISSING,
        UNKNOWN_FIELD,
        WRONG_TYPE,
        NOT_A_CHOICE,
        WRONG_FORM,
        WRONG_LENGTH,
        OUT_OF_RANGE,
    ),
    find=_find,
)


class _Walk:
    """Goes down a request and its shape together."""

    def __init__(self, context: Context, root: Path) -> None:
        self._context = context
        self._shapes = context.service.shapes
        self._depth = len(root)

    def structure(
        self, node: Mapping[str, JSON], name: str, path: Path, *, filled_in: tuple[str, ...] = ()
    ) -> Iterator[Finding]:
        shape = self._shapes[name]
        members = shape["members"]
        for member in shape.get("required", ()):
            if member not in node and member not in filled_in:
                yield MISSING.at(
                    path,
                    f"{self._place(path, member)} is missing",
                    f"add {member}: {_ARTICLES[self._shapes[members[member]['shape']]['type']]}",
                )
        for key, value in node.items():
            if key in members:
                yield from self._value(value, members[key]["shape"], (*path, key))
            else:
                yield UNKNOWN_FIELD.at(
                    (*path, key),
                    f"{self._place(path, key)}: the request has no such field"
                    f"{did_you_mean(key, list(members))}",
                    f"remove or rename it{_NEWER}",
                )

    def _value(self, node: JSON, name: str, path: Path) -> Iterator[Finding]:
        shape = self._shapes[name]
        kind = shape["type"]
        if is_expression(node):
            yield from self._expression(self._context.resolve(node), shape, path)
        elif isinstance(node, dict) and any(key.startswith("Std:") for key in node):
            return  # a malformed expression, which another rule tells
        elif not _fits(node, kind):
            yield self._wrong_type(path, _shown(node), kind)
        elif isinstance(node, dict):
            yield from self._counted(node, shape, path)
            if kind == "structure":
                yield from self.structure(node, name, path)
            else:
                yield from self._map(node, shape, path)
        elif isinstance(node, list):
            yield from self._counted(node, shape, path)
            for index, entry in enumerate(node):
                yield from self._value(entry, shape["member"]["shape"], (*path, index))
        else:
            yield from self._scalar(node, shape, path)

    def _map(self, node: Mapping[str, JSON], shape: Shape, path: Path) -> Iterator[Finding]:
        for key, value in node.items():
            yield from self._scalar(key, self._shapes[shape["key"]["shape"]], (*path, key))
            yield from self._value(value, shape["value"]["shape"], (*path, key))

    def _expression(self, value: Value, shape: Shape, path: Path) -> Iterator[Finding]:
        kind = shape["type"]
        if not value.kinds & TAKEN[kind]:
            kinds = " or ".join(sorted(value.kinds))
            yield self._wrong_type(path, f"what the expression leads to ({kinds})", kind)
        elif value.is_known and _fits(value.value, kind) and not isinstance(value.value, (dict, list)):
            yield from self._scalar(value.value, shape, path)
        elif value.prefix and _is_uri(shape) and not _begins_like_uri(value.prefix):
            yield WRONG_FORM.at(
                path,
                f"{self._place(path)} will begin with {_shown(value.prefix)}, which is no URI",
                "begin it with s3://",
            )
        for choice in value.choices:
            if "enum" in shape and choice not in shape["enum"] and choice != value.value:
                yield NOT_A_CHOICE.mildly_at(
                    path,
                    f"{self._place(path)}: its parameter may be {choice!r}, which is none of what the field "
                    f"takes{did_you_mean(choice, shape['enum'])}",
                    "remove it from the parameter's EnumValues",
                )

    def _scalar(self, value: JSON, shape: Shape, path: Path) -> Iterator[Finding]:
        if isinstance(value, str):
            yield from self._string(value, shape, path)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            lowest, highest = shape.get("min"), shape.get("max")
            if (lowest is not None and value < lowest) or (highest is not None and value > highest):
                yield OUT_OF_RANGE.at(
                    path,
                    f"{self._place(path)}: {value} is not {_between(lowest, highest)}",
                    f"write a number {_between(lowest, highest)}",
                )

    def _string(self, value: str, shape: Shape, path: Path) -> Iterator[Finding]:
        if "enum" in shape:
            if value not in shape["enum"]:
                yield NOT_A_CHOICE.at(
                    path,
                    f"{self._place(path)}: {_shown(value)} is none of what the field takes"
                    f"{did_you_mean(value, shape['enum'])}",
                    f"write one of them{_NEWER}",
                )
            return
        lengths = list(self._counted(value, shape, path))
        yield from lengths
        pattern = shape.get("pattern")
        # A text of any length is not matched: some of the patterns take their time.
        if pattern and not lengths and not matches(pattern, value):
            yield WRONG_FORM.at(
                path,
                f"{self._place(path)}: {_shown(value)} has not the form that the field asks for",
                f"it must match {pattern}",
            )

    def _counted(
        self, value: str | list[JSON] | dict[str, JSON], shape: Shape, path: Path
    ) -> Iterator[Finding]:
        lowest, highest = shape.get("min"), shape.get("max")
        if (lowest is None or len(value) >= lowest) and (highest is None or len(value) <= highest):
            return
        unit = "characters" if isinstance(value, str) else "entries"
        yield WRONG_LENGTH.at(
            path,
            f"{self._place(path)} has {len(value)} {unit}; it must have {_between(lowest, highest)}",
            "shorten it" if highest is not None and len(value) > highest else "add what is missing",
        )

    def _wrong_type(self, path: Path, what: str, kind: str) -> Finding:
        remedy = f"give {_ARTICLES[kind]}"
        if kind == "string":
            remedy += '; a number parameter becomes one in {"Std:Join": {"On": "", "Values": […]}}'
        return WRONG_TYPE.at(path, f"{self._place(path)}: {what} is not {_ARTICLES[kind]}", remedy)

    def _place(self, path: Path, *more: str) -> str:
        return spoken((*path[self._depth :], *more)) or "Arguments"


def _fits(node: JSON, kind: str) -> bool:
    if node is None:
        return False
    if kind in _LITERALS:
        return isinstance(node, _LITERALS[kind])
    return kind_of(node) in TAKEN[kind]


def _is_uri(shape: Shape) -> bool:
    return "s3)://" in str(shape.get("pattern", ""))


def _begins_like_uri(prefix: str) -> bool:
    """Whether the text may begin a URI; a short one may be the beginning of its scheme."""
    return any(prefix.startswith(scheme) or scheme.startswith(prefix) for scheme in ("s3://", "https://"))


def _between(lowest: float | None, highest: float | None) -> str:
    if lowest is None or highest is None:
        return f"at most {highest}" if lowest is None else f"at least {lowest}"
    return f"exactly {lowest}" if lowest == highest else f"from {lowest} to {highest}"


def _shown(value: JSON) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
