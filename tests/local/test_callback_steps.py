"""Callback steps: a message in the local queue, an answer from outside, and what comes in between."""

import threading
import time
from contextlib import contextmanager

import pytest

from tests.toys import definition, get, processing
from workflows.definition.errors import WorkflowError
from workflows.local import callbacks
from workflows.local.journal import now
from workflows.local.records import CALLBACK

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/labels"


def ask(name="Ask", outputs=(("Uri", "String"),), **arguments):
    return {
        "Name": name,
        "Type": "Callback",
        "Arguments": arguments,
        "SqsQueueUrl": QUEUE,
        "OutputParameters": [{"OutputName": key, "OutputType": kind} for key, kind in outputs],
    }


def use():
    step = processing("Use", "echo $0 > /opt/ml/processing/output/out/seen")
    step["Arguments"]["AppSpecification"]["ContainerArguments"].append(
        get("Steps.Ask.OutputParameters['Uri']")
    )
    return step


@contextmanager
def running(execution):
    """The execution's record, there when the block has ended and the execution too."""
    ended = []
    thread = threading.Thread(target=lambda: ended.append(execution.run()))
    thread.start()
    try:
        yield ended
    except BaseException:
        execution._stopped.set()
        raise
    finally:
        thread.join(30)
        assert not thread.is_alive()


def wait_for_message(store, status="Executing"):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [entry for entry in callbacks.pending(store) if entry["status"] == status]
        if found:
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(f"no message is {status}")


def answer(store, token, **outputs):
    return callbacks.succeed(store, token, outputs, now=now())


def step_of(machine, execution, name="Ask"):
    return machine.store.find("pipeline-execution-step", f"{execution.id}/{name}")


def test_the_message_is_what_sqs_would_carry_and_the_answer_is_a_value_for_later_steps(machine):
    execution, _ = machine.prepare(definition(ask(Bucket="toys", Rounds=3), use()))
    with running(execution) as ended:
        message = wait_for_message(machine.store)
        answer(machine.store, message["token"], Uri="s3://toys/labels")
    assert {key: message[key] for key in ("pipelineExecutionArn", "arguments", "status")} == {
        "pipelineExecutionArn": execution.arn,
        "arguments": {"Bucket": "toys", "Rounds": 3},
        "status": "Executing",
    }
    assert len(message["token"]) == 10 and message["token"].isalnum()
    assert ended[0]["PipelineExecutionStatus"] == "Succeeded"
    seen = machine.store.objects.read(f"s3://toys/{execution.id}/Use/out/seen")
    assert seen == b"s3://toys/labels\n"
    assert step_of(machine, execution)["Metadata"] == {
        "Callback": {
            "CallbackToken": message["token"],
            "SqsQueueUrl": QUEUE,
            "OutputParameters": [{"Name": "Uri", "Value": "s3://toys/labels"}],
        }
    }
    assert callbacks.pending(machine.store) == []


def test_answers_have_the_declared_types(machine):
    kinds = [("S", "String"), ("I", "Integer"), ("F", "Float"), ("B", "Boolean")]
    execution, _ = machine.prepare(definition(ask(outputs=kinds)))
    with running(execution):
        token = wait_for_message(machine.store)["token"]
        answer(machine.store, token, S="1", I="1", F="1", B="TRUE")
    (result,) = machine.store.all("step-result")
    outputs = result["Properties"]["OutputParameters"]
    assert [(value, type(value)) for value in outputs.values()] == [
        ("1", str),
        (1, int),
        (1.0, float),
        (True, bool),
    ]


def test_a_failure_is_the_steps_reason(machine):
    execution, _ = machine.prepare(definition(ask(), use()))
    with running(execution) as ended:
        message = wait_for_message(machine.store)
        callbacks.fail(machine.store, message["token"], "the labels are not good enough", now=now())
    assert ended[0]["FailureReason"] == "Step failure: Ask: the labels are not good enough"
    assert step_of(machine, execution)["FailureReason"] == "the labels are not good enough"
    assert step_of(machine, execution)["Metadata"]["Callback"]["CallbackToken"] == message["token"]
    assert step_of(machine, execution, "Use") is None
    assert machine.store.find(CALLBACK, message["token"])["status"] == "Failed"


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        pytest.param({"Url": "x"}, "no output parameter is named 'Url'; did you mean 'Uri'?", id="unknown"),
        pytest.param({}, "output 'Uri' is missing; add --output Uri=VALUE", id="missing"),
        pytest.param({"Uri": "x", "N": "1.5"}, "'N' is declared as Integer, but is '1.5'", id="type"),
        pytest.param({"Uri": "x" * 1025, "N": "1"}, "has 1025 characters; at most 1024", id="too-long"),
    ],
)
def test_an_answer_that_the_step_cannot_take_is_refused_and_the_message_waits_on(machine, outputs, error):
    kinds = [("Uri", "String"), ("N", "Integer")]
    execution, _ = machine.prepare(definition(ask(outputs=kinds)))
    with running(execution):
        token = wait_for_message(machine.store)["token"]
        with pytest.raises(WorkflowError) as caught:
            answer(machine.store, token, **outputs)
        assert error in str(caught.value)
        assert [entry["token"] for entry in callbacks.pending(machine.store)] == [token]
        answer(machine.store, token, Uri="x", N="1")


def test_a_token_is_answered_once_and_only_if_it_is_known(machine):
    execution, _ = machine.prepare(definition(ask()))
    with running(execution) as ended:
        token = wait_for_message(machine.store)["token"]
        answer(machine.store, token, Uri="first")
        with pytest.raises(callbacks.CallbackError, match=f"{token} of step 'Ask' is answered already"):
            answer(machine.store, token, Uri="second")
        with pytest.raises(callbacks.CallbackError, match="answered already"):
            callbacks.fail(machine.store, token, "no", now=now())
    with pytest.raises(callbacks.CallbackError, match="no callback has the token '0000000000'"):
        answer(machine.store, "0000000000", Uri="x")
    assert ended[0]["PipelineExecutionStatus"] == "Succeeded"


def test_a_stopped_execution_says_so_in_the_queue_and_does_not_wait(machine):
    execution, recorder = machine.prepare(definition(ask(), use()))
    with running(execution) as ended:
        token = wait_for_message(machine.store)["token"]
        started = time.monotonic()
        execution._stopped.set()
    assert time.monotonic() - started < 5
    assert ended[0]["PipelineExecutionStatus"] == "Stopped"
    assert recorder.ended["Ask"][0] == "Stopped"
    (message,) = callbacks.pending(machine.store)
    assert (message["token"], message["status"]) == (token, "Stopping")


def test_an_answer_that_came_before_the_stop_counts(machine):
    execution, recorder = machine.prepare(definition(ask(), use()))
    with running(execution) as ended:
        token = wait_for_message(machine.store)["token"]
        answer(machine.store, token, Uri="x")
        execution._stopped.set()
    assert ended[0]["PipelineExecutionStatus"] == "Stopped"
    assert recorder.ended["Ask"][0] == "Succeeded"


def test_of_many_answers_at_once_one_is_taken(machine):
    execution, _ = machine.prepare(definition(ask()))
    taken = []
    with running(execution):
        token = wait_for_message(machine.store)["token"]

        def give(number):
            try:
                answer(machine.store, token, Uri=str(number))
            except callbacks.CallbackError:
                return
            taken.append(str(number))

        threads = [threading.Thread(target=give, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(taken) == 1
    (result,) = machine.store.all("step-result")
    assert result["Properties"]["OutputParameters"] == {"Uri": taken[0]}


def test_tokens_are_the_same_for_the_same_question_only():
    first = callbacks.token_of("arn:a", "Ask", 0)
    assert first == callbacks.token_of("arn:a", "Ask", 0)
    others = {
        callbacks.token_of(*question)
        for question in (("arn:b", "Ask", 0), ("arn:a", "Other", 0), ("arn:a", "Ask", 1))
    }
    assert len(others | {first}) == 4


def test_what_the_service_refuses_is_refused():
    fields = {"SqsQueueUrl": QUEUE, "OutputParameters": []}
    assert list(callbacks.refusals({}, fields, "Steps[0]")) == []
    assert list(callbacks.refusals({}, {"SqsQueueUrl": get("Parameters.Q")}, "Steps[0]")) == []
    assert list(callbacks.refusals({}, {}, "Steps[0]")) == ["Steps[0]: SqsQueueUrl is missing"]
    too_long = {"SqsQueueUrl": QUEUE + "x" * 256}
    assert "at most 256 are allowed" in next(callbacks.refusals({}, too_long, "Steps[0]"))
