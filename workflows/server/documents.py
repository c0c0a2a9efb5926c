"""JSON out of the bodies of requests, read without trust."""

import json

from workflows.definition.model import JSON
from workflows.server.errors import AwsError

# The deepest shape of a service that is not recursive has a dozen levels.
_DEEPEST = 100


def read_document(body: bytes) -> JSON:
    """The document in a body; an empty one stands for an empty object.

    Raises:
        AwsError: SerializationException; it is no JSON, nested without end, or has characters that are none.
    """
    try:
        document: JSON = json.loads(body or b"{}", parse_constant=_refuse)
        if b"\\ud" in body.lower():
            # Half of a surrogate pair is no character: it could be neither stored nor sent.
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request body is not JSON") from None
    if _is_deep(document):
        raise AwsError("SerializationException", f"The request body has more than {_DEEPEST} levels")
    return document


def _refuse(constant: str) -> JSON:
    raise ValueError(f"{constant} is no number in JSON")


def _is_deep(document: JSON) -> bool:
    level: list[JSON] = [document]
    for _ in range(_DEEPEST):
        level = [item for value in level for item in _items(value)]
    return bool(level)


def _items(value: JSON) -> list[JSON]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
