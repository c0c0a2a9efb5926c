"""A server with a token answers those only who sign with it as their access key id."""

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from workflows.server.app import App

TOKEN = "a-long-secret"


@pytest.fixture
def guarded(cloud, door):
    door[0].app = App(cloud.machine, token=TOKEN)
    return cloud


def client_of(cloud, service, key, **config):
    return boto3.client(
        service,
        endpoint_url=cloud.url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
    )


@pytest.mark.parametrize("service", ["sagemaker", "logs", "s3"])
def test_the_token_is_the_access_key_id(guarded, service):
    calls = {"sagemaker": "list_models", "logs": "describe_log_groups", "s3": "list_buckets"}
    assert getattr(client_of(guarded, service, TOKEN), calls[service])()
    with pytest.raises(ClientError) as caught:
        getattr(client_of(guarded, service, f"{TOKEN}x"), calls[service])()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_has_the_token_of_its_maker(guarded, version):
    s3 = client_of(guarded, "s3", TOKEN, signature_version=version)
    s3.create_bucket(Bucket="birds", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="birds", Key="a.txt", Body=b"cardinal")
    named = {"Bucket": "birds", "Key": "a.txt"}
    assert httpx.get(s3.generate_presigned_url("get_object", Params=named)).content == b"cardinal"
    stranger = client_of(guarded, "s3", "somebody", signature_version=version)
    assert httpx.get(stranger.generate_presigned_url("get_object", Params=named)).status_code == 403


def test_a_request_without_a_signature_is_refused(guarded):
    assert httpx.get(f"{guarded.url}/birds/a.txt").status_code == 403
