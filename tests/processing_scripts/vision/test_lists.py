import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.contract import JobError
from processing_scripts.vision.lists import (
    ClassificationRow,
    detection_row,
    read_classification_list,
    read_detection_list,
)

EXAMPLE = "0\t2\t5\t0.0000\t0.1000\t0.2000\t0.5000\t0.6000\t017.Cardinal/x.jpg\n"


def test_a_row_is_written_as_the_format_shows_it():
    row = detection_row(0, [[0, 0.1, 0.2, 0.5, 0.6]], "017.Cardinal/x.jpg")
    assert row.line() == EXAMPLE
    assert row.label == (2, 5, 0.0, 0.1, 0.2, 0.5, 0.6)


def test_label_and_line_carry_the_same_rounded_numbers():
    row = detection_row(12, [[3, 1 / 3, 0.00004, 0.99996, 2 / 3]], "a.jpg")
    assert row.label == (2, 5, 3.0, 0.3333, 0.0, 1.0, 0.6667)
    assert row.line() == "12\t2\t5\t3.0000\t0.3333\t0.0000\t1.0000\t0.6667\ta.jpg\n"


fractions = st.floats(0, 1)
objects = st.lists(st.tuples(st.integers(0, 199), fractions, fractions, fractions, fractions), max_size=3)


@given(st.lists(st.tuples(st.integers(0, 10**9), objects), max_size=4))
def test_rows_come_back_as_they_were_written(tmp_path_factory, given_rows):
    rows = [detection_row(index, found, f"folder {index}/a.jpg") for index, found in given_rows]
    path = tmp_path_factory.getbasetemp() / "round-trip.lst"
    path.write_text("".join(row.line() for row in rows))
    assert read_detection_list(path) == rows


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param(
            "0\t2\t5\tzero\t0\t0\t1\t1\ta.jpg", "could not convert string to float: 'zero'", id="text"
        ),
        pytest.param("0.5\t2\t5\ta.jpg", "invalid literal for int()", id="fractional-index"),
        pytest.param("0\t2\t5\t0\t0\t0\t1\ta.jpg", "five numbers per object", id="number-missing"),
        pytest.param("0\t2\t6\t0\t0\t0\t1\t1\t0\ta.jpg", "expected index, 2, 5", id="other-object-width"),
        pytest.param("0\t3\ta.jpg", "expected index, 2, 5", id="classification-list"),
        pytest.param("0\t2\t5\t0\tnan\t0\t1\t1\ta.jpg", "not finite", id="nan"),
        pytest.param("0 2 5 a.jpg", "with tabs between them", id="spaces-instead-of-tabs"),
        pytest.param("", "expected index", id="empty-line"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, line, fault):
    (tmp_path / "validation.lst").write_text(EXAMPLE + line + "\n")
    with pytest.raises(JobError, match=r"validation\.lst: row 2: ") as raised:
        read_detection_list(tmp_path / "validation.lst")
    assert fault in str(raised.value)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(JobError, match=r"none\.lst: not there"):
        read_detection_list(tmp_path / "none.lst")


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10_000)), max_size=4))
def test_classification_rows_come_back_as_they_were_written(tmp_path_factory, given_rows):
    rows = [
        ClassificationRow(index=index, label=label, path=f"{label:03d}.a b/x.jpg")
        for index, label in given_rows
    ]
    path = tmp_path_factory.getbasetemp() / "classes.lst"
    path.write_text("".join(row.line() for row in rows))
    assert read_classification_list(path) == rows


def test_a_classification_row_is_written_and_read_as_im2rec_does(tmp_path):
    row = ClassificationRow(index=5, label=12, path="013.birdbath/013_0006.jpg")
    assert row.line() == "5\t12\t013.birdbath/013_0006.jpg\n"
    # Older versions write six decimals.
    (tmp_path / "a.lst").write_text("5\t12.000000\t013.birdbath/013_0006.jpg\n")
    assert read_classification_list(tmp_path / "a.lst") == [row]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param("0\ta.jpg", "expected index, class number and path", id="no-label"),
        pytest.param("0\t1\t0\ta.jpg", "expected index, class number and path", id="several-labels"),
        pytest.param("0\t1\t ", "expected index, class number and path", id="no-path"),
        pytest.param("x\t1\ta.jpg", "invalid literal for int", id="index"),
        pytest.param("0\tcat\ta.jpg", "could not convert string to float: 'cat'", id="name"),
        pytest.param("0\t0.5\ta.jpg", "class 0.5 is not one of 0, 1, 2", id="half"),
        pytest.param("0\t-1\ta.jpg", "class -1 is not one of 0, 1, 2", id="negative"),
        pytest.param("0\tinf\ta.jpg", "class inf is not one of 0, 1, 2", id="infinite"),
        pytest.param("0\tnan\ta.jpg", "class nan is not one of 0, 1, 2", id="nan"),
    ],
)
def test_a_malformed_classification_row_is_named_with_its_file(tmp_path, line, fault):
    (tmp_path / "a.lst").write_text(f"0\t1\tb.jpg\n{line}\n")
    with pytest.raises(JobError) as error:
        read_classification_list(tmp_path / "a.lst")
    assert str(error.value).startswith(f"{tmp_path}/a.lst: row 2: ")
    assert fault in str(error.value)
