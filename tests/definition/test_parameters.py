import json

import pytest

from workflows.definition.errors import ParameterError
from workflows.definition.loader import load
from workflows.definition.parameters import bind

PARAMETERS = [
    {"Name": "Epochs", "Type": "Integer", "DefaultValue": 100},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.001},
    {"Name": "Approval", "Type": "String", "DefaultValue": "Pending", "EnumValues": ["Pending", "Approved"]},
    {"Name": "Flip", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Data", "Type": "String"},
]


@pytest.fixture
def definition():
    return load(json.dumps({"Parameters": PARAMETERS, "Steps": []}))


def test_given_values_take_the_parameters_types(definition):
    given = {"Epochs": "3", "Rate": "1e-2", "Approval": "Approved", "Flip": "true", "Data": "s3://b/k"}
    assert bind(definition, given) == {
        "Epochs": 3,
        "Rate": 0.01,
        "Approval": "Approved",
        "Flip": True,
        "Data": "s3://b/k",
    }


def test_defaults_fill_what_is_not_given(definition):
    assert bind(definition, {"Data": "x"})["Epochs"] == 100


@pytest.mark.parametrize(
    ("given", "fragments"),
    [
        pytest.param({"Data": "x", "Epoch": "3"}, ["'Epoch'", "did you mean 'Epochs'?"], id="unknown"),
        pytest.param({"Data": "x", "Epochs": "3.5"}, ["'Epochs' takes an Integer", "'3.5'"], id="integer"),
        pytest.param({"Data": "x", "Rate": "fast"}, ["'Rate' takes a Float", "'fast'"], id="float"),
        pytest.param({"Data": "x", "Flip": "yes"}, ["'Flip' takes a Boolean"], id="boolean"),
        pytest.param({"Data": "x", "Approval": "Maybe"}, ["Pending, Approved", "'Maybe'"], id="choice"),
        pytest.param({}, ["'Data' has no default", "--set Data="], id="missing"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused(definition, given, fragments):
    with pytest.raises(ParameterError) as caught:
        bind(definition, given)
    for fragment in fragments:
        assert fragment in str(caught.value)
