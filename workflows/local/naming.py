"""Names and ARNs as SageMaker makes them."""

import hashlib
import secrets
import string
from dataclasses import dataclass

_ALPHABET = string.ascii_lowercase + string.digits
_EXECUTION_ID_LENGTH = 12
_JOB_NAME_LIMIT = 63


@dataclass(frozen=True, kw_only=True)
class Names:
    """ARNs of one account and region."""

    region: str
    account: str

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource, such as arn:aws:sagemaker:REGION:ACCOUNT:training-job/NAME."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"


def new_execution_id() -> str:
    """A fresh pipeline execution id."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_EXECUTION_ID_LENGTH))


def execution_id_of(request: str) -> str:
    """The pipeline execution id that belongs to a request; the same for the same one."""
    number = int.from_bytes(hashlib.sha256(request.encode("utf-8", "surrogatepass")).digest())
    digits = ""
    while len(digits) < _EXECUTION_ID_LENGTH:
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits


def job_name(execution_id: str, step: str) -> str:
    """pipelines-<execution>-<step>-<10 characters>; the same for the same execution and step."""
    suffix = hashlib.sha256(f"{execution_id}/{step}".encode()).hexdigest()[:10]
    head = f"pipelines-{execution_id}-"
    # Job names take letters, digits and hyphens; step names underscores too.
    middle = step.replace("_", "-")[: _JOB_NAME_LIMIT - len(head) - len(suffix) - 1].rstrip("-")
    return f"{head}{middle}-{suffix}"
