"""What the template says, where our code must say the same; cfn-lint and checkov look at the rest."""

import json
import re

import pytest

from tests.infrastructure.accounts import ACCOUNT, DEPLOY, FIND, REGION
from tests.infrastructure.templates import GIVEN, TEMPLATE, properties, reference
from workflows.local.functions import handlers
from workflows.pipelines import catalog
from workflows.pipelines.processing_image import REPOSITORY
from workflows.pipelines.retraining import FUNCTION
from workflows.settings import SETTINGS

RESOURCES, PARAMETERS = TEMPLATE["Resources"], TEMPLATE["Parameters"]
EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
ENDPOINT, BUILD = "SageMaker Endpoint State Change", "CodeBuild Build State Change"
VERSION = "SageMaker Model Package State Change"


def test_names_are_those_that_definitions_are_compiled_with():
    assert properties("ProcessingImages")["RepositoryName"] == REPOSITORY
    assert properties("FindApprovedModel")["FunctionName"] == FUNCTION == FIND
    assert properties("DeployApprovedModel")["FunctionName"] == DEPLOY


@pytest.mark.parametrize("name", ["FindApprovedModel", "DeployApprovedModel"])
def test_a_function_is_the_one_of_this_machine(name):
    found = handlers({})[properties(name)["FunctionName"]]
    assert properties(name)["Handler"] == f"{found.file.stem}.{found.handler}"
    variables = properties(name).get("Environment", {}).get("Variables", {})
    assert variables.keys() == found.environment.keys()


def test_builds_get_the_variables_that_settings_read():
    build = properties("Build")["Environment"]["EnvironmentVariables"]
    names = {entry["Name"] for entry in build}
    known = {variable for setting in SETTINGS for variable in setting.variables}
    assert names - known == {"PIPELINE_NAME", "START_OPTIONS"}


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("NotificationEmail", ["a@b.cc"], ["a", "a@b", "a b@c.dd"]),
        ("GitHubRepository", ["team/vision.git-2"], ["team", "/vision", "https://github.com/team/vision"]),
        ("GitHubConnection", [GIVEN["GitHubConnection"]], ["", "arn:aws:codestar-connections:x"]),
        ("PipelineName", catalog.names(), ["birds", "birds-detection-again"]),
        ("RetrainingPipeline", [n for n in catalog.names() if "retrain" in n], ["birds-detection"]),
        (
            "RetrainingSchedule",
            ["cron(0 3 ? * SUN *)", "rate(7 days)"],
            ["0 3 * * *", "at(2030-01-01T00:00:00)"],
        ),
        ("FunctionsKey", ["", f"functions/{'0' * 64}.zip"], ["functions.zip", f"functions/{'0' * 63}.zip"]),
        ("StartOptions", ["", "--set Epochs=3 --profile sample"], ["$(id)", "a; b", "`id`", "a\nb"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_parameter_takes_what_it_should_and_nothing_else(parameter, good, bad):
    pattern = PARAMETERS[parameter]["AllowedPattern"]
    assert [value for value in good if not re.search(pattern, value)] == []
    assert [value for value in bad if re.search(pattern, value)] == []


def test_every_parameter_is_described_and_bounded():
    for name, parameter in PARAMETERS.items():
        assert parameter["Description"], name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name


def test_every_suppression_has_its_reason():
    for name, resource in RESOURCES.items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            assert len(skip["comment"].split()) > 3, (name, skip["id"])


@pytest.mark.parametrize(
    ("rule", "source", "kind", "detail", "is_wanted"),
    [
        pytest.param(
            "Failure",
            "aws.sagemaker",
            EXECUTION,
            {"currentPipelineExecutionStatus": status},
            wanted,
            id=status,
        )
        for status, wanted in [("Failed", True), ("Succeeded", False), ("Stopped", False)]
    ]
    + [
        pytest.param("Failure", "aws.sagemaker", ENDPOINT, {"EndpointStatus": status}, wanted, id=status)
        for status, wanted in [("FAILED", True), ("IN_SERVICE", False)]
    ]
    + [
        pytest.param(
            "Failure",
            "aws.codebuild",
            BUILD,
            {"project-name": project, "build-status": status},
            wanted,
            id=f"{project}-{status}",
        )
        for project, status, wanted in [
            ("vision-build", "FAILED", True),
            ("vision-build", "TIMED_OUT", True),
            ("vision-build", "SUCCEEDED", False),
            ("vision-pull-request", "FAILED", False),
            ("somebody-elses", "FAILED", False),
        ]
    ]
    + [
        pytest.param(
            "Approval",
            "aws.sagemaker",
            VERSION,
            {
                "ModelPackageGroupName": group,
                "ModelApprovalStatus": status,
                "ModelPackageStatus": "Completed",
            },
            wanted,
            id=f"{group}-{status}",
        )
        for group, status, wanted in [
            ("birds-detection", "Approved", True),
            ("caltech-classification", "Approved", True),
            ("birds-detection", "Rejected", False),
            ("birds-detection", "PendingManualApproval", False),
            ("somebody-elses", "Approved", False),
        ]
    ],
)
def test_a_rule_is_for_the_events_that_it_should_be_for(cloud, rule, source, kind, detail, is_wanted):
    event = {
        "id": "0",
        "source": source,
        "detail-type": kind,
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-01-01T00:00:00Z",
        "resources": [],
        "detail": detail,
    }
    answer = cloud.client("events").test_event_pattern(
        EventPattern=json.dumps(properties(rule)["EventPattern"]), Event=json.dumps(event)
    )
    assert answer["Result"] is is_wanted


OUR_KEY = reference("ArtifactKey.Arn")
ENCRYPTION, KEY = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"


@pytest.mark.parametrize(
    ("context", "is_denied"),
    [
        pytest.param({}, False, id="the-buckets-own-encryption"),
        pytest.param({ENCRYPTION: "aws:kms", KEY: OUR_KEY}, False, id="our-key"),
        pytest.param({ENCRYPTION: "aws:kms"}, False, id="kms-without-a-key"),
        pytest.param({ENCRYPTION: "AES256"}, True, id="no-kms"),
        pytest.param({ENCRYPTION: "aws:kms", KEY: f"{OUR_KEY[:-1]}x"}, True, id="another-key"),
        pytest.param({"aws:SecureTransport": "false"}, True, id="plain-http"),
    ],
)
def test_the_bucket_refuses_what_is_not_encrypted(context, is_denied):
    statements = properties("ArtifactBucketPolicy")["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Deny"}
    request = {"aws:SecureTransport": "true", **context}
    assert any(applies(statement["Condition"], request) for statement in statements) is is_denied


def applies(condition, request):
    """Whether every condition holds, as IAM says: a negated comparison holds for a key that is not there."""
    return all(
        OPERATORS[operator](request.get(key), wanted)
        for operator, entries in condition.items()
        for key, wanted in entries.items()
    )


OPERATORS = {
    "Bool": lambda given, wanted: given == wanted,
    "Null": lambda given, wanted: (given is None) is (wanted == "true"),
    "StringNotEquals": lambda given, wanted: given != wanted,
    "ArnNotEquals": lambda given, wanted: given != wanted,
}
