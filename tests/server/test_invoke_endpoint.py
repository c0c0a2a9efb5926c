"""SageMaker Runtime's own client against the server, over a real socket, with a toy model behind it."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.routing import Route

from tests.server.toy_requests import eventually, put, put_model
from workflows.local.hosting import Hosts
from workflows.local.images import ImageTable
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG, MODEL
from workflows.server.listen import beside
from workflows.server.runtime import PAYLOAD_LIMIT_BYTES, Runtime

TOY = {"toy-endpoint": {"command": [sys.executable, str(Path(__file__).with_name("toy_endpoint.py"))]}}
ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://toys/answers/", "S3FailurePath": "s3://toys/failures"}}


@pytest.fixture
def images():
    return TOY


@pytest.fixture
def runtime(cloud):
    return cloud.client("sagemaker-runtime", read_timeout=20)


def deploy(store, text, config="config-1", **more):
    """What an Endpoint step leaves behind, for a model that says `text`."""
    uri = put_model(store, text, f"s3://toys/{config}/model.tar.gz")
    container = {"Image": "toy-endpoint:1", "ModelDataUrl": uri}
    store.put(MODEL, f"model-{config}", {"ModelName": f"model-{config}", "PrimaryContainer": container})
    variant = {"VariantName": "Blue", "ModelName": f"model-{config}"}
    record = {"EndpointConfigName": config, "ProductionVariants": [variant], **more}
    store.put(ENDPOINT_CONFIG, config, record)
    endpoint = {"EndpointName": "birds", "EndpointConfigName": config, "ProductionVariants": [variant]}
    store.put(ENDPOINT, "birds", {**endpoint, "EndpointStatus": "InService"})


def ask(runtime, body=b"hello", name="birds", **more):
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/plain", Body=body, **more)
    return answer["Body"].read(), answer


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response


def test_boto3_gets_the_models_answer(cloud, runtime):
    deploy(cloud.store, "cardinal")
    body, answer = ask(runtime, b"hello there")
    assert body == b"cardinal says hello there"
    assert answer["InvokedProductionVariant"] == "Blue"


def test_headers_reach_the_container_and_come_back(cloud, runtime):
    deploy(cloud.store, "cardinal")
    body, answer = ask(
        runtime,
        b"echo",
        Accept="application/json",
        CustomAttributes="trace=7",
        InferenceId="id-1",
        TargetVariant="Blue",
    )
    seen = json.loads(body)
    assert (seen["content-type"], seen["accept"]) == ("text/plain", "application/json")
    assert seen["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert seen["x-amzn-sagemaker-inference-id"] == "id-1"
    assert "authorization" not in seen
    assert (answer["ContentType"], answer["CustomAttributes"]) == ("application/json", "seen=1")


def test_an_unknown_endpoint_is_a_validation_error(runtime):
    error = refused(ask, runtime=runtime, name="finch")
    assert error["Error"]["Code"] == "ValidationError"
    assert error["Error"]["Message"] == "Endpoint finch of account 123456789012 not found."


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"TargetVariant": "Green"}, "Variant Green of endpoint birds not found.", id="variant"),
        pytest.param(
            {"TargetModel": "m.tar.gz"}, "TargetModel: multi-model endpoints do not run", id="model"
        ),
        pytest.param(
            {"InferenceComponentName": "c"}, "inference components do not run on this machine", id="component"
        ),
    ],
)
def test_what_an_endpoint_of_one_container_does_not_have_is_refused(cloud, runtime, more, message):
    deploy(cloud.store, "cardinal")
    error = refused(ask, runtime=runtime, **more)["Error"]
    assert (error["Code"], message in error["Message"]) == ("ValidationError", True), error


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (415, "client"), (503, "server")])
def test_a_models_refusal_is_a_model_error_with_its_status(cloud, runtime, status, side):
    deploy(cloud.store, "cardinal")
    error = refused(ask, runtime=runtime, body=f"status {status} not a picture".encode())
    assert error["Error"]["Code"] == "ModelError"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (status, "not a picture")
    assert error["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/birds")
    start = f'Received {side} error ({status}) from primary with message "not a picture". See https://'
    assert error["Error"]["Message"].startswith(start)


def test_a_container_that_dies_is_a_model_error_and_is_started_again(cloud, runtime):
    deploy(cloud.store, "cardinal")
    error = refused(ask, runtime=runtime, body=b"die")
    assert (error["Error"]["Code"], error["OriginalStatusCode"]) == ("ModelError", 0)
    assert "could not get a response from the birds endpoint" in error["OriginalMessage"]

    def answer():
        try:
            return ask(runtime)[0]
        except ClientError:
            return None

    assert eventually(answer, b"cardinal says hello") == b"cardinal says hello"


def test_a_model_that_takes_too_long_is_a_model_error_in_the_words_of_the_service(cloud):
    deploy(cloud.store, "cardinal")
    hurried = Runtime(cloud.machine, limit_s=0.3)
    with beside(Starlette(routes=[Route("/{path:path}", hurried.answer, methods=["POST"])])) as url:
        answer = httpx.post(f"{url}/endpoints/birds/invocations", content="wait 5")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (424, "ModelError")
    assert answer.json()["OriginalStatusCode"] == 0
    assert answer.json()["OriginalMessage"].startswith(
        "Your invocation timed out while waiting for a response from container primary."
    )


def test_an_endpoint_that_somebody_else_updated_answers_with_its_new_model(cloud, runtime):
    deploy(cloud.store, "cardinal")
    assert ask(runtime)[0] == b"cardinal says hello"
    deploy(cloud.store, "blue jay", config="config-2")
    assert ask(runtime)[0] == b"blue jay says hello"


def test_a_body_over_the_limit_is_refused(cloud, runtime):
    deploy(cloud.store, "cardinal")
    error = refused(ask, runtime=runtime, body=bytes(PAYLOAD_LIMIT_BYTES + 1))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_clients_side_by_side_share_one_container_and_do_not_wait_for_each_other(cloud, runtime):
    deploy(cloud.store, "cardinal")
    clients = [cloud.client("sagemaker-runtime") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        # All of them find the endpoint cold: one starts its container, and the others wait for that.
        assert {body for body, _ in pool.map(ask, clients)} == {b"cardinal says hello"}
        began = time.monotonic()
        assert {body for body, _ in pool.map(lambda client: ask(client, b"wait 0.5"), clients)} == {b"waited"}
        assert time.monotonic() - began < 2
    assert ask(runtime, b"count")[0] == b"8"
    log = (cloud.store.home / "endpoints/birds/log.txt").read_text()
    assert log.count("GET /ping") == 1


def test_a_container_that_cannot_start_is_told_to_everybody_who_asks(cloud, runtime):
    deploy(cloud.store, "cardinal")
    cloud.store.objects.path("s3://toys/config-1/model.tar.gz").write_bytes(b"no archive")
    error = refused(ask, runtime=runtime)
    assert error["Error"]["Code"] == "ModelError"
    assert "s3://toys/config-1/model.tar.gz: cannot be unpacked" in error["OriginalMessage"]


@pytest.mark.parametrize("name", ["invocations-response-stream", "invocations-bidirectional-stream"])
def test_streams_are_said_not_to_be_here(cloud, name):
    answer = httpx.post(f"{cloud.url}/endpoints/birds/{name}")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (501, "NotImplemented")
    assert "is not available on this machine; use InvokeEndpoint" in answer.json()["Message"]


def test_containers_end_with_their_hosts(cloud):
    deploy(cloud.store, "cardinal")
    with Hosts(cloud.store, images=ImageTable(TOY), environment={}) as hosts:
        assert hosts.invoke("birds", b"hello", {}).body == b"cardinal says hello"
        processes = list((cloud.store.home / "endpoints/birds").glob("*/*/opt-ml"))
        assert len(processes) == 1
    assert list((cloud.store.home / "endpoints/birds").iterdir()) == [
        cloud.store.home / "endpoints/birds/log.txt"
    ]


def later(store, uri):
    def content():
        path = store.objects.path(uri)
        return path.read_bytes() if path.is_file() else None

    eventually(lambda: content() is not None, True)
    return content()


def test_an_asynchronous_invocation_reads_an_object_and_stores_the_answer(cloud, runtime):
    deploy(cloud.store, "cardinal", AsyncInferenceConfig=ASYNC)
    put(cloud.store, "s3://toys/questions/1", "hello")
    answer = runtime.invoke_endpoint_async(
        EndpointName="birds",
        InputLocation="s3://toys/questions/1",
        ContentType="text/plain",
        InferenceId="mine",
    )
    assert answer["InferenceId"] == "mine"
    assert answer["OutputLocation"].startswith("s3://toys/answers/")
    assert later(cloud.store, answer["OutputLocation"]) == b"cardinal says hello"
    assert not cloud.store.objects.path(answer["FailureLocation"]).exists()


@pytest.mark.parametrize(
    ("question", "message"),
    [
        pytest.param("status 400 no", "Received error (400) from primary: no", id="model-error"),
        pytest.param(None, "s3://toys/questions/1: no such object", id="no-input"),
    ],
)
def test_an_asynchronous_invocation_that_fails_says_so_in_an_object(cloud, runtime, question, message):
    deploy(cloud.store, "cardinal", AsyncInferenceConfig=ASYNC)
    if question:
        put(cloud.store, "s3://toys/questions/1", question)
    answer = runtime.invoke_endpoint_async(EndpointName="birds", InputLocation="s3://toys/questions/1")
    assert later(cloud.store, answer["FailureLocation"]).decode() == message
    assert not cloud.store.objects.path(answer["OutputLocation"]).exists()


@pytest.mark.parametrize(
    ("config", "more", "message"),
    [
        pytest.param({}, {}, "is not configured for asynchronous inference", id="not-asynchronous"),
        pytest.param(
            {"AsyncInferenceConfig": ASYNC},
            {"InvocationTimeoutSeconds": 4000},
            "from 1 to 3600",
            id="too-long",
        ),
        pytest.param(
            {"AsyncInferenceConfig": ASYNC},
            {"InputLocation": "s3://toys/../records"},
            "cannot be parts of a key",
            id="path-out-of-the-tree",
        ),
        pytest.param(
            {"AsyncInferenceConfig": ASYNC},
            {"S3OutputPathExtension": "../../x"},
            "cannot be parts of a key",
            id="answer-out-of-the-tree",
        ),
    ],
)
def test_asynchronous_requests_that_cannot_be_taken_are_refused(cloud, runtime, config, more, message):
    deploy(cloud.store, "cardinal", **config)
    request = {"EndpointName": "birds", "InputLocation": "s3://toys/questions/1", **more}
    error = refused(runtime.invoke_endpoint_async, **request)["Error"]
    assert (error["Code"], message in error["Message"]) == ("ValidationError", True), error
