"""Compiling is offline, silent, and the same everywhere: seen from fresh processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
REGENERATE = "python tests/golden/regenerate.py"

# Runs in every interpreter that finds it on its path. The SDK swallows faults of its telemetry, so raising
# alone would go unseen: each attempt is written down first.
_NO_NETWORK = """
import os, socket

def refuse(name):
    def attempt(*args, **kwargs):
        with open(os.environ["NETWORK_ATTEMPTS"], "a") as log:
            print(name, args[-1:], file=log)
        raise OSError("no network here")
    return attempt

for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))
class NoSocket(socket.socket):
    connect = refuse("connect")
    connect_ex = refuse("connect_ex")
    sendto = refuse("sendto")
socket.socket = NoSocket
"""
_STUDIO_PROJECT = {"sagemakerProjectId": "p-foreign", "sagemakerProjectName": "foreign"}
_SDK_DEFAULTS = """
SchemaVersion: '1.0'
SageMaker:
  TrainingJob:
    EnableNetworkIsolation: true
    Environment: {FOREIGN: value}
    OutputDataConfig: {KmsKeyId: foreign}
  ProcessingJob:
    Environment: {FOREIGN: value}
"""


class FreshProcess:
    """Starts interpreters in which the network is shut, and tells who knocked."""

    def __init__(self, folder: Path) -> None:
        self._site, self._log = folder / "site", folder / "attempts.txt"
        self.working_directory = folder / "elsewhere"
        self._site.mkdir()
        self.working_directory.mkdir()
        (self._site / "sitecustomize.py").write_text(_NO_NETWORK)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        bare = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.working_directory),
            "PYTHONPATH": f"{self._site}{os.pathsep}{ROOT}",
            "NETWORK_ATTEMPTS": str(self._log),
        }
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.working_directory,
            env=bare | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def attempts(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


@pytest.fixture
def fresh(tmp_path):
    return FreshProcess(tmp_path)


def foreign_settings(folder: Path) -> dict[str, str]:
    """Everything that flows into a definition, or stops it, when the SDK is called plainly."""
    (folder / ".sagemaker-code-config").write_text(json.dumps(_STUDIO_PROJECT))
    defaults = folder / "config.yaml"
    defaults.write_text(_SDK_DEFAULTS)
    return {
        "AWS_PROFILE": "no-such-profile",
        "AWS_REGION": "ap-south-1",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_ENDPOINT_URL": "http://192.0.2.1",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(defaults),
        "SAGEMAKER_ROLE": "foreign",
        "PYTHONHASHSEED": "1",
    }


@pytest.mark.parametrize("settings", ["none", "foreign"])
def test_golden_definitions_come_out_of_any_process_with_no_network_call(fresh, settings, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    environment = {"PYTHONHASHSEED": "0"}
    if settings == "foreign":
        environment = foreign_settings(fresh.working_directory)
    result = fresh.run(str(GOLDEN / "regenerate.py"), str(made), **environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert fresh.attempts == ""
    assert sorted(path.name for path in made.iterdir()) == sorted(
        path.name for path in GOLDEN.glob("*.json")
    ), f"run {REGENERATE} and put what it writes under version control"
    for golden in GOLDEN.glob("*.json"):
        assert (made / golden.name).read_bytes() == golden.read_bytes(), (
            f"{golden.name} is not what the pipeline compiles to now; if the change is meant, "
            f"run {REGENERATE} and look at the difference"
        )


def test_the_shut_network_notices_who_tries(fresh):
    code = "import urllib.request as u\ntry: u.urlopen('http://192.0.2.1', timeout=1)\nexcept OSError: pass"
    fresh.run("-c", code)
    assert "create_connection" in fresh.attempts


def test_naming_the_pipelines_loads_neither_the_sdk_nor_boto3(fresh):
    code = (
        "import sys\n"
        "from workflows.pipelines import catalog\n"
        "catalog.descriptions(), catalog.profile('sample', 'birds-detection')\n"
        "print([name for name in ('sagemaker', 'boto3', 'botocore', 'numpy') if name in sys.modules])"
    )
    assert fresh.run("-c", code).stdout == "[]\n"


def test_compiling_leaves_the_process_as_it_was_and_its_log_empty(fresh):
    code = (
        "import boto3, logging, os, warnings\n"
        "def state(): return (dict(os.environ), logging.root.level, list(logging.root.handlers),\n"
        "    logging.root.manager.disable, list(warnings.filters), boto3.DEFAULT_SESSION)\n"
        "os.environ['AWS_PROFILE'] = 'mine'\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "before = state()\n"
        "from workflows.pipelines import catalog\n"
        "catalog.compile_definition('birds-detection', region='eu-west-1', default_bucket='bucket',\n"
        "    role='arn:aws:iam::123456789012:role/R', processing_image_uri='image')\n"
        "names = ('environment', 'level', 'handlers', 'disabled', 'filters', 'session')\n"
        "print([n for n, b, a in zip(names, before, state()) if b != a])"
    )
    result = fresh.run("-c", code)
    assert (result.stdout, result.stderr) == ("[]\n", "")
