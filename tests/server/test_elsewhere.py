"""What is none of ours is answered by moto, in our account and region."""

import logging
import subprocess
import sys

import httpx
import pytest
from botocore.exceptions import ClientError

from workflows.server.elsewhere import is_ours

POLICY = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture(autouse=True)
def fresh():
    """moto's state is the process's."""
    from moto.backends import get_backend
    from moto.core.base_backend import BackendDict  # noqa: F401 - loads the backends' base

    for name in ("iam", "ecr", "sqs", "ssm", "sns", "secretsmanager"):
        get_backend(name).reset()


def test_a_role_is_made_and_read_back_in_our_account(cloud):
    iam = cloud.client("iam")
    made = iam.create_role(RoleName="trainer", AssumeRolePolicyDocument=POLICY)["Role"]
    assert made["Arn"] == "arn:aws:iam::123456789012:role/trainer"
    assert iam.get_role(RoleName="trainer")["Role"]["Arn"] == made["Arn"]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_whatever_region_a_client_thinks_of_it_is_ours(cloud, region):
    ecr = cloud.client("ecr", region=region)
    made = ecr.create_repository(repositoryName="birds")["repository"]
    assert made["repositoryArn"] == "arn:aws:ecr:eu-west-1:123456789012:repository/birds"
    listed = cloud.client("ecr").describe_repositories()["repositories"]
    assert [entry["repositoryName"] for entry in listed] == ["birds"]


def test_a_queue_takes_messages(cloud):
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="ä & <b>")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "ä & <b>"


def test_parameters_and_secrets_are_kept(cloud):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/birds/threshold", Value="0.5", Type="String")
    assert ssm.get_parameter(Name="/birds/threshold")["Parameter"]["Value"] == "0.5"
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="x")
    assert secrets.get_secret_value(SecretId="key")["SecretString"] == "x"


def test_each_call_is_marked_in_the_log(cloud, caplog):
    caplog.set_level(logging.INFO, logger="workflows.server.elsewhere")
    cloud.client("sns").list_topics()
    cloud.client("sns").list_topics()
    said = [record.getMessage() for record in caplog.records]
    assert sum("sns: answered by moto, nothing behind it" in line for line in said) == 2
    assert sum("is lost when this server ends" in line for line in said) == 1


def test_errors_of_a_service_are_its_own(cloud):
    with pytest.raises(ClientError) as caught:
        cloud.client("iam").get_role(RoleName="nobody")
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"


def test_what_moto_does_not_know_is_said_without_a_traceback(cloud):
    with pytest.raises(ClientError, match="not available on this machine") as caught:
        cloud.client("iam").generate_organizations_access_report(
            EntityPath="o-0123456789/r-0123/ou-0123-01234567"
        )
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_policies_are_not_evaluated_and_the_answer_is_one_that_clients_expect(cloud):
    with pytest.raises(ClientError, match="SimulatePrincipalPolicy: policies are not evaluated") as caught:
        cloud.client("iam").simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/trainer", ActionNames=["s3:ListAllMyBuckets"]
        )
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_the_role_of_callers_is_there_and_services_may_take_it(cloud):
    caller = cloud.client("sts").get_caller_identity()["Arn"]
    name = caller.split("/")[1]
    role = cloud.client("iam").get_role(RoleName=name)["Role"]
    assert role["Arn"] == f"arn:aws:iam::123456789012:role/{name}"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert "sagemaker.amazonaws.com" in statement["Principal"]["Service"]


def test_an_unsigned_request_of_a_foreign_service_is_refused(cloud):
    answer = httpx.post(cloud.url, headers={"x-amz-target": "AmazonSSM.DescribeParameters"}, json={})
    assert answer.status_code == 403
    assert answer.json()["__type"] == "MissingAuthenticationToken"


def test_motos_own_pages_cannot_be_reached(cloud):
    scope = "AWS4-HMAC-SHA256 Credential=none/20260101/eu-west-1/iam/aws4_request, Signature=0"
    answer = httpx.post(f"{cloud.url}/moto-api/reset", headers={"authorization": scope})
    assert answer.status_code == 403


@pytest.mark.parametrize("service", ["sagemaker", "s3", "logs", "sts", "events", "scheduler"])
def test_moto_is_never_asked_for_what_is_ours(service):
    assert is_ours(service)


def test_names_that_only_begin_alike_are_not_ours():
    assert not is_ours("s3vectors")
    assert not is_ours("schemas")


def test_moto_is_not_imported_before_it_is_asked():
    code = "import sys, workflows.server.elsewhere; sys.exit('moto' in sys.modules or 'flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
