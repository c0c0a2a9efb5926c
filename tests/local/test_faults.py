import pytest

from workflows.definition.errors import WorkflowError
from workflows.definition.model import Step
from workflows.local.faults import Fault, parse_faults


def step(name, kind, **arguments):
    return Step(name=name, type=kind, where="Steps[0]", arguments=arguments)


STEPS = {
    "PrepareData": step("PrepareData", "Processing"),
    "TrainBase": step("TrainBase", "Training", EnableManagedSpotTraining=True),
    "TrainOther": step("TrainOther", "Training"),
    "Register": step("Register", "RegisterModel"),
}


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
        pytest.param("TrainOther=spot-interruption", "only managed spot training", id="no-spot"),
        pytest.param("Register=kill", "does not happen to Register", id="no-job"),
        pytest.param("PrepareData=spot-interruption", "does not happen to PrepareData", id="no-training"),
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
