import json

import pytest

from tests.definition.definitions import definition as text_of
from tests.definition.definitions import refusal
from workflows.definition.errors import DefinitionError, ParameterError
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
        pytest.param({"Data": "x", "Epochs": "1_000"}, ["takes an Integer"], id="integer-of-python"),
        pytest.param({"Data": "x", "Epochs": " 3"}, ["takes an Integer"], id="space"),
        pytest.param({"Data": "x", "Rate": "nan"}, ["takes a Float", "'nan'"], id="nan"),
        pytest.param({"Data": "x", "Rate": "1e999"}, ["takes a Float"], id="infinite"),
        pytest.param({"Data": "x" * 1025}, ["'Data'", "1025", "1024", "S3"], id="long"),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1.0), ("-1.5", -1.5), ("+.5", 0.5), ("2.", 2.0), ("1E3", 1000.0)],
)
def test_a_float_may_be_written_in_these_ways(definition, text, expected):
    assert bind(definition, {"Data": "x", "Rate": text})["Rate"] == expected


def test_a_value_of_the_greatest_length_is_taken(definition):
    assert bind(definition, {"Data": "x" * 1024})["Data"] == "x" * 1024


def test_a_default_may_be_given_although_it_is_longer_than_a_start_takes():
    long = load(text_of(parameters=[parameter("P", DefaultValue="x" * 4096)]))
    assert bind(long, {"P": "x" * 4096}) == {"P": "x" * 4096}


def parameter(name, kind="String", **more):
    return {"Name": name, "Type": kind, **more}


@pytest.mark.parametrize(
    ("parameters", "fragments"),
    [
        pytest.param([parameter("a b")], ["Parameters[0].Name", "'a b'"], id="name"),
        pytest.param([parameter("p" * 257)], ["Parameters[0].Name", "1 to 256"], id="long-name"),
        pytest.param([parameter("P"), parameter("P")], ["[0] and Parameters[1]", "'P'"], id="twice"),
        pytest.param([parameter(f"P{n}") for n in range(201)], ["201", "200"], id="too-many"),
        pytest.param([parameter("P", DefaultValue="x" * 4097)], ["'P'", "4097", "4096"], id="long-default"),
        pytest.param([parameter("P", "Float", DefaultValue=[1])], ["no Float"], id="list"),
        pytest.param([parameter("P", EnumValues="a")], ["EnumValues", "a list"], id="choices"),
        pytest.param([5], ["Parameters[0]", "an object"], id="number"),
        pytest.param({}, ["Parameters", "a list"], id="no-list"),
    ],
)
def test_a_wrong_parameter_is_refused(parameters, fragments):
    text = json.dumps({"Parameters": parameters, "Steps": []})
    message = refusal(load, text, error=DefinitionError)
    for fragment in fragments:
        assert fragment in message


def test_a_default_that_is_no_finite_number_is_refused():
    text = json.dumps({"Parameters": [parameter("P", "Float", DefaultValue="?")], "Steps": []})
    message = refusal(load, text.replace('"?"', "1e999"), error=DefinitionError)
    assert "'P': DefaultValue is too large" in message


def test_as_many_and_as_long_parameters_as_are_allowed_are_taken():
    many = [parameter(f"P{n}", DefaultValue="x" * 4096) for n in range(200)]
    assert len(load(text_of(parameters=many)).parameters) == 200


def test_a_parameter_without_a_type_is_a_string():
    assert load(text_of(parameters=[{"Name": "P"}])).parameters["P"].type == "String"
