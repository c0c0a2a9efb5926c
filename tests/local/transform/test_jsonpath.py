"""The JSONPath expressions of DataProcessing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.local.transform.jsonpath import PathError, parse

RECORD = {"id": 7, "a": {"b": [10, 20, 30], "c-d": "x"}, "list": [{"n": 1}, {"n": 2}]}
ROW = ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param("$", RECORD, RECORD, id="root"),
        pytest.param("$.id", RECORD, 7, id="member"),
        pytest.param("$.a.b", RECORD, [10, 20, 30], id="members"),
        pytest.param("$.a['c-d']", RECORD, "x", id="brackets"),
        pytest.param("$['id']", RECORD, 7, id="one-name-in-brackets"),
        pytest.param("$['id','a']", RECORD, {"id": 7, "a": RECORD["a"]}, id="several-names-are-an-object"),
        pytest.param("$.a.['b', 'c-d']", RECORD, RECORD["a"], id="dot-before-brackets"),
        pytest.param("$.a.b[-1]", RECORD, 30, id="negative-index"),
        pytest.param("$.list[*].n", RECORD, [1, 2], id="wildcard"),
        pytest.param("$.a.*", RECORD, [[10, 20, 30], "x"], id="wildcard-of-an-object"),
        pytest.param("$[1]", ROW, "r1", id="index"),
        pytest.param("$[0,-1]", ROW, ["r0", "r3"], id="indexes"),
        pytest.param("$[1:]", ROW, ["r1", "r2", "r3"], id="from"),
        pytest.param("$[:2]", ROW, ["r0", "r1"], id="to"),
        pytest.param("$[1:3]", ROW, ["r1", "r2"], id="range"),
        pytest.param("$[0:-1]", ROW, ["r0", "r1", "r2"], id="negative-end"),
        pytest.param("$[ 0 , 1 ]", ROW, ["r0", "r1"], id="blanks"),
    ],
)
def test_expressions_find_what_the_guide_says(path, value, expected):
    assert parse(path).select(value) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("id", "does not begin with '$'", id="no-root"),
        pytest.param("$.account_id", 'unexpected "_"', id="underscore"),
        pytest.param("$..id", "is not understood", id="descent"),
        pytest.param("$.list[?(@.n)]", 'unexpected "?"', id="filter"),
        pytest.param(
            "$[0:2,246:]", "only single range filters of format (eg: [1:5]) are supported", id="ranges"
        ),
        pytest.param("$[0,5:]", "only single range filters", id="range-beside-index"),
        pytest.param("$[0:4:2]", "only single range filters", id="step"),
        pytest.param("$['a','b'].c", "nothing can follow several names", id="after-several-names"),
        pytest.param("$[0", "is not understood", id="open-bracket"),
        pytest.param("$." + "a" * 62, "has 64 characters; at most 63", id="long"),
    ],
)
def test_what_the_service_does_not_take_is_refused(path, message):
    with pytest.raises(PathError) as caught:
        parse(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("$.x", RECORD, "there is no 'x' among id, a, list", id="name"),
        pytest.param("$['id','x']", RECORD, "there is no 'x'", id="one-of-several-names"),
        pytest.param("$.id", ROW, "'id' was looked for in a list", id="name-in-a-list"),
        pytest.param("$[4]", ROW, "there is no element 4; there are 4", id="index"),
        pytest.param("$[-5]", ROW, "there is no element -5", id="negative-index"),
        pytest.param("$[4:]", ROW, "the range selects nothing; there are 4 elements", id="range"),
        pytest.param("$[0]", RECORD, "elements were looked for in an object", id="index-in-an-object"),
    ],
)
def test_an_expression_that_leads_nowhere_is_told(path, value, message):
    with pytest.raises(PathError) as caught:
        parse(path).select(value)
    assert message in str(caught.value)


rows = st.lists(st.text(max_size=3), min_size=1, max_size=8)
bounds = st.none() | st.integers(-9, 9)


@given(row=rows, start=bounds, end=bounds)
def test_ranges_are_those_of_python(row, start, end):
    path = parse(f"$[{'' if start is None else start}:{'' if end is None else end}]")
    expected = row[start:end]
    if expected:
        assert path.select(row) == expected
    else:
        with pytest.raises(PathError):
            path.select(row)


@given(text=st.text(alphabet="$.[]*,:' -ab01", max_size=20))
def test_any_text_is_an_expression_or_refused(text):
    try:
        path = parse(text)
    except PathError:
        return
    assert path.is_root == (text == "$")
