"""Lambda steps: a handler in a file, its inputs, its outputs, its limits and its faults."""

import threading
import time
from pathlib import Path

import pytest

from tests.toys import definition, get, processing
from workflows.definition.errors import RefusedByPlan, WorkflowError
from workflows.local.functions import Function, handlers, refusals

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
        "OutputParameters": [
            {"OutputName": name, "OutputType": kind}
            for name, kind in (entry if isinstance(entry, tuple) else (entry, "String") for entry in outputs)
        ],
    }


@pytest.fixture
def put_function(machine, tmp_path):
    def put(code, **settings):
        file = tmp_path / "code" / "find.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
        machine.functions = {"find": Function(file=file, handler="handler", **settings)}
        return file

    return put


def returning(expression):
    return f"def handler(event, context):\n    return {expression}\n"


def reason(outcome):
    return outcome.steps["Find"]["FailureReason"]


def test_outputs_of_a_function_are_values_for_later_steps(machine, put_function, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's own")
    put_function(HANDLER)
    step = processing("Use", "echo $0 $1 > /opt/ml/processing/output/out/seen")
    step["Arguments"]["AppSpecification"]["ContainerArguments"] += [
        get("Steps.Find.OutputParameters['Uri']"),
        get("Steps.Find.OutputParameters['Key']"),
    ]
    outcome = machine.run(definition(step, find()))
    assert outcome.status == "Succeeded"
    assert outcome.read("Use", "out", "seen") == "s3://toys/model none\n"
    assert ("Find", "asked for model") in outcome.recorder.lines
    assert outcome.steps["Find"]["Metadata"]["Lambda"]["OutputParameters"] == [
        {"Name": "Uri", "Value": "s3://toys/model"},
        {"Name": "Key", "Value": "none"},
        {"Name": "N", "Value": "3"},
    ]


CONTEXT = """
import json, os, pathlib
import helper

def handler(event, context):
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == context.function_name == "find"
    return {
        "Arn": context.invoked_function_arn,
        "Left": context.get_remaining_time_in_millis(),
        "Memory": context.memory_limit_in_mb,
        "Group": context.log_group_name,
        "Id": len(context.aws_request_id),
        "Own": os.environ["TABLE"],
        "Beside": helper.NAME + pathlib.Path("beside.txt").read_text(),
    }
"""


def test_a_handler_sees_what_lambda_shows_it(machine, put_function):
    file = put_function(CONTEXT, timeout_s=300, environment={"TABLE": "birds"})
    file.with_name("helper.py").write_text("NAME = 'helper and '")
    file.with_name("beside.txt").write_text("file")
    kinds = [("Arn", "String"), ("Left", "Integer"), ("Memory", "Integer"), ("Group", "String")]
    kinds += [("Id", "Integer"), ("Own", "String"), ("Beside", "String")]
    outcome = machine.run(definition(find(outputs=kinds)))
    assert outcome.status == "Succeeded", outcome.steps
    listed = outcome.steps["Find"]["Metadata"]["Lambda"]["OutputParameters"]
    seen = {entry["Name"]: entry["Value"] for entry in listed}
    assert 290_000 < int(seen.pop("Left")) <= 300_000
    assert seen == {
        "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:find",
        "Memory": "128",
        "Group": "/aws/lambda/find",
        "Id": "36",
        "Own": "birds",
        "Beside": "helper and file",
    }
    assert sorted(path.name for path in file.parent.iterdir()) == ["beside.txt", "find.py", "helper.py"]


@pytest.mark.parametrize(
    ("kind", "returned", "expected"),
    [
        pytest.param("String", "'text'", "text", id="text"),
        pytest.param("String", "True", "true", id="boolean-as-text"),
        pytest.param("String", "{'a': [1]}", '{"a": [1]}', id="nested-becomes-one-string"),
        pytest.param("Integer", "7", 7, id="integer"),
        pytest.param("Integer", "'-7'", -7, id="integer-in-a-string"),
        pytest.param("Float", "2", 2.0, id="float"),
        pytest.param("Boolean", "'True'", True, id="boolean"),
    ],
)
def test_outputs_have_their_declared_type(machine, put_function, kind, returned, expected):
    put_function(returning(f"{{'X': {returned}}}"))
    outcome = machine.run(definition(find(outputs=[("X", kind)])))
    assert outcome.status == "Succeeded", outcome.steps
    (result,) = machine.store.all("step-result")
    value = result["Properties"]["OutputParameters"]["X"]
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("returned", "kind", "message"),
    [
        pytest.param("{'X': 1.5}", "Integer", "'X' is declared as Integer, but is '1.5'", id="no-integer"),
        pytest.param("{'X': 'no'}", "Boolean", "'X' is declared as Boolean, but is 'no'", id="no-boolean"),
        pytest.param("{'X': 'inf'}", "Float", "'X' is declared as Float, but is 'inf'", id="no-float"),
        pytest.param("{'X': 'a' * 1025}", "String", "has 1025 characters; at most 1024", id="too-long"),
        pytest.param("{'Y': 1}", "String", "returned no 'X'; it returned Y", id="missing"),
        pytest.param("{'X': None}", "String", "returned no 'X'", id="null"),
        pytest.param("[1]", "String", "returned list, not an object", id="a-list"),
        pytest.param("{'X': {1}}", "String", "Unhandled): Runtime.MarshalError", id="not-json"),
    ],
)
def test_outputs_that_the_service_could_not_take_fail_the_step(
    machine, put_function, returned, kind, message
):
    put_function(returning(returned))
    assert message in reason(machine.run(definition(find(outputs=[("X", kind)]))))


def test_what_looks_like_a_failed_http_response_is_an_answer_like_any_other(machine, put_function):
    put_function(returning("{'statusCode': 500, 'body': 'broken'}"))
    outcome = machine.run(definition(find(outputs=[("statusCode", "Integer")])))
    assert outcome.status == "Succeeded"


def test_an_exception_is_the_steps_reason_and_its_traceback_is_in_the_log(machine, put_function):
    put_function(HANDLER)
    outcome = machine.run(definition(find("nothing")))
    assert reason(outcome) == "function 'find' failed (Unhandled): LookupError: there is nothing approved"
    log = (outcome.execution.folder / "Find" / "log.txt").read_text()
    assert 'raise LookupError("there is nothing approved")' in log


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            "import os\ndef handler(e, c): os._exit(9)",
            "Runtime.ExitError: Runtime exited with error: exit status 9",
            id="exit",
        ),
        pytest.param(
            "import no_such_module", "Runtime.ImportModuleError: Unable to import module 'find'", id="import"
        ),
        pytest.param(
            "def other(e, c): pass",
            "Runtime.HandlerNotFound: Handler 'handler' missing on module 'find'",
            id="no-handler",
        ),
        pytest.param("def handler(:", "Runtime.UserCodeSyntaxError", id="syntax"),
        pytest.param("raise KeyError('x')", "Unhandled): KeyError", id="while-imported"),
    ],
)
def test_what_keeps_a_function_from_answering_has_lambdas_name(machine, put_function, code, message):
    put_function(code)
    assert message in reason(machine.run(definition(find())))


SLEEPING = """
import subprocess, sys, time

def handler(event, context):
    child = subprocess.Popen(["sleep", "300"])
    detached = subprocess.Popen(["sleep", "300"], start_new_session=True)
    open("{pids}", "w").write(f"{{child.pid}} {{detached.pid}}")
    print("sleeping", flush=True)
    time.sleep({seconds})
    return {{"Uri": "", "Key": "", "N": 1}}
"""


def sleeping_processes():
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            found += [int(entry.name)] if command == b"sleep\x00300\x00" else []
    return set(found)


def test_a_function_over_its_time_limit_fails_and_nothing_of_it_is_left(machine, put_function, tmp_path):
    before = sleeping_processes()
    put_function(SLEEPING.format(pids=tmp_path / "pids", seconds=60), timeout_s=1)
    started = time.monotonic()
    outcome = machine.run(definition(find()))
    assert time.monotonic() - started < 20
    expected = "function 'find' failed (Unhandled): Sandbox.Timedout: Task timed out after 1.00 seconds"
    assert reason(outcome) == expected
    assert (tmp_path / "pids").exists()
    deadline = time.monotonic() + 5
    while sleeping_processes() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sleeping_processes() - before == set()


def test_a_process_that_a_function_leaves_behind_does_not_hold_the_step(machine, put_function, tmp_path):
    put_function(SLEEPING.format(pids=tmp_path / "pids", seconds=0), timeout_s=60)
    started = time.monotonic()
    outcome = machine.run(definition(find()))
    assert outcome.status == "Succeeded"
    assert time.monotonic() - started < 20


def test_an_execution_that_is_stopped_waits_for_its_function(machine, put_function, tmp_path):
    put_function(SLEEPING.format(pids=tmp_path / "pids", seconds=0.8))
    execution, recorder = machine.prepare(definition(find(), processing("After", "true", DependsOn=["Find"])))
    ended = []
    thread = threading.Thread(target=lambda: ended.append(execution.run()))
    thread.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    execution._stopped.set()
    thread.join()
    assert ended[0]["PipelineExecutionStatus"] == "Stopped"
    assert recorder.ended["Find"][0] == "Succeeded"
    assert "After" not in recorder.started


def test_a_function_without_handler_is_refused_before_anything_runs(machine, put_function):
    put_function(HANDLER)
    with pytest.raises(RefusedByPlan, match="'other'"):
        machine.run(definition(find(function="other")))
    assert machine.store.all("pipeline-execution") == []


def test_a_handlers_file_that_is_gone_is_named_before_anything_runs(machine, put_function):
    file = put_function(HANDLER)
    file.unlink()
    with pytest.raises(RefusedByPlan, match=f"function 'find': {file}: no such file"):
        machine.run(definition(find()))


def test_entries_of_the_functions_table_have_two_forms(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    table = handlers(
        {
            "short": "code/a.py:find",
            "long": {"handler": "b.py:run", "timeout_s": 600, "environment": {"TABLE": "birds"}},
        }
    )
    assert table["short"] == Function(file=tmp_path / "code" / "a.py", handler="find", timeout_s=120)
    assert table["long"] == Function(
        file=tmp_path / "b.py", handler="run", timeout_s=600, environment={"TABLE": "birds"}
    )
    assert table["short"].fault == f"{tmp_path}/code/a.py: no such file"
    assert table["sagemaker-find-approved-model"].fault is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param("a.py", "'a.py' is not of the form FILE:FUNCTION", id="no-handler"),
        pytest.param({"timeout_s": 1}, "None is not of the form FILE:FUNCTION", id="handler-missing"),
        pytest.param(
            {"handler": "a.py:f", "timeout": 1}, "'timeout'; did you mean 'timeout_s'", id="unknown"
        ),
        pytest.param(
            {"handler": "a.py:f", "timeout_s": 601},
            "601 must be a whole number of seconds from 1 to 600",
            id="too-long",
        ),
        pytest.param({"handler": "a.py:f", "timeout_s": True}, "True must be a whole number", id="boolean"),
        pytest.param(
            {"handler": "a.py:f", "environment": {"A": 1}}, "environment.A: must be a string", id="variable"
        ),
        pytest.param(
            {"handler": "a.py:f", "environment": {"AWS_LAMBDA_X": ""}}, "Lambda sets this", id="reserved"
        ),
        pytest.param(7, "7 is not of the form", id="a-number"),
    ],
)
def test_a_malformed_entry_is_told_with_its_place(entry, message):
    with pytest.raises(WorkflowError, match=r"\[functions\] mine.*") as caught:
        handlers({"mine": entry})
    assert message in str(caught.value)


def declared(*entries):
    return {"FunctionArn": "arn", "OutputParameters": list(entries)}


def test_declarations_that_the_service_refuses_are_refused():
    two = [{"OutputName": "A", "OutputType": "String"}] * 2
    assert list(refusals({}, declared(*two), "Steps[0] 'Find'")) == [
        "Steps[0] 'Find'.OutputParameters: two outputs are named 'A'; names must be unique"
    ]
    many = [{"OutputName": f"N{number}", "OutputType": "String"} for number in range(51)]
    assert "has 51 entries; at most 50" in next(refusals({}, declared(*many), "Steps[0]"))
    assert list(refusals({}, declared(*many[:50]), "Steps[0]")) == []
    assert "must be String or Integer or Float or Boolean, is 'Date'" in next(
        refusals({}, declared({"OutputName": "A", "OutputType": "Date"}), "Steps[0]")
    )
    assert "OutputName is missing" in next(refusals({}, declared({"OutputType": "String"}), "Steps[0]"))


def test_declarations_that_are_still_expressions_are_not_refused():
    assert list(refusals({}, declared({"OutputName": get("Parameters.Name")}), "Steps[0]")) == []
    assert list(refusals({}, {"FunctionArn": get("Parameters.Arn")}, "Steps[0]")) == []
