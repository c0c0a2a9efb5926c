"""Tokens that say where the next page of a list starts."""

import base64
import binascii

from workflows.server.s3.errors import invalid_argument


def write_token(last: str) -> str:
    """The token for what comes after an entry."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_token(token: str | None) -> str | None:
    """The entry in a token.

    Raises:
        AwsError: it is none of ours.
    """
    if token is None:
        return None
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        message = "The continuation token provided is incorrect"
        raise invalid_argument(message, "continuation-token", token) from None
