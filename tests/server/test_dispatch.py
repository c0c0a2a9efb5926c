"""Requests as clients send them find their service."""

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from workflows.server.dispatch import service_of

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed(service, **more):
    scope = f"AKIDEXAMPLE/20260101/eu-west-1/{service}/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0a", **more}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "service"),
    [
        pytest.param(
            "POST", "/", {}, signed("sagemaker", **{"x-amz-target": "SageMaker.ListPipelines"}), "sagemaker"
        ),
        pytest.param(
            "POST", "/", {}, {"x-amz-target": "SageMaker.ListPipelines"}, "sagemaker", id="unsigned"
        ),
        pytest.param("POST", "/", {}, {"x-amz-target": "Logs_20140328.GetLogEvents"}, "logs", id="logs"),
        pytest.param("POST", "/", {}, {"x-amz-target": "AWSEvents.PutRule"}, "events", id="events"),
        pytest.param(
            "POST",
            "/",
            {},
            signed("ecr", **{"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.ListImages"}),
            "ecr",
            id="ecr",
        ),
        pytest.param(
            "POST", "/", {}, {"x-amz-target": "AmazonSSM.GetParameter"}, "amazonssm", id="unsigned-ssm"
        ),
        pytest.param("POST", "/endpoints/birds/invocations", {}, signed("sagemaker"), "sagemaker-runtime"),
        pytest.param("POST", "/endpoints/birds/invocations", {}, {}, "sagemaker-runtime", id="curl"),
        pytest.param("GET", "/endpoints/birds/invocations", {}, signed("s3"), "s3", id="bucket-endpoints"),
        pytest.param("GET", "/endpoints/birds/invocations", {}, {}, "s3", id="unsigned-get"),
        pytest.param("GET", "/schedules", {}, signed("scheduler"), "scheduler", id="schedules"),
        pytest.param("DELETE", "/schedules/weekly", {}, {}, "scheduler", id="unsigned-schedule"),
        pytest.param("GET", "/schedules/weekly/report.csv", {}, {}, "s3", id="bucket-schedules"),
        pytest.param("GET", "/schedules", {}, signed("s3"), "s3", id="signed-bucket-schedules"),
        pytest.param("POST", "/", {}, signed("sts", **FORM), "sts", id="sts"),
        pytest.param("POST", "/", {}, FORM, "sts", id="web-identity"),
        pytest.param("GET", "/", {"Action": "GetCallerIdentity"}, {}, "sts", id="sts-get"),
        pytest.param("POST", "/", {}, signed("iam", **FORM), "iam", id="iam"),
        pytest.param(
            "GET",
            "/birds/a.jpg",
            {"X-Amz-Credential": "AKID/20260101/eu-west-1/s3/aws4_request"},
            {},
            "s3",
            id="presigned",
        ),
        pytest.param(
            "GET",
            "/",
            {"X-Amz-Credential": "AKID/20260101/eu-west-1/sts/aws4_request", "Action": "GetCallerIdentity"},
            {},
            "sts",
            id="presigned-identity",
        ),
        pytest.param(
            "GET",
            "/birds/a.jpg",
            {"AWSAccessKeyId": "AKID", "Signature": "x", "Expires": "1"},
            {},
            "s3",
            id="v2",
        ),
        pytest.param(
            "GET", "/birds/a.jpg", {}, {"authorization": "AWS AKID:signature"}, "s3", id="v2-header"
        ),
        pytest.param(
            "PUT",
            "/birds/a.jpg",
            {},
            {"authorization": "AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/s3/aws4_request, Signature=0"},
            "s3",
            id="no-region",
        ),
        pytest.param("GET", "/", {}, {}, "s3", id="nothing"),
    ],
)
def test_each_request_has_its_service(method, path, query, headers, service):
    assert service_of(method, path, query, headers) == service


CALLS = [
    ("sagemaker", "list_pipelines", {}),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "birds", "Body": b"x"}),
    ("s3", "get_object", {"Bucket": "schedules", "Key": "endpoints/x/invocations"}),
    ("s3", "list_buckets", {}),
    ("logs", "describe_log_groups", {}),
    ("sts", "get_caller_identity", {}),
    ("events", "list_rules", {}),
    ("scheduler", "get_schedule", {"Name": "weekly"}),
    ("iam", "list_roles", {}),
    ("ecr", "describe_repositories", {}),
    ("ssm", "describe_parameters", {}),
    ("sqs", "list_queues", {}),
    ("sns", "list_topics", {}),
    ("secretsmanager", "list_secrets", {}),
]


class Sent(Exception):
    """Ends a call before anything goes over the network."""


@pytest.mark.parametrize(("service", "call", "arguments"), CALLS, ids=str)
def test_what_boto3_sends_is_told_apart(service, call, arguments):
    client = boto3.client(
        service,
        endpoint_url="http://127.0.0.1:9",
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(s3={"addressing_style": "path"}),
    )
    sent = []

    def stop(request: AWSRequest, **_: object) -> None:
        sent.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent):
        getattr(client, call)(**arguments)
    client.close()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in sent[0].headers.items()
    }
    path = sent[0].url.removeprefix("http://127.0.0.1:9").partition("?")[0]
    assert service_of(sent[0].method, path, {}, headers) == service


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "HEAD"]),
    path=st.text().map(lambda text: f"/{text}"),
    query=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-amz-target", "content-type"]), st.text(max_size=40)
    ),
)
def test_no_request_is_without_an_answer(method, path, query, headers):
    assert service_of(method, path, query, headers)
