"""JSON from outside, read without trust: the bodies of requests, and documents in their members."""

import json

from workflows.definition.model import JSON
from workflows.server.errors import AwsError

# The deepest shape of a service that is not recursive has a dozen levels.
_DEEPEST = 100
_TOO_DEEP = f"it has more than {_DEEPEST} levels"


def read_document(body: bytes) -> JSON:
    """The document in a body; an empty one stands for an empty object.

    Raises:
        AwsError: SerializationException.
    """
    try:
        return parse_json((body or b"{}").decode())
    except ValueError as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from None


def parse_json(text: str) -> JSON:
    """A document that can be stored, sent and walked through.

    Raises:
        ValueError: it is no JSON, nested without end, or has characters that are none.
    """
    try:
        document: JSON = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if "\\ud" in text.lower():
        # Half of a surrogate pair is no character.
        json.dumps(document, ensure_ascii=False).encode()
    if _is_deep(document):
        raise ValueError(_TOO_DEEP)
    return document


def _refuse(constant: str) -> JSON:
    raise ValueError(f"{constant} is no number")


def _is_deep(document: JSON) -> bool:
    level: list[JSON] = [document]
    for _ in range(_DEEPEST):
        level = [item for value in level for item in _items(value)]
    return bool(level)


def _items(value: JSON) -> list[JSON]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
