import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.aws.toy_models import IMAGES
from tests.cli.typed import Typed, run
from tests.toys import TOY_IMAGES
from workflows.aws.clients import Clients
from workflows.cli.main import main

WORKFLOWS = str(Path(sys.executable).with_name("workflows"))


@dataclass
class Shell:
    """Types commands in a folder of their own, where nothing is configured but what is given."""

    folder: Path
    capfd: pytest.CaptureFixture[str]  # of file descriptors: what is started writes, too

    def __call__(self, *arguments, **environment):
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in (own | environment).items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            return run(patch, self.capfd, main, "workflows", *map(str, arguments))

    def json(self, *arguments):
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return done.document

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name


def image_tables(images):
    """What a user's workflows.toml holds of images."""
    tables = []
    for repository, entry in images.items():
        tables.append(f"[images.{repository}]")
        if "command" in entry:
            tables.append(f"command = {json.dumps(entry['command'])}")
        for name, regex in entry.get("metrics", {}).items():
            tables.append(f"metrics.'{name}' = '{regex}'")
    return "\n".join(tables) + "\n"


@pytest.fixture
def workflows(tmp_path, capfd):
    shell = Shell(tmp_path, capfd)
    shell.write("workflows.toml", image_tables(TOY_IMAGES))
    return shell


@dataclass
class Served:
    """A `workflows serve` in a process of its own."""

    url: str
    folder: Path


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "workflows.toml").write_text(image_tables({**TOY_IMAGES, **IMAGES}))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_REGION": "eu-west-1"}
    with (
        open(folder / "log", "w") as log,
        subprocess.Popen(
            [WORKFLOWS, "serve", "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        try:
            yield Served(server.stdout.readline().split()[-1], folder)
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def served_clients(served):
    with closing(Clients("eu-west-1", endpoint_url=served.url, access_key="none")) as clients:
        yield clients


@pytest.fixture
def aws(served, tmp_path, monkeypatch, capsys):
    """Types commands with --on aws, as on a machine whose environment leads to the served one."""
    for name in ("AWS_PROFILE", "WORKFLOWS_HOME", "ARTIFACT_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": served.url,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
        "AWS_MAX_ATTEMPTS": "3",
        "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::000000000001:role/toys",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Typed(monkeypatch, capsys)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Types the same commands with --on local."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "WORKFLOWS_", "SAGEMAKER_")):
            monkeypatch.delenv(name)
    (tmp_path / "workflows.toml").write_text(image_tables({**TOY_IMAGES, **IMAGES}))
    monkeypatch.chdir(tmp_path)
    return Typed(monkeypatch, capsys, on="local")
