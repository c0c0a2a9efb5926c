"""What of records is sent, and how answers come together with them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.local.transform.association import (
    CSV,
    FORMATS,
    JSON_DOCUMENT,
    JSON_LINES,
    Association,
    AssociationError,
)
from workflows.local.transform.jsonpath import parse


def make(content=JSON_LINES, accept=None, *, ask="$", keep="$", joins=True, by_line=True):
    return Association(
        input_format=FORMATS[content],
        output_format=FORMATS[accept or content],
        by_line=by_line,
        input_filter=parse(ask),
        output_filter=parse(keep),
        joins=joins,
    )


@pytest.mark.parametrize(
    ("record", "answer", "expected"),
    [
        pytest.param({"key": 1}, {"label": 1}, {"key": 1, "SageMakerOutput": {"label": 1}}, id="object"),
        pytest.param({"SageMakerOutput": 1}, 2, {"SageMakerOutput": 2}, id="reserved-name-is-overwritten"),
        pytest.param([1, 2], 0.5, {"SageMakerInput": [1, 2], "SageMakerOutput": 0.5}, id="list"),
        pytest.param("text", None, {"SageMakerInput": "text", "SageMakerOutput": None}, id="text"),
    ],
)
def test_json_is_joined_in_an_object(record, answer, expected):
    joined = make().answer([json.dumps(record).encode()], json.dumps(answer).encode())
    assert json.loads(joined) == expected


def test_the_guides_example_of_a_row_holds():
    # "if the record is [1,2,3], and the label result is [1], then the output file would contain [1,2,3,1]"
    assert make(CSV).answer([b"1,2,3"], b"1\n") == b"1,2,3,1"


def test_each_record_gets_its_own_answer():
    joined = make(CSV).answer([b"a,1", b"b,2", b"c,3"], b"x\ny\r\nz\n")
    assert joined == b"a,1,x\nb,2,y\nc,3,z"


def test_cells_stay_the_texts_that_they_are():
    association = make(CSV, ask="$[0,2]", keep="$[1:]")
    assert association.ask(b'007,"a, ""b""",1e5') == b"007,1e5"
    assert association.answer([b'007,"a, ""b""",1.50'], b"0.0100") == b'"a, ""b""",1.50,0.0100'


def test_a_cell_may_hold_a_picture():
    picture = b"A" * 200_000
    assert make(CSV, keep="$[1,2]").answer([b"1," + picture], b"bird") == picture + b",bird"


def test_a_document_over_several_lines_is_one_record():
    association = make(JSON_DOCUMENT, by_line=False, ask="$.x")
    assert association.ask(b'{\n "x": [1,\n 2]\n}') == b"[1,2]"
    assert association.answer([b'{\n "x": 1}'], b'{\n "y": 2\n}\n') == b'{"x":1,"SageMakerOutput":{"y":2}}'


def test_a_pretty_answer_to_one_line_is_one_answer():
    association = make(JSON_LINES, JSON_DOCUMENT)
    assert association.answer([b'{"x": 1}'], b'{\n "y": 2\n}') == b'{"x":1,"SageMakerOutput":{"y":2}}'


def test_lines_of_one_request_are_filtered_one_by_one():
    association = make(JSON_LINES, ask="$.x", joins=False)
    assert association.ask(b'{"x": 1}\n{"x": "\\u00e9"}\n') == '1\n"é"'.encode()


def test_without_a_join_only_answers_are_filtered():
    association = make(CSV, JSON_LINES, ask="$[1:]", keep="$['class']", joins=False)
    assert association.ask(b"id,1,2") == b"1,2"
    assert association.answer([b"id,1,2"], b'{"class": "bird", "score": 1}\n') == b'"bird"'


def test_without_filters_bytes_pass_untouched():
    association = make(JSON_LINES, joins=False)
    assert association.ask(b"\xff not JSON") == b"\xff not JSON"
    assert association.answer([b""], b"\xff") == b"\xff"


@pytest.mark.parametrize(
    ("content", "record", "answer", "message"),
    [
        pytest.param(CSV, b'"open,1', b"1", "cannot be read", id="open-quotation-mark"),
        pytest.param(JSON_LINES, b"{", b"1", "cannot be read", id="record-no-json"),
        pytest.param(JSON_LINES, b"1", b"nothing", "'nothing' cannot be read", id="answer-no-json"),
        pytest.param(JSON_LINES, b"\xff", b"1", "not UTF-8", id="encoding"),
        pytest.param(CSV, b"1\n2", b"1\n", "2 records were sent, and 1 came back", id="too-few"),
        pytest.param(CSV, b"1", b"1\n2\n", "1 records were sent, and 2 came back", id="too-many"),
        pytest.param(JSON_LINES, b"[" * 100_000, b"1", "cannot be read", id="deep"),
    ],
)
def test_what_does_not_fit_together_is_told(content, record, answer, message):
    with pytest.raises(AssociationError) as caught:
        make(content).answer([record], answer)
    assert message in str(caught.value)


cells = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6), min_size=2, max_size=5
)


@given(rows=st.lists(cells, min_size=1, max_size=6), answers=st.data())
def test_any_rows_come_back_with_their_answers_behind_them(rows, answers):
    form = FORMATS[CSV]
    values = [answers.draw(cells) for _ in rows]
    body = "".join(form.write(value) + "\n" for value in values).encode()
    joined = make(CSV).answer([form.write(row).encode() for row in rows], body).decode()
    assert [form.read(line) for line in joined.split("\n")] == [
        row + value for row, value in zip(rows, values, strict=True)
    ]
