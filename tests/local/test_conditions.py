import pytest

from workflows.definition.errors import DefinitionError, UnresolvedValue
from workflows.local.conditions import all_of, holds


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
        pytest.param(compare("Equals", 1, 1.0), True, id="equal-int-and-float"),
        pytest.param(compare("LessThan", "abc", "abd"), True, id="strings-in-order"),
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


def either(*conditions):
    return {"Type": "Or", "Conditions": list(conditions)}


def negated(condition):
    return {"Type": "Not", "Condition": condition}


TRUE, FALSE = compare("Equals", 1, 1), compare("Equals", 1, 2)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_not_and_or_nest_as_in_logic(first, second):
    a, b = (TRUE if value else FALSE for value in (first, second))
    assert holds(negated(either(a, b)), where="C") is (not (first or second))
    assert holds(either(negated(a), negated(negated(b))), where="C") is (not first or second)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([TRUE, TRUE], [True, True], id="all"),
        pytest.param([TRUE, FALSE], [True, False], id="one"),
        pytest.param([], [], id="none"),
    ],
)
def test_a_list_of_conditions_gives_the_outcome_of_each(conditions, expected):
    assert all_of(conditions, where="C") == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("0.7", 0.5, id="string-and-number"),
        pytest.param(True, 1, id="boolean-and-number"),
        pytest.param("true", True, id="string-and-boolean"),
        pytest.param(None, None, id="null"),
        pytest.param([1], [1], id="lists"),
        pytest.param({}, {}, id="objects"),
    ],
)
def test_what_is_of_two_kinds_or_of_none_is_not_compared(left, right):
    with pytest.raises(UnresolvedValue) as caught:
        holds(compare("Equals", left, right), where="Steps[1] 'Gate'")
    assert f"Steps[1] 'Gate': cannot compare {left!r} with {right!r}" in str(caught.value)


def test_booleans_are_equal_or_not_and_have_no_order():
    assert holds(compare("Equals", True, True), where="C") is True
    with pytest.raises(UnresolvedValue, match="Booleans have no order"):
        holds(compare("GreaterThan", True, False), where="C")


def test_a_comparison_that_cannot_be_made_does_not_hide_behind_a_true_one():
    with pytest.raises(UnresolvedValue, match="Conditions\\[1\\]"):
        holds(either(TRUE, compare("LessThan", "a", 1)), where="C")


def test_a_member_is_looked_for_among_values_of_its_own_kind():
    assert holds({"Type": "In", "QueryValue": 1, "Values": ["1", 1.0]}, where="C") is True
    assert holds({"Type": "In", "QueryValue": True, "Values": [1, False]}, where="C") is False
    assert holds({"Type": "In", "QueryValue": "a", "Values": []}, where="C") is False
    with pytest.raises(UnresolvedValue, match="cannot look for '5' among"):
        holds({"Type": "In", "QueryValue": "5", "Values": [4, 5]}, where="C")


def test_an_unknown_condition_is_refused():
    with pytest.raises(DefinitionError, match="'Between' is not known"):
        holds({"Type": "Between"}, where="C")
