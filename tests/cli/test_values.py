import pytest

from workflows.cli.values import brief, brief_change, size

HEAD = "s3://a-bucket/a-pipeline/some/folders/that/are/always/the/same/"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("short", "short", id="text"),
        pytest.param(None, "(none)", id="absent"),
        pytest.param({"a": [1, True]}, '{"a": [1, true]}', id="object"),
        pytest.param("a" * 60, "a" * 60, id="just-short-enough"),
        pytest.param("a" * 60 + "b", "a" * 39 + "…" + "a" * 19 + "b", id="long"),
        pytest.param("red\x1b[31m\nline", "red [31m line", id="control-characters"),
    ],
)
def test_a_value_takes_one_short_line(value, text):
    assert brief(value) == text


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        pytest.param("1", "3", ("1", "3"), id="short"),
        pytest.param(
            f"{HEAD}one/x",
            f"{HEAD}two/x",
            ("…lways/the/same/one/x", "…lways/the/same/two/x"),
            id="alike-at-first",
        ),
        pytest.param(None, "b" * 70, ("(none)", "b" * 39 + "…" + "b" * 20), id="only-in-one"),
    ],
)
def test_two_values_are_shown_where_they_differ(before, after, texts):
    assert brief_change(before, after) == texts


@pytest.mark.parametrize(
    ("count", "text"),
    [
        pytest.param(0, "0 B", id="nothing"),
        pytest.param(999, "999 B", id="bytes"),
        pytest.param(1000, "1.0 kB", id="kilobytes"),
        pytest.param(2_340_000_000, "2.3 GB", id="gigabytes"),
        pytest.param(5 * 10**15, "5000.0 TB", id="more"),
    ],
)
def test_sizes_have_the_unit_that_suits_them(count, text):
    assert size(count) == text
