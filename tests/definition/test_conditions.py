"""What a condition step may hold; whether conditions hold is in tests/local."""

import pytest

from tests.definition.definitions import condition, definition, equals, get, refusal, step
from workflows.definition.errors import DefinitionError
from workflows.definition.loader import load


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(equals("a", get("Parameters.P")), id="parameter"),
        pytest.param({"Type": "LessThanOrEqualTo", "LeftValue": 0, "RightValue": False}, id="falsy-operands"),
        pytest.param({"Type": "In", "QueryValue": "a", "Values": ["a", get("Parameters.P")]}, id="in"),
        pytest.param({"Type": "In", "Value": "a", "In": []}, id="in-of-the-schema"),
        pytest.param(
            {"Type": "Not", "Condition": {"Type": "Or", "Conditions": [equals(1), equals(2)]}},
            id="nested",
        ),
    ],
)
def test_every_type_that_the_sdk_writes_is_taken(test):
    parameters = [{"Name": "P", "Type": "String", "DefaultValue": "a"}]
    loaded = load(definition(condition("Gate", test), parameters=parameters))
    assert loaded.steps["Gate"].arguments == {"Conditions": [test]}


def test_a_reference_anywhere_in_a_condition_is_a_need():
    deep = {"Type": "Not", "Condition": {"Type": "Or", "Conditions": [equals(get("Steps.A.X"))]}}
    member = {"Type": "In", "QueryValue": 1, "Values": [get("Steps.B.X")]}
    loaded = load(definition(condition("Gate", deep, member), step("A"), step("B")))
    assert loaded.needs["Gate"] == {"A", "B"}


@pytest.mark.parametrize(
    ("test", "fragments"),
    [
        pytest.param({"Type": "Equal", "LeftValue": 1}, ["'Equal'", "did you mean 'Equals'?"], id="typo"),
        pytest.param({"LeftValue": 1}, ["condition type None", "known: Equals"], id="no-type"),
        pytest.param(
            {"Type": "NotEquals", "LeftValue": 1, "RightValue": 2},
            ["'NotEquals'", '{"Type": "Not", "Condition": {"Type": "Equals", …}}'],
            id="not-equals",
        ),
        pytest.param(
            {"Type": "NotIn", "Value": 1, "In": [2]},
            ["'NotIn'", '{"Type": "Not", "Condition": {"Type": "In", …}}'],
            id="not-in",
        ),
        pytest.param({"Type": "LessThan", "LeftValue": 1}, ["LessThan needs RightValue"], id="one-side"),
        pytest.param({"Type": "In", "QueryValue": 1}, ["In needs Values"], id="in-without-values"),
        pytest.param({"Type": "In", "In": [1]}, ["In needs Value"], id="in-without-value"),
        pytest.param({"Type": "In", "QueryValue": 1, "Values": 1}, [".Values", "a list"], id="in-no-list"),
        pytest.param({"Type": "Not"}, ["Not needs Condition"], id="not"),
        pytest.param({"Type": "Or"}, ["Or needs Conditions"], id="or"),
        pytest.param(
            {"Type": "Or", "Conditions": [equals(1), {"Type": "Not", "Condition": 5}]},
            ["Conditions[0].Conditions[1].Condition", "an object"],
            id="deep",
        ),
        pytest.param(equals(None), ["None cannot be compared"], id="null"),
        pytest.param(equals([1]), ["[1] cannot be compared"], id="list"),
        pytest.param(
            {"Type": "In", "QueryValue": 1, "Values": [{"a": 1}]}, ["{'a': 1} cannot be"], id="object"
        ),
    ],
)
def test_a_wrong_condition_is_refused(test, fragments):
    message = refusal(load, definition(condition("Gate", test)), error=DefinitionError)
    for fragment in ["Steps[0] 'Gate' Arguments.Conditions[0]", *fragments]:
        assert fragment in message


def test_a_condition_step_has_conditions():
    message = refusal(load, definition(step("Gate", {"IfSteps": []}, "Condition")), error=DefinitionError)
    assert message == "Steps[0] 'Gate' Arguments: Conditions is missing"
