import pytest

from workflows.definition.errors import WorkflowError
from workflows.local.faults import Fault, parse_faults

STEPS = ("PrepareData", "TrainBase")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("capacity-error", Fault("capacity-error"), id="once"),
        pytest.param("throttling:3", Fault("throttling", 3), id="three-times"),
        pytest.param("spot-interruption:2", Fault("spot-interruption", 2), id="spot"),
        pytest.param("exit-137", Fault("exit", 1, 137), id="exit-code"),
        pytest.param("exit-1:2", Fault("exit", 2, 1), id="exit-code-twice"),
    ],
)
def test_faults_are_read(text, fault):
    assert parse_faults([f"TrainBase={text}"], steps=STEPS) == {"TrainBase": fault}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("TrainBase", "write STEP=KIND", id="no-fault"),
        pytest.param("TrainBas=kill", "did you mean 'TrainBase'", id="unknown-step"),
        pytest.param("TrainBase=capacityerror", "did you mean 'capacity-error'", id="unknown-fault"),
        pytest.param("TrainBase=exit-0", "no fault", id="exit-0-is-success"),
        pytest.param("TrainBase=exit-256", "no fault", id="exit-codes-end-at-255"),
        pytest.param("TrainBase=kill:0", "number above 0", id="never"),
        pytest.param("TrainBase=kill:x", "number above 0", id="no-number"),
    ],
)
def test_what_is_no_fault_is_refused(text, message):
    with pytest.raises(WorkflowError, match=message):
        parse_faults([text], steps=STEPS)


def test_a_step_meets_one_kind_of_fault():
    with pytest.raises(WorkflowError, match="has a fault already"):
        parse_faults(["TrainBase=kill", "TrainBase=timeout"], steps=STEPS)
