"""Requests in the shapes of botocore's service models, with one thing wrong in each."""

from botocore.model import ListShape, MapShape, StructureShape
from hypothesis import strategies as st

from workflows.server.shapes import service_model

# What a name, an ARN, a URI, a pattern, an expression or a number is not expected to be.
HOSTILE = (
    None,
    True,
    False,
    0,
    -1,
    2**31 - 1,
    2**31,
    2**63,
    2**64,
    10**400,
    -(2**63),
    0.5,
    1e308,
    -0.0,
    "",
    " ",
    ".",
    "..",
    "/",
    "-",
    "a" * 300,
    "a" * 100_000,
    "a-" * 30 + "\x01",
    "a " * 30 + "\x01",
    "ä\u0301\u202e\U0001f426",
    "\0",
    "a\0b",
    "\r\nX-Injected: 1",
    "\ud800",
    "../../outside",
    "s3://../../outside",
    "s3://control/../../outside",
    "s3://control/%2e%2e/outside",
    "s3://",
    "s3:///",
    "s3://a",
    "s3://a/" + "b/" * 600,
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/../control",
    "arn:aws:sagemaker:::",
    "arn:::::",
    "arn:aws:s3:::a",
    "%s%n{0}{x.__class__}",
    "${jndi:ldap://a}",
    "'; DROP TABLE records; --",
    "$.a[*]..['b']",
    "$" + ".a" * 5000,
    "(a+)+$",
    "[",
    "*" * 1000,
    "(" * 5000,
    "{}",
    "[]",
    "null",
    "{" * 5000,
    '{"a":' * 5000,
    '{"Version": "2020-12-01", "Steps": [{"Name": "\\ud800", "Type": "Condition"}]}',
    '{"Version": "2020-12-01", "Steps": [null]}',
    '{"Version": NaN, "Steps": 1e999}',
    "rate(0 days)",
    "rate(99999999999999999999 days)",
    "at(9999-12-31T23:59:59)",
    "at(0001-01-01T00:00:00)",
    "cron(0 0 31 2 ? *)",
    "cron(*/0 * * * ? *)",
    "cron(0-99999999999 * * * ? *)",
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "LTE=",
    "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    "WyJhIiwgLTFd",
    "f/99999999999999999999999999/s",
    "99999999999999999999/99999999999999999999/a",
    [],
    [None],
    [[]],
    [{}],
    ["a"] * 1000,
    {},
    {"a": {"a": {"a": []}}},
    {"": ""},
)
_DEEPEST = 3
_TEXTS = ("fuzz", "s3://toys/fuzz", "1", "a")


def operations(service, names):
    """The models of these operations."""
    model = service_model(service)
    return [model.operation_model(name) for name in sorted(names)]


@st.composite
def of_shape(draw, shape, depth=0):
    """A value that a shape allows, as far as its model says."""
    if isinstance(shape, StructureShape):
        wanted = set(shape.required_members)
        optional = [name for name in shape.members if name not in wanted]
        if depth < _DEEPEST and optional:
            wanted |= draw(st.sets(st.sampled_from(optional), max_size=3))
        return {name: draw(of_shape(shape.members[name], depth + 1)) for name in sorted(wanted)}
    if isinstance(shape, ListShape):
        least = int(shape.metadata.get("min", 0))
        most = least if depth > _DEEPEST else max(least, 2)
        return draw(st.lists(of_shape(shape.member, depth + 1), min_size=least, max_size=most))
    if isinstance(shape, MapShape):
        value = of_shape(shape.value, depth + 1)
        return draw(st.dictionaries(st.sampled_from(_TEXTS), value, max_size=1 if depth < _DEEPEST else 0))
    return draw(_scalar(shape))


def _scalar(shape):
    if shape.metadata.get("enum"):
        return st.sampled_from(shape.metadata["enum"])
    if shape.type_name in ("integer", "long"):
        least = int(shape.metadata.get("min", 0))
        return st.integers(least, min(int(shape.metadata.get("max", least + 3)), least + 3))
    if shape.type_name in ("float", "double"):
        return st.floats(0, 1)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name == "timestamp":
        return st.integers(0, 2**31)
    pattern = shape.metadata.get("pattern", "")
    if pattern.startswith("arn"):
        return st.just("arn:aws:sagemaker:eu-west-1:123456789012:model-package/fuzz/1")
    least = int(shape.metadata.get("min", 0))
    return st.sampled_from([text.ljust(least, "0") for text in _TEXTS])


@st.composite
def broken(draw, document):
    """A document with one value replaced, somewhere in it, by one that is not expected there."""
    places = list(_places(document, ()))
    place = draw(st.sampled_from(places)) if places else ()
    value = draw(st.sampled_from(HOSTILE))
    return _replaced(document, place, value) if place else document


def _places(value, at):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from _places(item, (*at, key))


def _replaced(value, place, new):
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _replaced(copy[place[0]], place[1:], new)
    return copy
