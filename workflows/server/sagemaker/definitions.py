"""Pipeline definitions out of requests: in the request itself, or stored where it says."""

from workflows.definition.errors import DefinitionError
from workflows.definition.loader import load
from workflows.definition.model import Definition
from workflows.local.objects import ObjectError
from workflows.local.request import Request
from workflows.server.errors import validation
from workflows.server.machine import Machine
from workflows.server.shapes import Input

_INLINE, _STORED = "PipelineDefinition", "PipelineDefinitionS3Location"
# The service's own limit for stored definitions is not documented; one must not fill the memory.
_MOST_BYTES = 32 * 1024 * 1024
_ONLY_VERSION = "null"  # what S3 calls that of an object in a bucket without versions


def given_definition(machine: Machine, given: Input) -> Definition | None:
    """The checked definition that a request carries, or None.

    Raises:
        AwsError: ValidationException: it is wrong, cannot be read, or stands in two places.
    """
    if given.get(_INLINE) is not None and given.get(_STORED) is not None:
        raise validation(f"{_INLINE} and {_STORED} cannot be specified together")
    try:
        if given.get(_STORED) is not None:
            return load(_stored_text(machine, Request(given, "")), source=_STORED, from_s3=True)
        if given.get(_INLINE) is not None:
            return load(str(given[_INLINE]), source=_INLINE)
    except DefinitionError as error:
        raise validation(str(error)) from None
    return None


def _stored_text(machine: Machine, given: Request) -> str:
    version = given.text(f"{_STORED}.VersionId", _ONLY_VERSION)
    if version != _ONLY_VERSION:
        raise validation(f"{_STORED}: objects have no versions on this machine; leave out VersionId")
    uri = f"s3://{given.text(f'{_STORED}.Bucket')}/{given.text(f'{_STORED}.ObjectKey')}"
    objects = machine.store.objects
    try:
        path = objects.path(uri)
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise validation(f"{uri} is larger than {_MOST_BYTES} bytes")
        return objects.read(uri).decode()
    except ObjectError as error:
        raise validation(str(error)) from None
    except UnicodeError:
        raise validation(f"{_STORED}: {uri!r} is not UTF-8 text") from None
    except OSError as error:
        raise validation(f"{uri} cannot be read: {error.strerror}") from None
