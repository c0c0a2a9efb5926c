"""Definitions that other people's SDKs compiled, each run as its expectations say.

definitions/NAME.json is what an SDK wrote, unchanged; expectations/NAME.toml was worked out by hand and holds

    about, sdk      what it is an example of; what compiled it
    pipeline        the name of the pipeline, as it stands in the definition
    [objects]       what lies in S3 before: URI = text
    [functions]     what stands in for Lambda functions: name = a function of handlers.py
    [[runs]]        executions, one after the other on one machine:
        case, parameters, faults, status
        reason      stands in the execution's failure reason
        order       chains of steps: each ends before the next one starts
        cached      steps whose outcome was taken from an earlier execution
        [runs.answers]   Callback step: the outputs that somebody answers with, or the reason of a failure
        [runs.steps]     every step that ran: its status
        [runs.failures]  step: its failure reason
        [runs.attempts]  step: how often it was tried
        [runs.values]    Step.path: what the path leads to in what the step made; so arguments, resolved
        [runs.written]   URI: what the object holds after the execution

In values and texts {execution} stands for the execution's ID; one that begins with "re:" is a regular
expression.
"""

import re
import threading
import tomllib
from contextlib import contextmanager
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conformance import regenerate
from workflows.definition.expressions import parse_path
from workflows.definition.loader import load
from workflows.local import callbacks
from workflows.local.executor import Options
from workflows.local.faults import parse_faults
from workflows.local.functions import handlers
from workflows.local.journal import now
from workflows.local.step_results import of_execution

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE / "expectations").glob("*.toml"))


def test_every_definition_has_expectations():
    assert {path.stem for path in (HERE / "definitions").glob("*.json")} == set(NAMES)


def test_the_definitions_are_those_that_the_installed_sdk_compiles(tmp_path):
    regenerate.write_definitions(tmp_path, regenerate.compiled_with_v3())
    assert sorted(path.stem for path in tmp_path.iterdir()) == [name for name in NAMES if name[:2] == "v3"]
    for path in tmp_path.iterdir():
        assert path.read_text() == (HERE / "definitions" / path.name).read_text(), path.stem
        assert expectations(path.stem)["sdk"] == f"sagemaker {version('sagemaker')}"


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_definition_runs_as_expected(machine, name):
    text = (HERE / "definitions" / f"{name}.json").read_text()
    expected = expectations(name)
    for uri, content in expected.get("objects", {}).items():
        machine.put(uri, content)
    functions = expected.get("functions", {})
    machine.functions = handlers({key: f"{HERE / 'handlers.py'}:{value}" for key, value in functions.items()})
    for run in expected["runs"]:
        check(run, execute(machine, text, expected["pipeline"], run))


def expectations(name):
    return tomllib.loads((HERE / "expectations" / f"{name}.toml").read_text())


def execute(machine, text, pipeline, run):
    faults = parse_faults(run.get("faults", []), steps=load(text).steps)
    with answering(machine.store, run.get("answers", {})):
        return machine.run(
            text, pipeline=pipeline, options=Options(faults=faults), **run.get("parameters", {})
        )


@contextmanager
def answering(store, answers):
    """Somebody who looks into the queue of callbacks and gives these answers."""
    over, left = threading.Event(), dict(answers)

    def work():
        while left and not over.wait(0.02):
            for message in callbacks.pending(store):
                answer = left.pop(message["StepName"])
                if isinstance(answer, str):
                    callbacks.fail(store, message["token"], answer, now=now())
                else:
                    callbacks.succeed(store, message["token"], answer, now=now())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not left, f"nobody asked {sorted(left)}"


def check(run, outcome):
    case, steps = run["case"], outcome.steps
    reasons = {name: step["FailureReason"] for name, step in steps.items() if "FailureReason" in step}
    statuses = {name: step["StepStatus"] for name, step in steps.items()}
    assert statuses == run["steps"], f"{case}: {reasons}"
    assert outcome.status == run["status"], case
    assert run.get("reason", "") in outcome.record.get("FailureReason", ""), case
    assert ("reason" in run) == (outcome.status == "Failed"), case
    assert {name for name, step in steps.items() if "CacheHitResult" in step} == set(run.get("cached", []))
    for chain in run.get("order", []):
        for first, second in pairwise(chain):
            assert steps[first]["EndTime"] <= steps[second]["StartTime"], f"{case}: {first}, {second}"
    for name, reason in run.get("failures", {}).items():
        assert_like(reasons[name], reason, outcome, case)
    for name, attempts in run.get("attempts", {}).items():
        assert steps[name]["AttemptCount"] == attempts, f"{case}: {name}"
    check_values(run, outcome)
    for uri, content in run.get("written", {}).items():
        place = uri.replace("{execution}", outcome.execution.id)
        assert_like(outcome.store.objects.read(place).decode(), content, outcome, f"{case}: {uri}")


def check_values(run, outcome):
    results = of_execution(outcome.store, outcome.execution.id, list(run["steps"]))
    for path, expected in run.get("values", {}).items():
        step, *parts = parse_path(path, where=run["case"])
        value = results[step].properties
        for part in parts:
            value = value[part]
        assert_like(value, expected, outcome, f"{run['case']}: {path}")


def assert_like(found, expected, outcome, what):
    if isinstance(expected, str):
        expected = expected.replace("{execution}", outcome.execution.id)
    if isinstance(expected, str) and expected.startswith("re:"):
        assert re.fullmatch(expected.removeprefix("re:"), found), f"{what}: {found!r}"
    else:
        assert found == expected, what
        assert type(found) is type(expected), what
