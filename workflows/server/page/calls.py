"""What the page's buttons do: the calls that a client of SageMaker's would make, checked in the same way."""

import json
import secrets
from functools import cache

from workflows.definition.model import JSON
from workflows.server.json_protocol import JsonService
from workflows.server.machine import Machine
from workflows.server.sagemaker.operations import OPERATIONS


def call(machine: Machine, operation: str, **given: JSON) -> None:
    """Make one call.

    Raises:
        AwsError: what a client would be answered.
    """
    service = _service()
    service.call(machine, f"{service.prefix}.{operation}", json.dumps(given).encode())


def fresh_token() -> str:
    """For calls that ask for a ClientRequestToken."""
    return secrets.token_hex(16)


@cache
def _service() -> JsonService:
    return JsonService("sagemaker", OPERATIONS)
