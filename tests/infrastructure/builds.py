"""A build as CodeBuild runs it: a buildspec's phases in a copy of the working tree; docker only records."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.infrastructure.templates import BUCKET, reference

ROOT = Path(__file__).parents[2]
AWS = ROOT / ".venv-infrastructure" / "bin" / "aws"
REPOSITORY = "sagemaker-vision-processing"
PIPELINE_ROLE, JOB_ROLE = reference("PipelineRole.Arn"), reference("JobRole.Arn")
DOCKER = Path(__file__).with_name("docker_that_records.py")


def phases(name):
    """Phase -> commands, in their order."""
    document = yaml.safe_load((ROOT / name).read_text())
    return {phase: content["commands"] for phase, content in document["phases"].items()}


@dataclass
class Build:
    """One build of the main branch."""

    folder: Path  # the source
    variables: dict[str, str]

    def run(self, phase):
        """A phase's commands in one shell, which ends at the first that fails."""
        script = "\n".join(phases("buildspec.yml")[phase])
        return subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.variables, capture_output=True, text=True
        )

    @property
    def docker_calls(self):
        log = self.folder / "docker.log"
        return log.read_text().splitlines() if log.exists() else []


def prepare(cloud, folder, *, who, **more):
    """A build whose account has what the template makes: bucket and repository."""
    assert AWS.exists(), "run `make .venv-infrastructure/installed` before these tests"
    cloud.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    ecr = cloud.client("ecr")
    with suppress(ecr.exceptions.RepositoryNotFoundException):  # an earlier test's: moto's are in the process
        ecr.delete_repository(repositoryName=REPOSITORY, force=True)
    ecr.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    source, tools = folder / "source", folder / "tools"
    _copy_tree(source)
    tools.mkdir()
    (tools / "aws").symlink_to(AWS)
    docker = tools / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {DOCKER} "$@"\n')
    docker.chmod(0o755)
    variables = {
        **cloud.environment(who),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(source),
        "ARTIFACT_BUCKET": BUCKET,
        "SAGEMAKER_PIPELINE_ROLE_ARN": PIPELINE_ROLE,
        "JOB_ROLE_ARN": JOB_ROLE,
        "PIPELINE_NAME": "birds-detection",
        "CODEBUILD_BUILD_ID": "vision-build:0f5f2b8e",
        "START_OPTIONS": "",
        "DOCKER_LOG": str(source / "docker.log"),
        **more,
    }
    return Build(source, variables)


def _copy_tree(target):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    # What the install phase made; older than it, so that it is not made again.
    for name in (".venv", ".venv-infrastructure"):
        (target / name).symlink_to(ROOT / name)
    for name in ("requirements.lock", "pyproject.toml", "infrastructure/requirements.txt"):
        os.utime(target / name, (0, 0))
