"""Event patterns: hand-worked cases, and a slow reference."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.server.errors import AwsError
from workflows.server.events.json_paths import NoSuchValue, at
from workflows.server.events.patterns import matches, read_pattern

APPROVED = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "resources": ["arn:1", "arn:2"],
    "detail": {
        "ModelPackageGroupName": "birds",
        "ModelPackageVersion": 3,
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {"Containers": [{"Image": "a"}, {"Image": "b", "Port": 8080}]},
        "Certified": False,
        "Description": None,
        "Ip": "10.0.1.7",
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param({"source": ["aws.sagemaker"]}, True, id="exact"),
        pytest.param({"source": ["aws.s3"]}, False, id="other"),
        pytest.param({"source": ["aws.s3", "aws.sagemaker"]}, True, id="one-of"),
        pytest.param({"resources": ["arn:2"]}, True, id="in-list"),
        pytest.param({"detail": {"ModelPackageVersion": [3]}}, True, id="number"),
        pytest.param({"detail": {"ModelPackageVersion": ["3"]}}, False, id="number-is-no-string"),
        pytest.param({"detail": {"Certified": [False]}}, True, id="false"),
        pytest.param({"detail": {"Certified": [0]}}, False, id="false-is-not-0"),
        pytest.param({"detail": {"Description": [None]}}, True, id="null"),
        pytest.param({"detail": {"Missing": [None]}}, False, id="missing-is-not-null"),
        pytest.param({"source": [{"prefix": "aws."}]}, True, id="prefix"),
        pytest.param({"source": [{"prefix": "AWS."}]}, False, id="prefix-case"),
        pytest.param({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True, id="prefix-any-case"),
        pytest.param({"source": [{"suffix": "maker"}]}, True, id="suffix"),
        pytest.param({"source": [{"wildcard": "aws.*maker"}]}, True, id="wildcard"),
        pytest.param({"source": [{"wildcard": "aws.*x"}]}, False, id="wildcard-not"),
        pytest.param({"source": [{"wildcard": r"aws\*"}]}, False, id="wildcard-escaped"),
        pytest.param({"source": [{"anything-but": "aws.s3"}]}, True, id="anything-but"),
        pytest.param(
            {"source": [{"anything-but": ["aws.s3", "aws.sagemaker"]}]}, False, id="anything-but-list"
        ),
        pytest.param({"source": [{"anything-but": {"prefix": "aws."}}]}, False, id="anything-but-prefix"),
        pytest.param({"detail": {"Missing": [{"anything-but": "x"}]}}, False, id="anything-but-missing"),
        pytest.param({"detail": {"ModelPackageVersion": [{"numeric": [">", 2, "<=", 3]}]}}, True, id="range"),
        pytest.param({"detail": {"ModelPackageVersion": [{"numeric": ["<", 3]}]}}, False, id="below"),
        pytest.param({"source": [{"numeric": ["=", 3]}]}, False, id="numeric-of-string"),
        pytest.param({"detail": {"Missing": [{"exists": False}]}}, True, id="not-there"),
        pytest.param({"detail": {"Missing": [{"exists": True}]}}, False, id="there-is-not"),
        pytest.param({"nothing": {"below": [{"exists": False}]}}, True, id="nothing-below"),
        pytest.param(
            {"detail": {"ModelApprovalStatus": [{"equals-ignore-case": "APPROVED"}]}}, True, id="case"
        ),
        pytest.param({"detail": {"Ip": [{"cidr": "10.0.0.0/16"}]}}, True, id="cidr"),
        pytest.param({"detail": {"Ip": [{"cidr": "10.1.0.0/16"}]}}, False, id="cidr-not"),
        pytest.param({"source": [{"cidr": "10.0.0.0/16"}]}, False, id="cidr-of-text"),
        pytest.param({"$or": [{"source": ["x"]}, {"detail": {"ModelPackageVersion": [3]}}]}, True, id="or"),
        pytest.param({"$or": [{"source": ["x"]}, {"source": ["y"]}]}, False, id="or-not"),
        pytest.param(
            {"source": ["aws.s3"], "$or": [{"source": ["aws.sagemaker"]}, {"source": ["y"]}]},
            False,
            id="or-and",
        ),
        pytest.param(
            {"detail": {"InferenceSpecification": {"Containers": {"Image": ["b"], "Port": [8080]}}}},
            True,
            id="one-object-of-a-list",
        ),
        pytest.param(
            {"detail": {"InferenceSpecification": {"Containers": {"Image": ["a"], "Port": [8080]}}}},
            False,
            id="not-two-objects-together",
        ),
    ],
)
def test_hand_worked_patterns(pattern, expected):
    assert matches(read_pattern(json.dumps(pattern)), APPROVED) is expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="list"),
        pytest.param("{}", id="empty"),
        pytest.param('{"a": "b"}', id="string"),
        pytest.param('{"a": []}', id="empty-list"),
        pytest.param('{"a": {}}', id="empty-object"),
        pytest.param('{"a": [[1]]}', id="list-in-list"),
        pytest.param('{"a": [{"near": 1}]}', id="unknown-operator"),
        pytest.param('{"a": [{"prefix": 1}]}', id="prefix-number"),
        pytest.param('{"a": [{"prefix": "x", "suffix": "y"}]}', id="two-operators"),
        pytest.param('{"a": [{"exists": "yes"}]}', id="exists-text"),
        pytest.param('{"a": [{"numeric": [">"]}]}', id="numeric-half"),
        pytest.param('{"a": [{"numeric": ["~", 1]}]}', id="numeric-sign"),
        pytest.param('{"a": [{"numeric": [">", "1"]}]}', id="numeric-text"),
        pytest.param('{"a": [{"numeric": [">", 6e9]}]}', id="numeric-large"),
        pytest.param('{"a": [{"numeric": [">", NaN]}]}', id="numeric-nan"),
        pytest.param('{"a": [{"anything-but": []}]}', id="anything-but-nothing"),
        pytest.param('{"a": [{"cidr": "10.0.0.0/99"}]}', id="cidr"),
        pytest.param('{"a": [{"wildcard": "a**b"}]}', id="two-stars"),
        pytest.param('{"$or": [{"a": [1]}]}', id="or-of-one"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_what_is_no_pattern_is_refused_with_a_reason(text):
    with pytest.raises(AwsError, match="Event pattern is not valid. Reason: ") as caught:
        read_pattern(text)
    assert caught.value.code == "InvalidEventPatternException"


scalars = st.sampled_from(["", "a", "ab", "abc", "B", 0, 1, 2, 2.5, True, False, None])
texts = st.sampled_from(["a", "b", "ab", "A", "c"])
matchers = st.one_of(
    scalars,
    texts.map(lambda text: {"prefix": text}),
    texts.map(lambda text: {"suffix": text}),
    texts.map(lambda text: {"equals-ignore-case": text}),
    scalars.map(lambda value: {"anything-but": value}),
    st.tuples(st.sampled_from(["<", "<=", "=", ">=", ">"]), st.integers(0, 3)).map(
        lambda pair: {"numeric": [*pair]}
    ),
    st.booleans().map(lambda there: {"exists": there}),
)
KEYS = ("x", "y", "z")
leaves = st.lists(matchers, min_size=1, max_size=3)
patterns = st.recursive(
    st.dictionaries(st.sampled_from(KEYS), leaves, min_size=1, max_size=2),
    lambda below: st.dictionaries(st.sampled_from(KEYS), leaves | below, min_size=1, max_size=3),
    max_leaves=4,
)
values = scalars | st.lists(scalars, max_size=3)
events = st.recursive(
    st.dictionaries(st.sampled_from(KEYS), values, max_size=3),
    lambda below: st.dictionaries(
        st.sampled_from(KEYS), values | below | st.lists(below, min_size=1, max_size=2), max_size=3
    ),
    max_leaves=5,
)


def without_lists(value):
    """Every event that has one item in place of each list; an empty list is nothing."""
    if isinstance(value, list):
        return [variant for item in value for variant in without_lists(item)] or [ABSENT]
    if not isinstance(value, dict):
        return [value]
    choices = product(*([(key, variant) for variant in without_lists(item)] for key, item in value.items()))
    return [{key: item for key, item in choice if item is not ABSENT} for choice in choices]


ABSENT = object()


def slow_matches(pattern, event):
    """Of an event without lists."""
    for key, wanted in pattern.items():
        found = event.get(key, ABSENT)
        if isinstance(wanted, dict):
            if not slow_matches(wanted, found if isinstance(found, dict) else {}):
                return False
        elif not any(slow_leaf(matcher, ABSENT if isinstance(found, dict) else found) for matcher in wanted):
            return False
    return True


def slow_leaf(matcher, value):
    if not isinstance(matcher, dict):
        return value is not ABSENT and json.dumps(matcher) == json.dumps(value)
    ((operator, operand),) = matcher.items()
    if operator == "exists":
        return (value is not ABSENT) == operand
    if value is ABSENT:
        return False
    if operator == "anything-but":
        return json.dumps(operand) != json.dumps(value)
    if operator == "numeric":
        is_number = type(value) in (int, float)
        return is_number and eval(
            f"{value} {operand[0].replace('=', '==') if operand[0] == '=' else operand[0]} {operand[1]}"
        )
    if not isinstance(value, str):
        return False
    if operator == "prefix":
        return value[: len(operand)] == operand
    if operator == "suffix":
        return value[len(value) - len(operand) :] == operand if len(value) >= len(operand) else False
    return value.upper() == operand.upper()


@given(pattern=patterns, event=events)
def test_a_pattern_matches_if_it_matches_the_event_with_some_choice_from_its_lists(pattern, event):
    read = read_pattern(json.dumps(pattern))
    assert matches(read, event) == any(slow_matches(pattern, variant) for variant in without_lists(event))


@given(one=patterns, other=patterns, event=events)
def test_or_is_or(one, other, event):
    read = read_pattern(json.dumps({"$or": [one, other]}))
    assert matches(read, event) == (matches(one, event) or matches(other, event))


@given(
    text=st.text(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    ).map(json.dumps)
)
def test_any_text_is_a_pattern_or_refused(text):
    try:
        pattern = read_pattern(text)
    except AwsError:
        return
    matches(pattern, APPROVED)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.source", "aws.sagemaker"),
        ("$.detail.ModelPackageVersion", 3),
        ("$.resources[1]", "arn:2"),
        ("$.detail.InferenceSpecification.Containers[0].Image", "a"),
        ("$['detail-type']", "SageMaker Model Package State Change"),
        ("$.detail-type", "SageMaker Model Package State Change"),
    ],
)
def test_paths_lead_to_values(path, expected):
    assert at(APPROVED, path) == expected


@pytest.mark.parametrize(
    "path", ["$.missing", "$.resources[9]", "$.source.x", "source", "$..x", "$.resources[*]", ""]
)
def test_paths_that_lead_nowhere_say_so(path):
    with pytest.raises(NoSuchValue):
        at(APPROVED, path)
