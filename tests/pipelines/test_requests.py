"""Each step's arguments are a request that the service's own model accepts."""

import copy
import json

import pytest

from tests.pipelines.definitions import all_steps, arguments, names_of
from tests.pipelines.service_model import OPERATIONS, faults, is_expression


def test_every_request_fits_the_service_model(each):
    assert faults_of_all(each) == []


def test_every_request_with_all_options_fits_the_service_model(each_full):
    assert faults_of_all(each_full) == []


def faults_of_all(definition):
    steps = all_steps(definition).values()
    unchecked = {step["Type"] for step in steps} - set(OPERATIONS)
    assert unchecked <= {"Condition", "Fail", "Lambda"}
    return [fault for step in steps if step["Type"] in OPERATIONS for fault in faults(step)]


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


def test_hyperparameters_are_strings_or_become_strings(each):
    for name in names_of(each, "Training"):
        for value in arguments(each, name)["HyperParameters"].values():
            assert is_text(value, each)


def test_container_arguments_are_strings_or_become_strings(each):
    for name in names_of(each, "Processing"):
        for value in arguments(each, name)["AppSpecification"]["ContainerArguments"]:
            assert is_text(value, each)


def is_text(value, definition):
    numbers = {p["Name"] for p in definition["Parameters"] if p["Type"] != "String"}
    return isinstance(value, str) or (
        is_expression(value) and value not in [{"Get": f"Parameters.{number}"} for number in numbers]
    )


def test_a_definition_holds_no_null(each):
    assert "null" not in json.dumps(each)


def test_a_definition_with_all_options_holds_no_null(each_full):
    assert "null" not in json.dumps(each_full)
