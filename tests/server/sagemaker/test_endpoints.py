"""Endpoints through boto3's own client: their containers are started, proved, replaced and ended."""

import threading

import pytest
from botocore.exceptions import ClientError

from tests.server.toy_requests import endpoint_config, eventually, lacking, model, put_model
from workflows.local.job_logs import log_of
from workflows.local.records import ENDPOINT
from workflows.server.sagemaker.endpoint_changes import settle

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
QUICK = {"Delay": 0.05, "MaxAttempts": 400}
BIRDS = {"EndpointName": "birds"}
UNKNOWN = f'Could not find endpoint "{ARN}:endpoint/birds".'


@pytest.fixture
def sagemaker(cloud):
    return cloud.client("sagemaker")


@pytest.fixture
def runtime(cloud):
    return cloud.client("sagemaker-runtime")


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def configure(cloud, client, name, text, **more):
    """An endpoint configuration whose model says `text`."""
    uri = put_model(cloud.store, text, f"s3://toys/{name}/model.tar.gz")
    client.create_model(**model(f"model-{name}", uri))
    client.create_endpoint_config(**endpoint_config(name, f"model-{name}", **more))


def deploy(cloud, client, text, **more):
    configure(cloud, client, "config-1", text)
    client.create_endpoint(EndpointConfigName="config-1", **BIRDS, **more)
    client.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)


def ask(runtime, body=b"hello"):
    return runtime.invoke_endpoint(**BIRDS, ContentType="text/plain", Body=body)["Body"].read()


def status(client):
    return client.describe_endpoint(**BIRDS)["EndpointStatus"]


def test_an_endpoint_comes_into_service_answers_and_goes(cloud, sagemaker, runtime):
    configure(cloud, sagemaker, "config-1", "cardinal")
    made = sagemaker.create_endpoint(
        EndpointConfigName="config-1", Tags=[{"Key": "team", "Value": "birds"}], **BIRDS
    )
    assert made["EndpointArn"] == f"{ARN}:endpoint/birds"
    sagemaker.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)
    described = sagemaker.describe_endpoint(**BIRDS)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-1")
    assert lacking(sagemaker, "DescribeEndpoint", described) == set()
    (variant,) = described["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentWeight"], variant["DesiredInstanceCount"]) == (
        "AllTraffic",
        1.0,
        1,
    )
    assert sagemaker.list_tags(ResourceArn=made["EndpointArn"])["Tags"][0]["Value"] == "birds"
    assert ask(runtime) == b"cardinal says hello"
    sagemaker.delete_endpoint(**BIRDS)
    sagemaker.get_waiter("endpoint_deleted").wait(**BIRDS, WaiterConfig=QUICK)
    assert refused(sagemaker.describe_endpoint, **BIRDS) == (
        "ValidationException",
        UNKNOWN,
    )
    assert refused(runtime.invoke_endpoint, **BIRDS, Body=b"x")[0] == "ValidationError"
    assert list((cloud.store.home / "endpoints/birds").glob("*/*/opt-ml")) == []


def test_an_endpoint_whose_container_does_not_start_has_failed_and_says_why(cloud, sagemaker, runtime):
    configure(cloud, sagemaker, "config-1", "broken")
    sagemaker.create_endpoint(EndpointConfigName="config-1", **BIRDS)
    assert eventually(lambda: status(sagemaker), "Failed") == "Failed"
    reason = sagemaker.describe_endpoint(**BIRDS)["FailureReason"]
    assert reason.startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check."
    )
    assert "the model cannot be loaded" in reason
    assert "the model cannot be loaded" in log_of(cloud.store, ENDPOINT, "birds").read_text()
    assert refused(runtime.invoke_endpoint, **BIRDS, Body=b"x") == (
        "ValidationError",
        "Endpoint birds of account 123456789012 not found.",
    )
    code, text = refused(sagemaker.update_endpoint, EndpointConfigName="config-1", **BIRDS)
    assert (code, "in status Failed" in text) == ("ValidationException", True)
    sagemaker.delete_endpoint(**BIRDS)
    sagemaker.get_waiter("endpoint_deleted").wait(**BIRDS, WaiterConfig=QUICK)


def test_an_endpoint_without_its_artifact_has_failed(cloud, sagemaker):
    configure(cloud, sagemaker, "config-1", "cardinal")
    cloud.store.objects.path("s3://toys/config-1/model.tar.gz").unlink()
    sagemaker.create_endpoint(EndpointConfigName="config-1", **BIRDS)
    assert eventually(lambda: status(sagemaker), "Failed") == "Failed"
    reason = sagemaker.describe_endpoint(**BIRDS)["FailureReason"]
    assert reason == "s3://toys/config-1/model.tar.gz: no such model artifact"


def test_an_endpoint_goes_on_without_its_model_and_configuration(cloud, sagemaker, runtime):
    deploy(cloud, sagemaker, "cardinal")
    sagemaker.delete_endpoint_config(EndpointConfigName="config-1")
    sagemaker.delete_model(ModelName="model-config-1")
    assert ask(runtime) == b"cardinal says hello"
    with pytest.raises(runtime.exceptions.ModelError):
        ask(runtime, b"die")
    assert eventually(lambda: _answer(runtime), b"cardinal says hello") == b"cardinal says hello"


def _answer(runtime):
    try:
        return ask(runtime)
    except ClientError:
        return None


def test_an_update_never_leaves_a_request_without_an_answer(cloud, sagemaker, runtime):
    deploy(cloud, sagemaker, "cardinal")
    configure(cloud, sagemaker, "config-2", "blue jay")
    over, answers, failures = threading.Event(), [], []

    def keep_asking(client):
        while not over.is_set():
            try:
                answers.append(ask(client))
            except ClientError as error:
                failures.append(error)

    threads = [threading.Thread(target=keep_asking, args=(cloud.client("sagemaker-runtime"),)) for _ in "12"]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers) > 4, True)
    sagemaker.update_endpoint(EndpointConfigName="config-2", **BIRDS)
    during = sagemaker.describe_endpoint(**BIRDS)
    sagemaker.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)
    assert eventually(lambda: ask(runtime), b"blue jay says hello") == b"blue jay says hello"
    over.set()
    for thread in threads:
        thread.join()
    assert (during["EndpointStatus"], during["EndpointConfigName"]) == ("Updating", "config-1")
    assert failures == []
    # Once the new container answers, the old one does not any more.
    first_new = answers.index(b"blue jay says hello")
    assert set(answers[:first_new]) == {b"cardinal says hello"}
    assert b"cardinal says hello" not in answers[first_new + len(threads) :]
    assert sagemaker.describe_endpoint(**BIRDS)["EndpointConfigName"] == "config-2"


def test_an_update_that_fails_leaves_the_endpoint_as_it_was(cloud, sagemaker, runtime):
    deploy(cloud, sagemaker, "cardinal")
    configure(cloud, sagemaker, "config-2", "broken")
    sagemaker.update_endpoint(EndpointConfigName="config-2", **BIRDS)
    assert eventually(lambda: status(sagemaker), "InService") == "InService"
    described = sagemaker.describe_endpoint(**BIRDS)
    assert described["EndpointConfigName"] == "config-1"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert ask(runtime) == b"cardinal says hello"


def test_an_endpoint_that_is_changing_is_not_changed(cloud, sagemaker):
    configure(cloud, sagemaker, "config-1", "cardinal")
    record = {
        "EndpointName": "birds",
        "EndpointArn": f"{ARN}:endpoint/birds",
        "EndpointConfigName": "config-1",
        "EndpointStatus": "Creating",
        "ProductionVariants": [],
    }
    cloud.store.put(ENDPOINT, "birds", record)
    in_progress = ("ValidationException", f'Cannot update in-progress endpoint "{ARN}:endpoint/birds".')
    assert refused(sagemaker.update_endpoint, EndpointConfigName="config-1", **BIRDS) == in_progress
    assert refused(sagemaker.delete_endpoint, **BIRDS) == in_progress
    assert refused(sagemaker.create_endpoint, EndpointConfigName="config-1", **BIRDS) == (
        "ValidationException",
        f'Cannot create already existing endpoint "{ARN}:endpoint/birds".',
    )


def test_an_endpoint_says_that_nothing_is_captured_and_what_its_present_configuration_has(cloud, sagemaker):
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": "s3://toys/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    output = {"OutputConfig": {"S3OutputPath": "s3://toys/answers"}}
    more = {"DataCaptureConfig": capture, "AsyncInferenceConfig": output}
    configure(cloud, sagemaker, "config-1", "cardinal", **more)
    sagemaker.create_endpoint(EndpointConfigName="config-1", **BIRDS)
    sagemaker.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)
    described = sagemaker.describe_endpoint(**BIRDS)
    assert described["AsyncInferenceConfig"] == output
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
    configure(cloud, sagemaker, "config-2", "blue jay")
    sagemaker.update_endpoint(EndpointConfigName="config-2", **BIRDS)
    sagemaker.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)
    described = sagemaker.describe_endpoint(**BIRDS)
    assert ("AsyncInferenceConfig" in described, "DataCaptureConfig" in described) == (False, False)


def test_weights_and_capacities_are_noted(cloud, sagemaker):
    deploy(cloud, sagemaker, "cardinal")
    desired = {"VariantName": "AllTraffic", "DesiredWeight": 2.0, "DesiredInstanceCount": 3}
    sagemaker.update_endpoint_weights_and_capacities(DesiredWeightsAndCapacities=[desired], **BIRDS)
    (variant,) = sagemaker.describe_endpoint(**BIRDS)["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (2.0, 3)
    code, text = refused(
        sagemaker.update_endpoint_weights_and_capacities,
        DesiredWeightsAndCapacities=[{"VariantName": "Blue", "DesiredWeight": 1.0}],
        **BIRDS,
    )
    assert (code, 'Could not find variant "Blue"' in text) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("operation", "more", "message"),
    [
        pytest.param(
            "describe_endpoint", {}, f'Could not find endpoint "{ARN}:endpoint/birds".', id="describe"
        ),
        pytest.param("delete_endpoint", {}, f'Could not find endpoint "{ARN}:endpoint/birds".', id="delete"),
        pytest.param(
            "update_endpoint",
            {"EndpointConfigName": "config"},
            f'Could not find endpoint "{ARN}:endpoint/birds".',
            id="update",
        ),
        pytest.param(
            "create_endpoint",
            {"EndpointConfigName": "config"},
            f'Could not find endpoint configuration "{ARN}:endpoint-config/config".',
            id="create-without-configuration",
        ),
    ],
)
def test_what_does_not_exist_is_said_so(sagemaker, operation, more, message):
    assert refused(getattr(sagemaker, operation), **BIRDS, **more) == ("ValidationException", message)


def test_endpoints_are_listed_by_status_newest_first(cloud, sagemaker):
    for number, current in enumerate(("InService", "Failed", "InService")):
        record = {
            "EndpointName": f"birds-{number}",
            "EndpointArn": f"{ARN}:endpoint/birds-{number}",
            "EndpointStatus": current,
            "CreationTime": f"2026-01-0{number + 1}T00:00:00.000Z",
        }
        cloud.store.put(ENDPOINT, record["EndpointName"], record)
    listed = sagemaker.list_endpoints(StatusEquals="InService")["Endpoints"]
    assert [entry["EndpointName"] for entry in listed] == ["birds-2", "birds-0"]


def test_what_a_server_left_half_done_is_settled_at_the_start_of_the_next(cloud, sagemaker):
    for current in ("Creating", "Updating", "Deleting"):
        name = current.lower()
        record = {"EndpointName": name, "EndpointArn": f"{ARN}:endpoint/{name}", "EndpointStatus": current}
        cloud.store.put(ENDPOINT, name, {**record, "EndpointConfigName": "config"})
    settle(cloud.machine)
    found = {entry["EndpointName"]: entry["EndpointStatus"] for entry in cloud.store.all(ENDPOINT)}
    assert found == {"creating": "Failed", "updating": "InService"}


def test_the_end_of_the_server_ends_containers_that_are_being_proved(cloud, sagemaker):
    configure(cloud, sagemaker, "config-1", "cardinal")
    sagemaker.create_endpoint(EndpointConfigName="config-1", **BIRDS)
    cloud.machine.background.stop_all()
    described = sagemaker.describe_endpoint(**BIRDS)
    assert described["EndpointStatus"] in ("Failed", "InService")  # it may have been quicker
    cloud.machine.hosts.close()
    assert list((cloud.store.home / "endpoints/birds").glob("*/*")) == []
