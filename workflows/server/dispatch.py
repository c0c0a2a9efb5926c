"""Which AWS service a request is for: all of them are asked at one address here.

AWS tells services apart by host name. Behind one endpoint URL there are other signs: the prefix of the
operation in X-Amz-Target, the service in the scope that a request is signed for (Signature Version 4), and
the path.
"""

import re
from collections.abc import Mapping

# Prefix of X-Amz-Target -> botocore's name, for services that answer here; requests need not be signed.
_TARGETS: Mapping[str, str] = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "AWSEvents": "events",
}
# "AWS4-HMAC-SHA256 Credential=KEY/20260101/eu-west-1/sts/aws4_request, ..."; of a signature for several
# regions (AWS4-ECDSA-P256-SHA256) the scope has no region.
_CREDENTIAL = re.compile(r"\bCredential=([^,\s]+)")
_SCOPE_END = "aws4_request"
_RUNTIME_PATH = re.compile(
    r"/endpoints/[^/]+/(invocations|async-invocations|invocations-response-stream|"
    r"invocations-bidirectional-stream)/?"
)
_SCHEDULER_PATH = re.compile(r"/(schedules|schedule-groups)(/[^/]+)?/?")
_FORM = "application/x-www-form-urlencoded"


def service_of(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The service that a request is for, as botocore or the signature's scope calls it.

    Args:
        method: GET, POST …
        path: decoded, with its leading slash.
        query: of the URL.
        headers: by lower-case names.

    Returns:
        One of sagemaker, sagemaker-runtime, s3, logs, sts, events, scheduler, or the name of a service that
        is none of ours. What bears no sign at all is for S3, whose objects may be asked for unsigned.
    """
    prefix = headers.get("x-amz-target", "").rpartition(".")[0]
    if prefix in _TARGETS:
        return _TARGETS[prefix]
    scope = _scope(query, headers)
    if scope == "sagemaker" and _RUNTIME_PATH.fullmatch(path):
        return "sagemaker-runtime"  # the two sign for the same name
    if scope is not None:
        return scope
    if prefix:
        return prefix.lower()
    return _unsigned(method, path, query, headers)


def _unsigned(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if method == "POST" and _RUNTIME_PATH.fullmatch(path):
        return "sagemaker-runtime"
    if _SCHEDULER_PATH.fullmatch(path):
        return "scheduler"
    is_form = method == "POST" and headers.get("content-type", "").startswith(_FORM)
    if path == "/" and (is_form or "Action" in query):
        # Of the query protocol only STS has operations for those who have no credentials yet.
        return "sts"
    return "s3"


def _scope(query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    """The service that a request is signed for, in its header or its query; None if it is not signed so."""
    found = _CREDENTIAL.search(headers.get("authorization", ""))
    credential = found.group(1) if found else query.get("X-Amz-Credential", "")
    parts = credential.split("/")
    # An access key may hold slashes; the end of a scope is always the same.
    return parts[-2].lower() or None if len(parts) >= 4 and parts[-1] == _SCOPE_END else None
