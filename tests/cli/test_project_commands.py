"""run-pipeline and get-pipeline-definition, as SageMaker's project templates call them."""

import json
import os
import secrets

import pytest

from tests.cli.typed import run
from tests.toys import definition, processing
from workflows.cli.project_commands import get_pipeline_definition, run_pipeline

MODULE = '''
import json


class Pipeline:
    """What the SDK's own is to these commands."""

    def __init__(self, name, definition):
        self.name, self._definition = name, definition

    def definition(self):
        return self._definition


def get_pipeline({signature}):
    given = {{key: value for key, value in locals().items()}}
    document = json.loads({definition!r})
    document["Metadata"] = {{key: str(value) for key, value in given.items()}}
    return Pipeline({name!r}, json.dumps(document))
'''
TEMPLATE = "region, sagemaker_project_arn=None, role=None, default_bucket=None, pipeline_name='x'"


@pytest.fixture
def name():
    return f"toys-{secrets.token_hex(4)}"


@pytest.fixture
def module(aws, tmp_path, name):
    """Writes a module with a get_pipeline(); returns the module's name."""

    def write(script="echo done", signature=TEMPLATE):
        text = definition(processing("Prepare", script, outputs=()))
        module_name = f"pipeline_{secrets.token_hex(4)}"
        (tmp_path / f"{module_name}.py").write_text(
            MODULE.format(signature=signature, definition=text, name=name)
        )
        return module_name

    return write


@pytest.fixture
def typed(aws, monkeypatch, capsys):
    def call(entry, *arguments):
        return run(monkeypatch, capsys, entry, entry.__name__.replace("_", "-"), *map(str, arguments))

    return call


def metadata(done):
    return json.loads(done.stdout)["Metadata"]


def test_a_definition_is_printed_with_what_the_environment_says(typed, module, monkeypatch):
    monkeypatch.setenv("ARTIFACT_BUCKET", "ours")
    monkeypatch.setenv("SAGEMAKER_PROJECT_ARN", "arn:aws:sagemaker:eu-west-1:123456789012:project/p")
    done = typed(get_pipeline_definition, "--module-name", module())
    assert done.returncode == 0, done.stderr
    assert metadata(done) == {
        "region": "eu-west-1",
        "sagemaker_project_arn": "arn:aws:sagemaker:eu-west-1:123456789012:project/p",
        "role": os.environ["SAGEMAKER_PIPELINE_ROLE_ARN"],
        "default_bucket": "ours",
        "pipeline_name": "x",
    }


@pytest.mark.parametrize("flag", ["--kwargs", "-kwargs"])
def test_kwargs_come_before_the_environment(typed, module, flag):
    kwargs = json.dumps({"region": "us-west-2", "pipeline_name": "y", "sagemaker_project_arn": ""})
    done = typed(get_pipeline_definition, "-n", module(), flag, kwargs)
    found = metadata(done)
    assert (found["region"], found["pipeline_name"], found["sagemaker_project_arn"]) == ("us-west-2", "y", "")


@pytest.mark.parametrize("flag", ["--file-name", "-f"])
def test_a_definition_is_written_to_a_file(typed, module, tmp_path, flag):
    done = typed(get_pipeline_definition, "-n", module(), flag, "out.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tmp_path / "out.json").read_text())["Version"] == "2020-12-01"


def test_a_module_is_given_only_what_its_function_knows(typed, module):
    done = typed(get_pipeline_definition, "-n", module(signature="role"))
    assert list(metadata(done)) == ["role"]


def test_a_pipeline_is_upserted_started_and_watched(typed, module, name, served_clients, monkeypatch):
    for variable, value in {"SAGEMAKER_PROJECT_NAME": "birds", "SAGEMAKER_PROJECT_ID": "p-1"}.items():
        monkeypatch.setenv(variable, value)
    role = "arn:aws:iam::123456789012:role/other"
    done = typed(
        run_pipeline,
        *("--module-name", module()),
        *("--role-arn", role),
        *("--description", "Counts birds."),
        *("--tags", '[{"Key": "team", "Value": "birds"}]'),
        *("--kwargs", '{"pipeline_name": "y"}'),
    )
    assert done.returncode == 0, done.stderr
    first, arn, last = done.stdout.splitlines()
    assert first.endswith(f"pipeline/{name} created")
    assert f"/{name}/execution/" in arn
    assert last == "Succeeded"
    assert "* Prepare (Processing)" in done.stderr
    found = served_clients.sagemaker.describe_pipeline(PipelineName=name)
    assert (found["RoleArn"], found["PipelineDescription"]) == (role, "Counts birds.")
    tags = served_clients.sagemaker.list_tags(ResourceArn=found["PipelineArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "sagemaker:project-name": "birds",
        "sagemaker:project-id": "p-1",
        "team": "birds",
    }
    assert json.loads(found["PipelineDefinition"])["Metadata"]["role"] == role


def test_tags_may_be_an_object_and_the_second_time_nothing_changes(typed, module, name):
    one = module()
    for expected in ("created", "unchanged"):
        done = typed(run_pipeline, "-n", one, "-tags", '{"team": "birds"}')
        assert done.stdout.splitlines()[0].endswith(f"pipeline/{name} {expected}")


def test_a_failed_execution_ends_with_1_and_its_reason(typed, module):
    done = typed(run_pipeline, "-n", module("echo the data is broken >&2; exit 3"))
    assert done.returncode == 1
    assert "ERROR Prepare: " in done.stderr
    assert "< Prepare  the data is broken" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("Failed ")


def test_a_refused_call_ends_with_1(typed, module, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    done = typed(run_pipeline, "-n", module())
    assert (done.returncode, "there are no AWS credentials" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param([], "--module-name", id="no-module"),
        pytest.param(["-n", "no_such_module"], "there is no module 'no_such_module'", id="module"),
        pytest.param(["-n", "json"], "'json' has no get_pipeline()", id="function"),
        pytest.param(["-n", "{module}", "--kwargs", "{"], "--kwargs: not JSON", id="no-json"),
        pytest.param(["-n", "{module}", "--kwargs", "[]"], "--kwargs: not a JSON object", id="no-object"),
        pytest.param(["-n", "{module}", "--kwargs", '{"epochs": 1}'], "epochs", id="unknown"),
        pytest.param(["-n", "{module}", "--tags", "team"], "--tags: write JSON", id="tags"),
        pytest.param(["-n", "{module}", "--tags", '["team"]'], "--tags: write JSON", id="tag"),
    ],
)
def test_wrong_use_ends_with_2(typed, module, arguments, fragment):
    given = [text if text != "{module}" else module() for text in arguments]
    done = typed(run_pipeline, *given)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_the_role_of_this_machine_is_none_of_aws(typed, module, monkeypatch):
    monkeypatch.delenv("SAGEMAKER_PIPELINE_ROLE_ARN")
    done = typed(run_pipeline, "-n", module())
    assert (done.returncode, "SAGEMAKER_PIPELINE_ROLE_ARN" in done.stderr) == (2, True)


def test_a_file_that_cannot_be_written_ends_with_2(typed, module):
    done = typed(get_pipeline_definition, "-n", module(), "-f", "nowhere/out.json")
    assert (done.returncode, "nowhere/out.json: cannot be written" in done.stderr) == (2, True)


def test_our_own_module_compiles_without_network(typed, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = typed(get_pipeline_definition, "-n", "workflows.pipelines.birds_detection", "--kwargs", "{}")
    assert done.returncode == 2, done.stdout[:200]
    assert "default_bucket" in done.stderr
    monkeypatch.setenv("ARTIFACT_BUCKET", "ours")
    done = typed(get_pipeline_definition, "-n", "workflows.pipelines.birds_detection")
    assert done.returncode == 0, done.stderr
    assert "s3://ours" in done.stdout
