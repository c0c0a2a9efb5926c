"""The engine against a slow and obvious reckoning, over random graphs, at any parallelism.

The engine waits in its listener until the test lets a step go on, one at a time and in a random order. So the
test knows at each moment what must be running, and nothing depends on how fast anything is.
"""

import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.conftest import Recorder
from tests.local.graphs import WORK, Reckoning, graphs, value_of
from workflows.definition.loader import load
from workflows.local.executor import Execution, Options, Place
from workflows.local.images import ImageTable
from workflows.local.planner import plan
from workflows.local.records import EXECUTION_STEP
from workflows.local.runners.base import Result, StepFailed
from workflows.local.step_results import of_execution
from workflows.local.store import Store

LIMIT_S = 10  # for what takes milliseconds unless the engine hangs


def examples(count):
    return settings(
        max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


def work(task, site):
    """The runner of work steps: no process, no file."""
    fields = task.request.fields
    if fields["Fails"]:
        raise StepFailed(f"{task.step} went wrong")
    value = value_of(task.step, fields["Inputs"], fields["Joined"])
    return Result(
        kind=None, name=task.step, description={"Value": value, "Number": fields["Number"]}, metadata={}
    )


class Gate(Recorder):
    """Lets no step go on before the test says so."""

    def __init__(self):
        super().__init__()
        self._changed = threading.Condition()
        self._open = False
        self.waiting = {}

    def step_started(self, step):
        super().step_started(step)
        leave = threading.Event()
        with self._changed:
            if self._open:
                return
            self.waiting[step.name] = leave
            self._changed.notify_all()
        assert leave.wait(LIMIT_S)

    def step_ended(self, step, **how):
        with self._changed:
            super().step_ended(step, **how)
            self._changed.notify_all()

    def open(self):
        """Let everything go on, from now on."""
        with self._changed:
            self._open = True
            for leave in self.waiting.values():
                leave.set()

    def wait_for(self, count):
        """Wait until so many steps stand at the gate; their names."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.waiting) >= count, LIMIT_S), (
                f"{count} steps should be running, not {sorted(self.waiting)}"
            )
            return set(self.waiting)

    def let_go(self, name):
        """Let one step go on, and wait until it has ended."""
        with self._changed:
            self.waiting.pop(name).set()
            assert self._changed.wait_for(lambda: name in self.ended, LIMIT_S)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("graphs"))


def prepare(store, graph, listener, parallel):
    planned = plan(load(graph.text()), {}, images=ImageTable(), functions={}, step_types=frozenset({WORK}))
    return Execution(
        planned,
        pipeline_name="graphs",
        store=store,
        runners={WORK: work},
        place=Place(region="eu-west-1", account="123456789012", images=ImageTable()),
        listener=listener,
        options=Options(max_parallel=parallel),
    )


def statuses(store, execution):
    found = store.all(EXECUTION_STEP, parent=execution.id)
    return {step["StepName"]: step["StepStatus"] for step in found}


def walk(graph, gate, parallel, chance):
    """Let the steps go on one by one, comparing what runs with what must; returns the reckoning."""
    reckoning, running, started = Reckoning(graph), set(), set()
    while True:
        ready = set() if reckoning.failures else reckoning.can_run() - started
        expected = min(parallel, len(running) + len(ready)) if ready else len(running)
        at_gate = gate.wait_for(expected)
        assert len(at_gate) == expected
        assert at_gate - running <= ready, "a step runs that must not"
        started |= at_gate
        if not at_gate:
            return reckoning
        name = chance.choice(sorted(at_gate))
        gate.let_go(name)
        reckoning.run(name)
        running = at_gate - {name}


@examples(40)
@given(
    graph=graphs(failing=True), parallel=st.integers(1, 5), chance=st.integers(0, 2**32).map(random.Random)
)
def test_at_every_moment_exactly_what_may_run_is_running(store, graph, parallel, chance):
    gate = Gate()
    execution = prepare(store, graph, gate, parallel)
    records = []
    thread = threading.Thread(target=lambda: records.append(execution.run()), daemon=True)
    thread.start()
    try:
        reckoning = walk(graph, gate, parallel, chance)
    finally:
        gate.open()
        thread.join(LIMIT_S)
    assert records, "the execution does not end"
    assert len(gate.started) == len(set(gate.started)), "a step has run twice"
    failed = {reason.split(": ")[1] for reason in reckoning.failures}
    expected = dict.fromkeys(reckoning.values, "Succeeded") | dict.fromkeys(failed, "Failed")
    assert statuses(store, execution) == expected
    if failed:
        assert records[0]["PipelineExecutionStatus"] == "Failed"
        assert records[0]["FailureReason"] in reckoning.failures
    else:
        assert records[0]["PipelineExecutionStatus"] == "Succeeded"
        assert "FailureReason" not in records[0]


@examples(20)
@given(graph=graphs(failing=False))
def test_the_outcome_is_the_same_at_any_parallelism(store, graph):
    expected = Reckoning(graph).run_all()
    for parallel in (1, 2, 16):
        recorder = Recorder()
        execution = prepare(store, graph, recorder, parallel)
        assert execution.run()["PipelineExecutionStatus"] == "Succeeded"
        assert sorted(recorder.started) == sorted(expected)
        assert statuses(store, execution) == dict.fromkeys(expected, "Succeeded")
        results = of_execution(store, execution.id, list(graph.nodes))
        found = {name: result.properties for name, result in results.items()}
        assert {name: value.get("Value", value.get("Outcome")) for name, value in found.items()} == expected
