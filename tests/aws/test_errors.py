"""What AWS refuses, over HTTP, and what a person is told about it."""

import pytest
from botocore.exceptions import ClientError

from workflows.aws import endpoints, executions, objects, pipelines, registry, schedules
from workflows.aws.clients import Clients
from workflows.aws.errors import CloudError, NotFound, Unreachable, told
from workflows.definition.errors import WorkflowError

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/birds"
SESSION = "arn:aws:sts::123456789012:assumed-role/build/AWSCodeBuild-1"
SECRETS = ("SECRETKEY", "SESSIONTOKEN", "hunter2")


def told_about(work, kind=CloudError):
    with pytest.raises(kind) as caught, told():
        work()
    message = str(caught.value)
    assert not [secret for secret in SECRETS if secret in message]
    return message


def describe(clients):
    return lambda: clients.sagemaker.describe_pipeline(PipelineName="birds")


def test_throttling_that_goes_away_is_never_seen(clients, answers):
    answers.refuse("ThrottlingException", "Rate exceeded").succeed(PipelineArn=ARN)
    assert pipelines.find(clients, "birds")["PipelineArn"] == ARN
    assert answers.asked == ["DescribePipeline", "DescribePipeline"]


def test_throttling_that_stays_is_told_after_the_attempts_that_are_configured(clients, answers):
    answers.refuse("ThrottlingException", "Rate exceeded")
    assert "too many requests (Rate exceeded); try again later" in told_about(describe(clients))
    assert len(answers.asked) == 2


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(
            f"User: {SESSION} is not authorized to perform: sagemaker:DescribePipeline on resource: {ARN} "
            "because no identity-based policy allows the sagemaker:DescribePipeline action",
            "add to the policy of arn:aws:iam::123456789012:role/build: "
            f'{{"Effect": "Allow", "Action": "sagemaker:DescribePipeline", "Resource": "{ARN}"}}',
            id="session-of-a-role",
        ),
        pytest.param(
            "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:PassRole on "
            'resource: "arn:aws:iam::123456789012:role/jobs" because no policy allows it',
            "add to the policy of arn:aws:iam::123456789012:user/ann: "
            '{"Effect": "Allow", "Action": "iam:PassRole", "Resource": '
            '"arn:aws:iam::123456789012:role/jobs"}',
            id="quoted-resource",
        ),
        pytest.param(
            "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: sagemaker:ListPipelines",
            '"Action": "sagemaker:ListPipelines", "Resource": "*"}',
            id="no-resource",
        ),
    ],
)
def test_a_denial_names_the_line_that_the_policy_lacks(clients, answers, message, expected):
    answers.refuse("AccessDeniedException", message)
    text = told_about(describe(clients))
    assert text.startswith("DescribePipeline is not allowed: User: ")
    assert text.partition(" (")[0].endswith(expected)


def test_an_explicit_denial_is_not_mended_by_allowing(clients, answers):
    answers.refuse(
        "AccessDeniedException",
        f"User: {SESSION} is not authorized to perform: sagemaker:DescribePipeline on resource: {ARN} with "
        "an explicit deny in a service control policy",
    )
    text = told_about(describe(clients))
    assert "explicit deny in a service control policy" in text
    assert "add to the policy" not in text


@pytest.mark.parametrize(
    ("code", "fragment"),
    [
        pytest.param("ExpiredTokenException", "have expired; sign in again", id="expired"),
        pytest.param("ExpiredToken", "have expired; sign in again", id="expired-as-s3-has-it"),
        pytest.param("UnrecognizedClientException", "AWS does not know these credentials", id="unknown-key"),
        pytest.param("InvalidClientTokenId", "AWS does not know these credentials", id="unknown-key-of-sts"),
        pytest.param("InvalidSignatureException", "clock is wrong", id="clock"),
    ],
)
def test_credentials_that_are_refused(clients, answers, code, fragment):
    answers.refuse(code, "The security token included in the request is invalid", status=403)
    assert fragment in told_about(describe(clients), Unreachable)


def test_what_was_signed_is_never_told(clients, answers):
    answers.refuse(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.\n\nThe Canonical "
        "String for this request should have been\n'POST\n/\n\nx-amz-security-token:SESSIONTOKEN\n'",
        status=403,
    )
    text = told_about(describe(clients), Unreachable)
    assert "does not match the signature you provided" in text
    assert "Canonical" not in text


def test_without_credentials_the_ways_to_get_some_are_named(answers):
    clients = Clients("eu-west-1", endpoint_url=answers.url)
    text = told_about(describe(clients), Unreachable)
    assert text.startswith("there are no AWS credentials; run `aws configure`")
    assert answers.asked == []


def test_a_profile_that_is_not_there_is_named(answers, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    text = told_about(lambda: Clients("eu-west-1", endpoint_url=answers.url).sagemaker)
    assert "profile (nobody) could not be found" in text


def test_no_answer_leads_to_network_and_region_and_hides_a_password():
    # Port 1 is reserved: nothing listens there.
    clients = Clients("eu-west-1", endpoint_url="http://ann:hunter2@127.0.0.1:1", access_key="SECRETKEY")
    text = told_about(describe(clients), Unreachable)
    assert "Could not connect" in text
    assert "127.0.0.1:1/" in text
    assert "check the network, and that the region exists" in text


def test_a_fault_of_the_service_is_told_with_its_code(clients, answers):
    answers.refuse("InternalFailure", "something broke", status=500)
    assert told_about(describe(clients)) == "DescribePipeline: something broke (InternalFailure)"
    assert len(answers.asked) == 2


def test_a_request_that_is_wrong_is_told_once(clients, answers):
    answers.refuse("ValidationException", "1 validation error detected")
    text = told_about(describe(clients))
    assert text == "DescribePipeline: 1 validation error detected (ValidationException)"
    assert len(answers.asked) == 1


def test_a_bucket_in_another_region_is_told_as_such(clients, answers):
    answers.then(301, x_amz_bucket_region="eu-west-1")
    text = told_about(lambda: objects.ensure_bucket(clients, "pictures"))
    assert "in another region" in text


def test_a_bucket_of_another_account_is_told_as_such(clients, answers):
    answers.then(403)
    assert "HeadBucket is not allowed" in told_about(lambda: objects.ensure_bucket(clients, "pictures"))


@pytest.mark.parametrize(
    ("code", "message", "find"),
    [
        pytest.param(
            "ResourceNotFound",
            "Pipeline 'birds' does not exist.",
            lambda clients: pipelines.find(clients, "birds"),
            id="pipeline",
        ),
        pytest.param(
            "ValidationException",
            'Could not find endpoint "arn:aws:sagemaker:eu-west-1:1:endpoint/birds".',
            lambda clients: endpoints.find(clients, "birds"),
            id="endpoint",
        ),
        pytest.param(
            "ValidationException",
            "Requested resource not found.",
            lambda clients: executions.described(
                clients, {"Metadata": {"TrainingJob": {"Arn": "a/job"}}}, "TrainingJob"
            ),
            id="job",
        ),
        pytest.param(
            "ValidationException",
            "ModelPackage arn:aws:sagemaker:eu-west-1:1:model-package/birds/1 does not exist.",
            lambda clients: executions.described(
                clients, {"Metadata": {"RegisterModel": {"Arn": "a/birds/1"}}}, "RegisterModel"
            ),
            id="version",
        ),
    ],
)
def test_what_does_not_exist_is_known_by_each_services_own_words(clients, answers, code, message, find):
    answers.refuse(code, message)
    assert find(clients) is None


def test_a_schedule_that_does_not_exist(clients, answers):
    answers.then(
        404, b'{"Message": "Schedule birds does not exist."}', x_amzn_errortype="ResourceNotFoundException"
    )
    assert schedules.find(clients, "birds") is None


def test_an_object_that_does_not_exist(clients, answers):
    answers.refuse_as_s3("NoSuchKey", "The specified key does not exist.", status=404)
    text = told_about(lambda: objects.read_json(clients, "s3://pictures/report.json"), NotFound)
    assert text == "GetObject: The specified key does not exist. (NoSuchKey)"


def test_another_refusal_is_not_taken_for_absence(clients, answers):
    answers.refuse("ValidationException", "1 validation error detected")
    with pytest.raises(ClientError):
        pipelines.find(clients, "birds")


def test_a_name_in_neither_form_costs_no_call(clients, answers):
    with pytest.raises(WorkflowError, match="write GROUP/VERSION, or its ARN"):
        registry.find(clients, "birds")
    assert answers.asked == []
