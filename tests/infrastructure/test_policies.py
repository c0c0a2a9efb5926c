"""The policies of the template against what our code calls: nothing is missing, and nothing is unused."""

import json
from fnmatch import fnmatchcase

import pytest

from tests.infrastructure import derivation
from tests.infrastructure.accounts import ACCOUNT, DEPLOY, FIND, REGION, account
from tests.infrastructure.builds import prepare
from tests.infrastructure.templates import TEMPLATE, properties, reference, role_statements, several
from tests.infrastructure.versions import (
    GROUP,
    QUICK,
    approved,
    event,
    in_service,
    load_function,
    put_model,
    register,
    set_status,
    start,
    status_of,
)
from tests.server.toy_requests import ROLE, endpoint_config, eventually, model
from tests.toys import definition

ROLES = [name for name, each in TEMPLATE["Resources"].items() if each["Type"] == "AWS::IAM::Role"]
GROUPS = ("birds-detection", "caltech-classification")

_LOG = "the service writes the log of what runs with the role"
_PUSH = "docker pushes layers with them; source: ECR User Guide, IAM permissions for pushing an image"
_SOURCE = "CodeBuild fetches the source with them"
_MAIL = "Lambda tells with them what has failed for good"
# What no call of ours shows: role -> action -> why it is there.
UNSEEN = {
    "PipelineRole": {
        "sagemaker:UpdateEndpoint": "what the Endpoint step does where the endpoint exists, as documented"
    },
    "JobRole": {
        "ecr:GetAuthorizationToken": "SageMaker pulls images with it",
        "logs:CreateLogGroup": _LOG,
        "logs:CreateLogStream": _LOG,
        "logs:DescribeLogStreams": _LOG,
        "logs:PutLogEvents": _LOG,
        "cloudwatch:PutMetricData": "SageMaker publishes a job's metrics with it",
    },
    "BuildRole": {
        "codeconnections:GetConnection": _SOURCE,
        "codeconnections:GetConnectionToken": _SOURCE,
        "logs:CreateLogStream": _LOG,
        "logs:PutLogEvents": _LOG,
        "ecr:BatchCheckLayerAvailability": _PUSH,
        "ecr:BatchGetImage": _PUSH,
        "ecr:CompleteLayerUpload": _PUSH,
        "ecr:InitiateLayerUpload": _PUSH,
        "ecr:PutImage": _PUSH,
        "ecr:UploadLayerPart": _PUSH,
    },
    "PullRequestRole": {
        "codeconnections:GetConnection": _SOURCE,
        "codeconnections:GetConnectionToken": _SOURCE,
        "logs:CreateLogStream": _LOG,
        "logs:PutLogEvents": _LOG,
    },
    "FindApprovedModelRole": {"logs:CreateLogStream": _LOG, "logs:PutLogEvents": _LOG},
    "DeployApprovedModelRole": {
        "logs:CreateLogStream": _LOG,
        "logs:PutLogEvents": _LOG,
        "sns:Publish": _MAIL,
        "kms:Decrypt": _MAIL,
        "kms:GenerateDataKey": _MAIL,
    },
    "SchedulerRole": {},
}


@pytest.fixture(scope="module")
def needs(tmp_path_factory):
    """Role -> what it needs, as pairs of action and resource."""
    folder = tmp_path_factory.mktemp("account")
    with account(folder / "home") as cloud:
        build(cloud, folder)
        find(cloud)
        with pytest.MonkeyPatch.context() as patch:
            deploy(cloud, folder, patch)
        seen = {who: [call for call in cloud.calls if call.who == who] for who in ("build", FIND, DEPLOY)}
    compiled = derivation.definitions()
    found = {
        "BuildRole": [need for call in seen["build"] for need in derivation.of_call(call)],
        "FindApprovedModelRole": for_each_group(seen[FIND]),
        "DeployApprovedModelRole": for_each_group(seen[DEPLOY]),
        "PipelineRole": [need for each in compiled for need in each.pipeline_needs()],
        "JobRole": [need for each in compiled for need in each.job_needs()],
        "SchedulerRole": [
            ("sagemaker:StartPipelineExecution", f"{derivation.SAGEMAKER}:pipeline/{each.name}")
            for each in compiled
        ],
        "PullRequestRole": [],
    }
    # Definitions are compiled with one role; the build gives them JobRole.
    golden, job_role = f"arn:aws:iam::{ACCOUNT}:role/VisionPipelines", reference("JobRole.Arn")
    renamed = {golden: job_role, ROLE: job_role}
    return {
        role: {(action, renamed.get(resource, resource)) for action, resource in each}
        for role, each in found.items()
    }


def build(cloud, folder):
    """The build's phases: into an empty account, and after a change of the definition."""
    run = prepare(cloud, folder, who="build")
    for token, job_role in (("1", "JobRole"), ("2", "AnotherRole")):
        changed = reference("JobRole.Arn").replace("JobRole", job_role)
        run.variables |= {"CODEBUILD_BUILD_ID": token, "JOB_ROLE_ARN": changed}
        for phase in ("build", "post_build"):
            done = run.run(phase)
            assert done.returncode == 0, done.stderr


def find(cloud):
    """The function as a retraining pipeline calls it."""
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    set_status(sagemaker, register(cloud, sagemaker, "robin"), "Approved")
    step = {
        "Name": "FindApprovedModel",
        "Type": "Lambda",
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FIND}",
        "Arguments": {"ModelPackageGroupName": GROUP},
        "OutputParameters": [{"OutputName": "ModelDataUrl", "OutputType": "String"}],
    }
    sagemaker.create_pipeline(
        PipelineName="find", PipelineDefinition=definition(step), RoleArn=ROLE, ClientRequestToken="f" * 32
    )
    execution = sagemaker.start_pipeline_execution(PipelineName="find", ClientRequestToken="f" * 32)[
        "PipelineExecutionArn"
    ]
    assert eventually(lambda: status_of(sagemaker, execution), "Succeeded", limit_s=60) == "Succeeded"


def deploy(cloud, folder, patch):
    """The function at what it may meet: a pipeline's endpoint, a repeated event, none, an older version."""
    for name, value in cloud.environment(DEPLOY).items():
        patch.setenv(name, value)
    patch.setenv("ENDPOINT_ROLE_ARN", ROLE)
    handler, sagemaker = load_function("deploy_approved_model").handler, cloud.client("sagemaker")
    deploy_as_a_pipeline_does(cloud, sagemaker)
    gate = folder / "gate"
    gate.touch()
    execution = start(sagemaker, f"while [ -e {gate} ]; do sleep 0.05; done", "PendingManualApproval")
    made_by = {"PipelineExecutionArn": execution}
    first = register(cloud, sagemaker, "wren", CustomerMetadataProperties=made_by)
    handler(event(set_status(sagemaker, first, "Approved")), None)
    gate.unlink()
    in_service(sagemaker)
    handler(event(first), None)
    delete_endpoint(sagemaker)
    handler(event(approved(cloud, sagemaker, "gull")), None)
    in_service(sagemaker)
    handler(event(set_status(sagemaker, first, "Approved")), None)
    in_service(sagemaker)
    assert eventually(lambda: status_of(sagemaker, execution), "Succeeded", limit_s=60) == "Succeeded"


def deploy_as_a_pipeline_does(cloud, sagemaker):
    """The endpoint that the first approval finds."""
    made, config = "pipelines-0f5f2b8e1234-createmodel-abcdefghij", f"{GROUP}-0f5f2b8e1234"
    sagemaker.create_model(**model(made, put_model(cloud, "finch")))
    sagemaker.create_endpoint_config(**endpoint_config(config, made))
    sagemaker.create_endpoint(EndpointName=GROUP, EndpointConfigName=config)
    in_service(sagemaker)


def delete_endpoint(sagemaker):
    sagemaker.delete_endpoint(EndpointName=GROUP)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=GROUP, WaiterConfig=QUICK)


def for_each_group(calls):
    """What was seen of one group is needed for the other one, too."""
    for call in calls:
        for action, resource in derivation.of_call(call):
            for group in GROUPS:
                yield action, resource.replace(GROUP, group)


def grants(role):
    """Every action with the patterns of resources that a statement allows it for."""
    for statement in role_statements(role):
        assert statement["Effect"] == "Allow"
        for action in several(statement["Action"]):
            yield action, several(statement["Resource"])


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_missing(needs, role):
    def is_allowed(action, resource):
        return any(
            action == granted and any(fnmatchcase(resource, pattern) for pattern in patterns)
            for granted, patterns in grants(role)
        )

    assert sorted(need for need in needs[role] if not is_allowed(*need)) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_unused(needs, role):
    used = {action for action, _ in needs[role]}
    granted = {action for action, _ in grants(role)}
    assert sorted(granted - used - UNSEEN[role].keys()) == []
    # Reasons that are not needed any more go, too.
    assert sorted(action for action in UNSEEN[role] if action in used or action not in granted) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_resource_is_unused(needs, role):
    for statement in role_statements(role):
        actions = set(several(statement["Action"])) - UNSEEN[role].keys()
        if not actions:
            continue
        wanted = [resource for action, resource in needs[role] if action in actions]
        for pattern in several(statement["Resource"]):
            assert any(fnmatchcase(resource, pattern) for resource in wanted), (pattern, actions)


@pytest.mark.parametrize("role", ROLES)
def test_actions_are_named_one_by_one_and_exist(role):
    for action, _ in grants(role):
        service, _, operation = action.partition(":")
        assert "*" not in action
        if service == "sagemaker":
            assert operation in derivation.operations_of("sagemaker")


@pytest.mark.parametrize("role", ROLES)
def test_every_resource_is_meant_only_where_an_action_has_none(role):
    free = {action for action, patterns in grants(role) if "*" in patterns}
    assert free <= {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_handed_to_sagemaker_only(role):
    for statement in role_statements(role):
        if "iam:PassRole" in several(statement["Action"]):
            assert several(statement["Action"]) == ["iam:PassRole"]
            assert statement["Condition"] == {
                "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
            }


# Lambda takes the role of a function in its own account only: iam:PassRole ends at the account.
@pytest.mark.parametrize("role", [name for name in ROLES if "ApprovedModel" not in name])
def test_a_service_takes_a_role_for_this_account_only(role):
    trust = properties(role)["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT


def test_a_pull_request_has_no_right_to_anything_of_ours():
    allowed = {action.partition(":")[0] for action, _ in grants("PullRequestRole")}
    assert allowed == {"codeconnections", "logs"}
    variables = TEMPLATE["Resources"]["PullRequestBuild"]["Properties"]["Environment"]
    assert "EnvironmentVariables" not in variables
    assert variables["PrivilegedMode"] is False


def test_a_definition_whose_jobs_do_more_is_noticed():
    """The derivation sees what a new step would need: here that of a tuning, which no role allows."""
    with pytest.raises(AssertionError, match="Tuning"):
        step = {"Type": "Tuning", "Name": "Tune", "Arguments": {}}
        compiled = derivation.definitions()[0]
        compiled.steps = [step]
        list(compiled.pipeline_needs())


def test_json_of_the_repositorys_lifecycle_is_valid():
    policy = TEMPLATE["Resources"]["ProcessingImages"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]
    assert [rule["action"]["type"] for rule in json.loads(policy)["rules"]] == ["expire", "expire"]
