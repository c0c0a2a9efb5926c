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
    r"(?: on resource: \"?(?P<resource>[^\s\"]+))?"
)
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.*")
# A signature that is refused is answered with what was signed, the session's token in it.
_SIGNED = re.compile(r"\s*The Canonical String for this request.*", re.DOTALL)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN_KEY = (
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "AuthFailure",
    "InvalidToken",
)
_BAD_SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed")
_DENIALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_THROTTLED = (
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
)
_MISSING = ("ResourceNotFound", "ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "404")
# Part of an address that may hold a password.
_USER = re.compile(r"(?<=://)[^/@\s]+@")
# Codes of what is the request's fault; what is missing has none of its own in SageMaker's older calls.
_INVALID = ("ValidationException", "ValidationError")
_ELSEWHERE = (
    "301",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
)
_SERVER_FAULT = 500
_NOT_SIGNED_IN = (
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
    exceptions.LoginError,
)


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
    """What the service says, without what it repeats of the request's signature."""
    return _SIGNED.sub("", str(error.response.get("Error", {}).get("Message", error)))


def is_missing(error: exceptions.ClientError) -> bool:
    """Whether the call named what does not exist; SageMaker's older calls have no code for that."""
    code = code_of(error)
    return code in _MISSING or (code in _INVALID and _NOT_FOUND.search(message_of(error)) is not None)


def is_passing(error: exceptions.ClientError | exceptions.BotoCoreError) -> bool:
    """Whether the same call may succeed later: too many requests, a fault of the service, no answer."""
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in _THROTTLED or status >= _SERVER_FAULT
    return isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError))


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
    if code in _BAD_SIGNATURE:
        return Unreachable(
            f"{operation}: {message} ({code}). Either the secret key does not belong to the access key, or "
            "this machine's clock is wrong",
            code=code,
        )
    if code in _DENIALS:
        return CloudError(f"{operation} is not allowed: {message}{_statement(message)}", code=code)
    if code in _THROTTLED:
        return CloudError(f"{operation}: AWS has too many requests ({message}); try again later", code=code)
    kind = NotFound if is_missing(error) else CloudError
    hint = "; what it names is in another region (`workflows settings`)" if code in _ELSEWHERE else ""
    return kind(f"{operation}: {message}{hint}" + (f" ({code})" if code else ""), code=code)


def _statement(message: str) -> str:
    """The line that a policy lacks, where the message names it; a denial needs none, it has to go."""
    found = _DENIED.search(message)
    if found is None or "explicit deny" in message:
        return ""
    who = _SESSION.sub(r"arn:\g<partition>:iam::\g<account>:role/\g<role>", found["who"])
    # A sentence may end behind it.
    resource = (found["resource"] or "*").rstrip(".,;")
    return (
        f"; add to the policy of {who}: "
        f'{{"Effect": "Allow", "Action": "{found["action"]}", "Resource": "{resource}"}}'
    )


def _unsent(error: exceptions.BotoCoreError) -> CloudError:
    message = _USER.sub("", str(error))
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return Unreachable(
            "there are no AWS credentials; run `aws configure` or `aws sso login`, or set AWS_PROFILE. "
            "`--on local` needs none"
        )
    if isinstance(error, _NOT_SIGNED_IN):
        return Unreachable(f"{message}; sign in again (such as `aws sso login`)")
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return Unreachable(
            f"{message}; check the network, and that the region exists (`workflows settings` shows it)"
        )
    return CloudError(message)
