"""A machine served by the command itself, and clients in environments of their own."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.drawn import draw_birds, draw_things

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("scripts")
# What docs/server.md tells users to set, and nothing else.
EXPORTS = dict(
    word.split("=", 1)
    for word in re.search(
        r"^export (AWS_ENDPOINT_URL=.*)$", (ROOT / "docs/server.md").read_text(), re.MULTILINE
    )[1].split()
)
LIMIT_S = 600


@dataclass(frozen=True)
class Served:
    """A machine, and what its users have set."""

    url: str
    environment: dict[str, str]

    def run(self, *argv, cwd, **variables):
        """A finished process of a user."""
        environment = {**self.environment, **variables}
        return subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, timeout=LIMIT_S)


@contextmanager
def serving(home):
    """`workflows serve` with its state in a folder."""
    # One thread a job: on a busy machine the threads of so small a network spend their time waiting.
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1"}
    argv = [str(Path(sys.executable).with_name("workflows")), "serve", "--port", "0"]
    with (
        (home / "server.log").open("w") as log,
        subprocess.Popen(argv, cwd=home, env=own, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        try:
            url = server.stdout.readline().split()[-1]
            user = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
            yield Served(url, {**user, **EXPORTS, "AWS_ENDPOINT_URL": url})
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A machine for all tests of a module."""
    with serving(tmp_path_factory.mktemp("machine")) as served:
        yield served


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    draw_birds(folder)
    return folder


@pytest.fixture(scope="session")
def few_birds(tmp_path_factory):
    """Two epochs: enough to see that everything runs."""
    folder = tmp_path_factory.mktemp("few-birds")
    draw_birds(folder, epochs="2")
    return folder


@pytest.fixture(scope="session")
def things(tmp_path_factory):
    folder = tmp_path_factory.mktemp("things")
    draw_things(folder)
    return folder


def sooner_or_later(look):
    """What a look finds as soon as it finds something."""
    deadline = time.monotonic() + LIMIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing has come of it"
        time.sleep(0.5)
    return found


def tool_of(environment, name):
    """A program of one of the environments that `make clients` builds."""
    tool = ROOT / ".clients" / environment / "bin" / name
    assert tool.exists(), f"{tool} is missing: `make clients` builds it"
    return str(tool)


def python_of(sdk):
    """The interpreter that has a version of the SageMaker SDK; version 3 is among what this project needs."""
    return sys.executable if sdk == "v3" else tool_of(f"sdk-{sdk}", "python")


@dataclass(frozen=True)
class Finished:
    """What a script has answered and what it has shown."""

    answer: dict
    shown: str


def run_script(sdk, name, data, folder, *more):
    """Run a script of a user on a machine of its own: python NAME_with_SDK.py DATA ANSWER."""
    script, answer = SCRIPTS / f"{name}_with_{sdk}.py", folder / "answer.json"
    with serving(folder) as served:
        done = served.run(python_of(sdk), str(script), str(data), str(answer), *more, cwd=folder)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    # Version 2 prints the logs of jobs, version 3 logs them.
    return Finished(json.loads(answer.read_text()), done.stdout + done.stderr)


@dataclass(frozen=True)
class AwsCli:
    """The AWS CLI in a folder of its user."""

    served: Served
    folder: Path
    variables: dict[str, str]

    def __call__(self, *words):
        """What a command says that succeeds."""
        done = self._run(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words):
        """What a command says that answers in JSON; None if it says nothing."""
        said = self(*words)
        return json.loads(said) if said.strip() else None

    def refusal(self, *words):
        """What a command says that fails."""
        done = self._run(words)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def _run(self, words):
        return self.served.run(tool_of("aws-cli-v1", "aws"), *words, cwd=self.folder, **self.variables)


def aws_cli(served, folder, **variables):
    """The AWS CLI of `make clients`, with what a user may have set beside the exports."""
    return AwsCli(served, folder, variables)
