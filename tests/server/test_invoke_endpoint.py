"""boto3's own client against the server, over a real socket, with a toy model behind it."""

import socket
import threading
import time

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.toys import TOY_IMAGES
from workflows.local.hosting import Hosts
from workflows.local.images import ImageTable
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG, MODEL
from workflows.local.store import Store
from workflows.server.app import PAYLOAD_LIMIT_BYTES, make_app


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home")


def deploy(store, tmp_path, text, config="config-1"):
    """What an endpoint step leaves behind, for a model that says `text`."""
    import tarfile

    source = tmp_path / "model.txt"
    source.write_text(text)
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, arcname="model.txt")
    uri = f"s3://toys/{config}/model.tar.gz"
    store.objects.adopt_file(archive, uri)
    archive.unlink()
    container = {"Image": "toy-trainer:1", "ModelDataUrl": uri}
    store.put(MODEL, f"model-{config}", {"ModelName": f"model-{config}", "PrimaryContainer": container})
    variant = {"VariantName": "AllTraffic", "ModelName": f"model-{config}"}
    store.put(ENDPOINT_CONFIG, config, {"EndpointConfigName": config, "ProductionVariants": [variant]})
    store.put(ENDPOINT, "birds", {"EndpointName": "birds", "EndpointConfigName": config})


@pytest.fixture
def runtime(store):
    listener = socket.create_server(("127.0.0.1", 0))
    with Hosts(store, images=ImageTable(TOY_IMAGES), environment={}) as hosts:
        app = make_app(hosts, store, region="us-east-1", account="123456789012")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            region_name="us-east-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"max_attempts": 1}),
        )
        yield client
        client.close()
        server.should_exit = True
        thread.join()
    listener.close()


def ask(runtime, body=b"hello", name="birds"):
    answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/plain", Body=body)
    return answer["Body"].read(), answer


def test_boto3_gets_the_models_answer(store, tmp_path, runtime):
    deploy(store, tmp_path, "cardinal")
    body, answer = ask(runtime)
    assert body == b"cardinal says hello"
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_an_unknown_endpoint_is_a_validation_error(runtime):
    with pytest.raises(ClientError) as caught:
        ask(runtime, name="finch")
    error = caught.value.response
    assert error["Error"]["Code"] == "ValidationError"
    assert error["Error"]["Message"] == "Endpoint finch of account 123456789012 not found."


def test_a_models_refusal_is_a_model_error_with_its_status(store, tmp_path, runtime):
    deploy(store, tmp_path, "cardinal")
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        ask(runtime, b"bad")
    assert caught.value.response["OriginalStatusCode"] == 400
    assert caught.value.response["OriginalMessage"] == "not a picture"


def test_a_container_that_dies_is_a_model_error_and_is_started_again(store, tmp_path, runtime):
    deploy(store, tmp_path, "cardinal")
    with pytest.raises(runtime.exceptions.ModelError):
        ask(runtime, b"die")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert ask(runtime)[0] == b"cardinal says hello"
            break
        except runtime.exceptions.ModelError:
            time.sleep(0.1)
    else:
        pytest.fail("the container was not started again")


def test_an_updated_endpoint_answers_with_its_new_model(store, tmp_path, runtime):
    deploy(store, tmp_path, "cardinal")
    assert ask(runtime)[0] == b"cardinal says hello"
    deploy(store, tmp_path, "blue jay", config="config-2")
    assert ask(runtime)[0] == b"blue jay says hello"


def test_a_body_over_the_limit_is_refused(store, tmp_path, runtime):
    deploy(store, tmp_path, "cardinal")
    with pytest.raises(ClientError) as caught:
        ask(runtime, bytes(PAYLOAD_LIMIT_BYTES + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
