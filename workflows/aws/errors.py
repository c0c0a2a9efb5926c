"""What AWS's clients raise, told as what is wrong and what to do.

WorkflowError
└── CloudError             a call was refused, or never arrived
    ├── NotFound           what it names does not exist
    └── Unreachable        there are no credentials, or no answer
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions

from workflows.definition.errors import WorkflowError

_NOT_FOUND = re.compile(r"could not find|does not exist|not found|cannot find", re.IGNORECASE)
_DENIED = re.compile(
    r"(?P<who>arn:\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<resource>[^\s\"]+))?"
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN_KEY = ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure")
_DENIALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
_MISSING = ("ResourceNotFound", "ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "404")


class CloudError(WorkflowError):
    """A call was refused, or never arrived."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotFound(CloudError):
    """What the call names does not exist."""


class Unreachable(CloudError):
    """There are no credentials, or no answer."""


@contextmanager
def told() -> Iterator[None]:
    """Turn what botocore raises in the block into a CloudError.

    Raises:
        CloudError: with what to do about it.
    """
    try:
        yield
    except exceptions.ClientError as error:
        raise refusal(error) from None
    except exceptions.BotoCoreError as error:
        raise _unsent(error) from None


def code_of(error: exceptions.ClientError) -> str:
    """The service's own code, such as ValidationException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: exceptions.ClientError) -> str:
    """What the service says."""
    return str(error.response.get("Error", {}).get("Message", error))


def is_missing(error: exceptions.ClientError) -> bool:
    """Whether the call named what does not exist; SageMaker's older calls have no code for that."""
    code = code_of(error)
    return code in _MISSING or (
        code == "ValidationException" and _NOT_FOUND.search(message_of(error)) is not None
    )


def refusal(error: exceptions.ClientError) -> CloudError:
    """A service's refusal, with what to do about it."""
    code, message, operation = code_of(error), message_of(error), error.operation_name
    if code in _EXPIRED:
        return Unreachable(
            f"{operation}: the credentials have expired; sign in again (such as `aws sso login`)", code=code
        )
    if code in _UNKNOWN_KEY:
        return Unreachable(
            f"{operation}: AWS does not know these credentials ({code}); `aws sts get-caller-identity` shows "
            "whose they are",
            code=code,
        )
    if code in _DENIALS:
        return CloudError(f"{operation} is not allowed: {message}{_statement(message)}", code=code)
    if code in _THROTTLED:
        return CloudError(f"{operation}: AWS has too many requests ({message}); try again later", code=code)
    kind = NotFound if is_missing(error) else CloudError
    return kind(f"{operation}: {message}" + (f" ({code})" if code else ""), code=code)


def _statement(message: str) -> str:
    """The line that a policy lacks, where the message names it."""
    found = _DENIED.search(message)
    if found is None:
        return ""
    resource = found["resource"] or "*"
    return (
        f"; add to the policy of {found['who']}: "
        f'{{"Effect": "Allow", "Action": "{found["action"]}", "Resource": "{resource}"}}'
    )


def _unsent(error: exceptions.BotoCoreError) -> CloudError:
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return Unreachable(
            "there are no AWS credentials; run `aws configure` or `aws sso login`, or set AWS_PROFILE. "
            "`--on local` needs none"
        )
    if isinstance(error, (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError)):
        return Unreachable(
            f"{error}; check the network, and that the region exists (`workflows settings` shows it)"
        )
    return CloudError(str(error))
