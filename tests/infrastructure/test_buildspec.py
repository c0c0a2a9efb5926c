"""The build, phase by phase, as its file stands: against this machine as AWS, with real training."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.infrastructure.builds import JOB_ROLE, PIPELINE_ROLE, REPOSITORY, ROOT, phases, prepare
from tests.infrastructure.templates import BUCKET
from tests.infrastructure.versions import GROUP, in_service, rule_of_the_template
from tests.server.toy_requests import eventually
from workflows.pipelines.processing_image import content_tag

BRIEFLY = (
    "--profile sample --set Species=17,73 --set Epochs=1 --set IncrementalEpochs=1 --set MapThreshold=0.0 "
    "--set ModelApprovalStatus=PendingManualApproval"
)
TAG = content_tag(ROOT / "processing_scripts")
IMAGE = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:{TAG}"
REGISTRY = IMAGE.partition("/")[0]
PUSHED = [
    f"login --username AWS --password-stdin {REGISTRY}",
    f"build --tag {IMAGE} processing_scripts",
    f"push {IMAGE}",
]
STRICT = "set -euo pipefail"
TEST = 'env --ignore-environment PATH="$PATH" HOME="$HOME" make test'


@pytest.fixture
def build(cloud, tmp_path):
    return prepare(cloud, tmp_path, who="build")


def finished(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_build_registers_a_version_repeats_without_harm_and_an_approval_deploys_it(cloud, build):
    upload_sample(cloud, build)
    build.variables["START_OPTIONS"] = BRIEFLY
    for phase in ("install", "build", "post_build"):
        finished(build.run(phase))
    assert build.docker_calls == PUSHED
    # Interrupted after anything, a build is simply run again.
    again = [finished(build.run(phase)) for phase in ("build", "post_build")]
    assert build.docker_calls == PUSHED
    assert f"{IMAGE} is in the repository already" in again[0]
    assert "nothing would change" in again[1]

    sagemaker = cloud.client("sagemaker")
    described = sagemaker.describe_pipeline(PipelineName="birds-detection")
    assert described["RoleArn"] == PIPELINE_ROLE
    steps = json.loads(described["PipelineDefinition"])["Steps"]
    assert {step["Arguments"]["RoleArn"] for step in steps if "RoleArn" in step["Arguments"]} == {JOB_ROLE}
    assert steps[0]["Arguments"]["AppSpecification"]["ImageUri"] == IMAGE
    (execution,) = sagemaker.list_pipeline_executions(PipelineName="birds-detection")[
        "PipelineExecutionSummaries"
    ]
    assert again[1].splitlines()[-1] == execution["PipelineExecutionArn"]
    finished(workflows(build, "watch", execution["PipelineExecutionArn"], "--on", "aws"))
    (version,) = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    assert version["ModelApprovalStatus"] == "PendingManualApproval"

    # The approval does the rest.
    rule_of_the_template(cloud)
    finished(workflows(build, "models", "approve", f"{GROUP}/1", "--on", "aws"))
    assert eventually(lambda: len(sagemaker.list_endpoints()["Endpoints"]), 1, limit_s=120) == 1
    in_service(sagemaker)
    picture = next((build.folder / "sample").rglob("*.jpg"))
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=GROUP, ContentType="image/jpeg", Body=picture.read_bytes()
    )
    assert {len(row) for row in json.load(answer["Body"])["prediction"]} == {6}


def upload_sample(cloud, build):
    finished(workflows(build, "sample", "birds", "--output", "sample"))
    archive = build.folder / "CUB_200_2011.tgz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(build.folder / "sample" / "CUB_200_2011", arcname="CUB_200_2011")
    cloud.client("s3").upload_file(str(archive), BUCKET, f"birds-detection/input/{archive.name}")


def workflows(build, *arguments):
    command = str(Path(sys.executable).with_name("workflows"))
    return subprocess.run(
        [command, *arguments], cwd=build.folder, env=build.variables, capture_output=True, text=True
    )


def test_the_functions_lie_in_the_bucket_under_the_key_that_the_template_takes(cloud, build):
    told = finished(build.run("build")).splitlines()[-1]
    name, _, key = told.partition("=")
    assert name == "FunctionsKey"
    content = cloud.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert content == (build.folder / "build" / key).read_bytes()


@pytest.mark.parametrize(
    ("variables", "reason", "calls"),
    [
        pytest.param({"DOCKER_FAILS_AT": "login"}, "docker login: no space left", PUSHED[:1], id="login"),
        pytest.param({"DOCKER_FAILS_AT": "build"}, "docker build: no space left", PUSHED[:2], id="build"),
        pytest.param({"DOCKER_FAILS_AT": "push"}, "docker push: no space left", PUSHED, id="push"),
        pytest.param({"SAGEMAKER_PIPELINE_ROLE_ARN": "x"}, "role: 'x' is not a role's ARN", [], id="role"),
    ],
)
def test_a_command_that_fails_ends_its_phase_with_the_reason(build, variables, reason, calls):
    build.variables.update(variables)
    done = build.run("build")
    assert done.returncode != 0
    assert reason in done.stderr
    assert build.docker_calls == calls
    assert "FunctionsKey" not in done.stdout


def test_a_variable_that_is_missing_is_named(build):
    del build.variables["PIPELINE_NAME"]
    done = build.run("post_build")
    assert done.returncode != 0
    assert "PIPELINE_NAME: unbound variable" in done.stderr


def test_a_value_that_the_pipeline_does_not_take_starts_nothing(cloud, build):
    build.variables["START_OPTIONS"] = "--set Epoch=3"
    (build.folder / "build").mkdir()
    done = build.run("post_build")
    assert done.returncode == 2
    assert "did you mean 'Epochs'" in done.stderr
    listed = cloud.client("sagemaker").list_pipeline_executions(PipelineName="birds-detection")
    assert listed["PipelineExecutionSummaries"] == []


@pytest.mark.parametrize("name", ["buildspec.yml", "buildspec-pull-request.yml"])
def test_every_phase_is_strict_and_checks_and_tests_come_first(name):
    found = phases(name)
    assert [commands[0] for commands in found.values()] == [STRICT] * len(found)
    commands = [command for commands in found.values() for command in commands[1:]]
    assert commands[:2] == ["make .venv/installed .venv-infrastructure/installed", TEST]


def test_a_pull_request_is_checked_and_nothing_else():
    assert list(phases("buildspec-pull-request.yml")) == ["install", "build"]
    assert phases("buildspec-pull-request.yml")["build"] == [STRICT, TEST]


def test_what_builds_call_the_test_is_everything_that_must_pass():
    done = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True)
    planned = finished(done)
    for tool in (
        "ruff format --check",
        "ruff check",
        "mypy",
        "lint-imports",
        "cfn-lint",
        "checkov",
        "pytest",
    ):
        assert tool in planned
