"""boto3 asks who it is."""

from datetime import UTC, datetime

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/service-role/trainer"


def test_everybody_is_a_session_of_this_machines_role(cloud):
    found = cloud.client("sts").get_caller_identity()
    assert found["Account"] == "123456789012"
    assert found["Arn"] == "arn:aws:sts::123456789012:assumed-role/workflows/local"


def test_a_role_is_assumed_for_as_long_as_asked(cloud):
    found = cloud.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me", DurationSeconds=900)
    assert found["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/trainer/me"
    remaining = found["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 880 < remaining.total_seconds() <= 900


def test_what_a_role_gives_out_signs_further_calls(cloud):
    given = cloud.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me")["Credentials"]
    session = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="eu-west-1"
    )
    client = session.client("sts", endpoint_url=cloud.url)
    assert client.get_caller_identity()["Account"] == "123456789012"
    client.close()


def test_session_tokens_differ(cloud):
    client = cloud.client("sts")
    first, second = (client.get_session_token()["Credentials"] for _ in range(2))
    assert first["SessionToken"] != second["SessionToken"]
    assert first["AccessKeyId"] != second["AccessKeyId"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"RoleArn": ROLE, "RoleSessionName": "<&>"}, "regular expression", id="session-name"),
        pytest.param({"RoleArn": "r" * 20, "RoleSessionName": "me"}, "r{20} is invalid", id="role"),
        pytest.param(
            {"RoleArn": ROLE, "RoleSessionName": "me", "DurationSeconds": 899}, "greater than", id="too-short"
        ),
    ],
)
def test_wrong_values_are_refused(cloud, arguments, message):
    with pytest.raises(ClientError, match=message) as caught:
        cloud.client("sts", parameter_validation=False).assume_role(**arguments)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_what_is_not_here_is_said(cloud):
    with pytest.raises(ClientError, match="GetAccessKeyInfo is not available on this machine"):
        cloud.client("sts").get_access_key_info(AccessKeyId="A" * 20)


def test_an_unknown_action_is_an_error_in_xml(cloud):
    answer = httpx.post(cloud.url, data={"Action": "<Drop>", "Version": "2011-06-15"})
    assert answer.status_code == 400
    assert "<Code>InvalidAction</Code>" in answer.text
    assert "<Drop>" not in answer.text


def test_a_broken_form_is_an_error(cloud):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = httpx.post(cloud.url, content=b"\xff\xfe", headers=headers)
    assert answer.status_code == 400
    assert "MalformedQueryString" in answer.text


def test_a_role_can_be_asked_for_without_credentials(cloud):
    client = cloud.client("sts", signature_version=UNSIGNED)
    with pytest.raises(ClientError, match="not available on this machine"):
        client.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="me", WebIdentityToken="token")
