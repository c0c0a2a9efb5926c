"""S3's errors: codes, statuses and wordings as the API's reference lists them."""

from collections.abc import Mapping

from workflows.server.errors import AwsError

_STATUS: Mapping[str, int] = {
    "AccessDenied": 403,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "MethodNotAllowed": 405,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "OperationAborted": 409,
    "MissingContentLength": 411,
    "PreconditionFailed": 412,
    "InvalidRange": 416,
    "InvalidPartNumber": 416,
    "InternalError": 500,
    "NotImplemented": 501,
    "SlowDown": 503,
}


def s3_error(code: str, message: str, **fields: object) -> AwsError:
    """An error with the status that S3 gives it, 400 for most; `fields` become elements of the answer."""
    return AwsError(code, message, status=_STATUS.get(code, 400), **fields)


def invalid_argument(message: str, name: str, value: object) -> AwsError:
    """A header or a parameter has a value that S3 does not take."""
    return s3_error("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def invalid_request(message: str) -> AwsError:
    """A request contradicts itself, or is not possible on this machine."""
    return s3_error("InvalidRequest", message)


def no_such_bucket(bucket: str) -> AwsError:
    """There is no such bucket."""
    return s3_error("NoSuchBucket", "The specified bucket does not exist", BucketName=bucket)


def no_such_key(key: str) -> AwsError:
    """There is no such object."""
    return s3_error("NoSuchKey", "The specified key does not exist.", Key=key)


def no_such_upload(upload: str) -> AwsError:
    """A multipart upload has been completed or aborted, or there never was one."""
    message = (
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed."
    )
    return s3_error("NoSuchUpload", message, UploadId=upload)


def precondition_failed(condition: str) -> AwsError:
    """A condition of the request does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return s3_error("PreconditionFailed", message, Condition=condition)


def not_implemented(operation: str) -> AwsError:
    """Something that S3 has and this machine has not."""
    return s3_error(
        "NotImplemented", f"S3: {operation} is not available on this machine", Operation=operation
    )


def malformed_xml(reason: str) -> AwsError:
    """A body is not the XML that the operation takes."""
    message = (
        "The XML you provided was not well-formed or did not validate against our published schema"
        f" ({reason})"
    )
    return s3_error("MalformedXML", message)
