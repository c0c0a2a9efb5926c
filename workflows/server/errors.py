"""Errors as AWS's APIs answer them."""


class AwsError(Exception):
    """An answer that is no success; `fields` are further members of its body."""

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: object) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.fields = code, message, status, fields


def validation(message: str) -> AwsError:
    """A value that the API does not accept."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """SageMaker's ResourceNotFound."""
    return AwsError("ResourceNotFound", message)


def in_use(message: str) -> AwsError:
    """SageMaker's ResourceInUse."""
    return AwsError("ResourceInUse", message)
