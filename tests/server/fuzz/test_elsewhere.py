"""The services behind signatures: moto's, and those that are asked by a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.fuzz.asking import check, check_json, check_shape, fuzzed, is_no_http

SERVICES = (
    "iam",
    "ecr",
    "dynamodb",
    "sagemaker",
    "s3",
    "sts",
    "logs",
    "events",
    "scheduler",
    "",
    "..",
    "s3-control",
)
SCOPES = (
    "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0",
    "AWS4-HMAC-SHA256 Credential=a/20260101/../{}/aws4_request",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/{}/aws4_request",
    "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/{}/aws4_request, Signature=0",
    "AWS4-HMAC-SHA256 Credential=",
    "AWS4-HMAC-SHA256 Credential=////{}/aws4_request",
    "Basic {}",
    "\xff{}\xfe",
    "Credential=" * 1000,
)
TARGETS = (
    "",
    "DynamoDB_20120810.ListTables",
    "DynamoDB_20120810.__class__",
    "AmazonEC2ContainerRegistry_V20150921.X",
)


@given(
    scope=st.sampled_from(SCOPES),
    service=st.sampled_from(SERVICES),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.sampled_from(
        ["/", "/moto-api/reset", "/latest/meta-data", "/..", "//", "/%ff", "/a?b=%ff", "/ping", "*"]
    ),
    target_name=st.sampled_from(TARGETS),
    body=st.sampled_from([b"", b"{}", b"\xff", b"Action=ListUsers&Version=2010-05-08", b"[" * 5000]),
    host=st.sampled_from(["a", "[", "a/ping?", "a:b", "", "iam.amazonaws.com"]),
)
@fuzzed(120)
def test_any_signature_gets_an_answer(target, scope, service, method, path, target_name, body, host):
    headers = {"authorization": scope.format(service).encode("latin-1"), "host": host}
    if target_name:
        headers["x-amz-target"] = target_name
    answer = target.ask(method, path, body, headers)
    if not is_no_http(answer):
        check(answer)


INVOCATIONS = (
    "/endpoints/nowhere/invocations",
    "/endpoints/nowhere/invocations/",
    "/endpoints/nowhere/async-invocations",
    "/endpoints/nowhere/invocations-response-stream",
    "/endpoints/../invocations",
    "/endpoints/%2e%2e/invocations",
    "/endpoints/%00/invocations",
    "/endpoints/%ff/invocations",
    "/endpoints//invocations",
    "/endpoints/" + "a" * 5000 + "/invocations",
)
NAMES = (
    "content-type",
    "accept",
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-target-variant",
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-inference-id",
    "x-amzn-sagemaker-inputlocation",
    "x-amzn-sagemaker-requestttlseconds",
    "x-amzn-sagemaker-invocationtimeoutseconds",
    "x-amzn-sagemaker-session-id",
)
VALUES = (
    "",
    "\xff",
    "a" * 5000,
    "../../outside",
    "s3://../../outside",
    "s3://control/../../outside",
    "s3://",
    "-1",
    "9" * 30,
    "text/plain; charset=nothing",
)


@given(
    path=st.sampled_from(INVOCATIONS),
    headers=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3),
    body=st.binary(max_size=50),
)
@fuzzed(120)
def test_no_endpoint_gets_an_answer_of_the_runtime(target, path, headers, body):
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    check_shape(target.ask("POST", path, body, sent))


@pytest.mark.parametrize("host", ["[", "[::1", "a/ping?", "a@b:c", "a:99999999", "\\", "a b"])
def test_the_host_does_not_say_what_a_request_is_for(target, host):
    answer = target.call("SageMaker.ListPipelines", {}, host=host)
    if not is_no_http(answer):
        check_json(answer)
        assert answer.status == 200
        assert "PipelineSummaries" in answer.document
