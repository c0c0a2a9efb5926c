"""Lambda steps: a handler in a file, its inputs, its outputs and its faults."""

import json

import pytest

from tests.toys import definition, get, processing
from workflows.definition.errors import RefusedByPlan

HANDLER = """
import os

def handler(event, context):
    print("asked for", event["wanted"])
    if event["wanted"] == "nothing":
        raise LookupError("there is nothing approved")
    key = os.environ.get("AWS_SECRET_ACCESS_KEY", "none")
    return {"Uri": "s3://toys/" + event["wanted"], "Key": key, "N": 3}
"""


def find(wanted="model", outputs=("Uri", "Key", "N"), function="find"):
    return {
        "Name": "Find",
        "Type": "Lambda",
        "Arguments": {"wanted": wanted},
        "FunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{function}",
        "OutputParameters": [{"OutputName": name, "OutputType": "String"} for name in outputs],
    }


@pytest.fixture
def functions(machine, tmp_path, monkeypatch):
    file = tmp_path / "find.py"
    file.write_text(HANDLER)
    machine.functions = {"find": f"{file}:handler"}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's own")


def test_outputs_of_a_function_are_values_for_later_steps(machine, functions):
    step = processing("Use", "echo $0 $1 > /opt/ml/processing/output/out/seen")
    step["Arguments"]["AppSpecification"]["ContainerArguments"] += [
        get("Steps.Find.OutputParameters['Uri']"),
        get("Steps.Find.OutputParameters['Key']"),
    ]
    outcome = machine.run(definition(step, find()))
    assert outcome.status == "Succeeded"
    assert outcome.read("Use", "out", "seen") == "s3://toys/model none\n"
    assert ("Find", "asked for model") in outcome.recorder.lines
    assert outcome.steps["Find"]["Metadata"]["Lambda"]["OutputParameters"][0] == {
        "Name": "Uri",
        "Value": "s3://toys/model",
    }


def test_a_fault_of_the_handler_is_the_steps_reason(machine, functions):
    outcome = machine.run(definition(find("nothing")))
    assert (
        outcome.steps["Find"]["FailureReason"]
        == "function 'find' failed: LookupError: there is nothing approved"
    )


def test_an_output_that_the_function_does_not_return_is_named(machine, functions):
    outcome = machine.run(definition(find(outputs=("Url",))))
    assert "returned no 'Url'; it returned Uri, Key, N" in outcome.steps["Find"]["FailureReason"]


def test_a_function_without_handler_is_refused_before_anything_runs(machine, functions):
    with pytest.raises(RefusedByPlan, match="'other'"):
        machine.run(definition(find(function="other")))
    assert json.dumps(machine.store.all("pipeline-execution")) == "[]"
