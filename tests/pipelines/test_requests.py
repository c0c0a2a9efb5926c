"""Each step's arguments are a request that the service's own model accepts."""

import copy
import json

import pytest

from tests.pipelines.birds_definition import all_steps
from tests.pipelines.service_model import OPERATIONS, faults, is_expression


@pytest.mark.parametrize("definition", ["plain", "full"])
def test_every_request_fits_the_service_model(definition, request):
    steps = all_steps(request.getfixturevalue(definition))
    checked = [name for name, step in steps.items() if step["Type"] in OPERATIONS]
    assert len(checked) == 9
    assert {name: faults(steps[name]) for name in checked} == {name: [] for name in checked}


@pytest.mark.parametrize(
    ("step", "path", "value"),
    [
        pytest.param("TrainBase", ["ResourceConfig", "VolumeSize"], 5, id="unknown-field"),
        pytest.param("TrainBase", ["HyperParameters", "epochs"], 5, id="hyperparameter-not-a-string"),
        pytest.param("ScoreValidation", ["BatchStrategy"], "Single", id="not-in-enumeration"),
        pytest.param("CreateModel", ["ExecutionRoleArn"], "role", id="role-not-an-arn"),
        pytest.param("RegisterModel", ["Task"], 3, id="wrong-type"),
    ],
)
def test_the_check_sees_a_planted_mistake(plain, step, path, value):
    broken = copy.deepcopy(all_steps(plain)[step])
    target = broken["Arguments"]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    assert faults(broken)


def test_hyperparameters_are_strings_or_become_strings(plain):
    numbers = {p["Name"] for p in plain["Parameters"] if p["Type"] != "String"}
    for name in ("TrainBase", "TrainIncremental"):
        for value in all_steps(plain)[name]["Arguments"]["HyperParameters"].values():
            assert isinstance(value, str) or is_expression(value)
            assert value not in [{"Get": f"Parameters.{number}"} for number in numbers]


def test_container_arguments_are_strings_or_become_strings(plain):
    numbers = {p["Name"] for p in plain["Parameters"] if p["Type"] != "String"}
    for name in ("PrepareData", "Evaluate"):
        for value in all_steps(plain)[name]["Arguments"]["AppSpecification"]["ContainerArguments"]:
            assert isinstance(value, str) or is_expression(value)
            assert value not in [{"Get": f"Parameters.{number}"} for number in numbers]


@pytest.mark.parametrize("definition", ["plain", "full"])
def test_a_definition_holds_no_null(definition, request):
    assert "null" not in json.dumps(request.getfixturevalue(definition))
