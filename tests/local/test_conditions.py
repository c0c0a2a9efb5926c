import pytest

from workflows.definition.errors import DefinitionError, UnresolvedValue
from workflows.local.conditions import holds


def compare(kind, left, right):
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param(compare("GreaterThanOrEqualTo", 0.5, 0.5), True, id="ge-equal"),
        pytest.param(compare("GreaterThan", 0.5, 0.5), False, id="gt-equal"),
        pytest.param(compare("LessThan", 1, 1.5), True, id="lt"),
        pytest.param(compare("LessThanOrEqualTo", 2, 1), False, id="le"),
        pytest.param(compare("Equals", "Approved", "Approved"), True, id="equal-strings"),
        pytest.param(compare("GreaterThanOrEqualTo", float("nan"), 0.1), False, id="nan-never-passes"),
        pytest.param({"Type": "Not", "Condition": compare("Equals", 1, 1)}, False, id="not"),
        pytest.param(
            {"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("Equals", 1, 1)]}, True, id="or"
        ),
        pytest.param({"Type": "Or", "Conditions": [compare("Equals", 1, 2)]}, False, id="or-none"),
        pytest.param({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}, True, id="in-sdk"),
        pytest.param({"Type": "In", "Value": "c", "In": ["a", "b"]}, False, id="in-schema"),
    ],
)
def test_a_condition_holds_or_does_not(condition, expected):
    assert holds(condition, where="C") is expected


def test_a_string_is_not_compared_with_a_number():
    with pytest.raises(UnresolvedValue, match="cannot compare '0.7' with 0.5"):
        holds(compare("GreaterThan", "0.7", 0.5), where="C")


def test_an_unknown_condition_is_refused():
    with pytest.raises(DefinitionError, match="'Between' is none of"):
        holds(compare("Between", 1, 2), where="C")
