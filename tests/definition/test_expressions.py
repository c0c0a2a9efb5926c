import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.definitions import definition, get, refusal, step
from workflows.definition.errors import DefinitionError
from workflows.definition.expressions import parse_path
from workflows.definition.loader import load

JSON_GET = {"PropertyFile": get("Steps.A.PropertyFiles.R"), "Path": "a.b"}
URI = {"Std:Join": {"On": "/", "Values": ["s3://b", get("Execution.PipelineExecutionId"), get("Steps.A.X")]}}


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        pytest.param({**JSON_GET, "Path": get("Parameters.P")}, ["literal"], id="path-from-a-parameter"),
        pytest.param({**JSON_GET, "Path": "a["}, ["X.Path", "'a['"], id="path"),
        pytest.param({**JSON_GET, "S3Uri": URI}, ["either a PropertyFile or an S3Uri"], id="both"),
        pytest.param({"Path": "a"}, ["either a PropertyFile or an S3Uri"], id="neither"),
        pytest.param({"S3Uri": "s3://b/k", "Path": "a"}, ["S3Uri", "Std:Join"], id="literal-uri"),
        pytest.param({"S3Uri": get("Steps.A.X"), "Path": "a"}, ["S3Uri", "Std:Join"], id="bare-property"),
        pytest.param(
            {"S3Uri": {"Std:Join": {"On": "", "Values": [URI]}}, "Path": "a"},
            ["S3Uri.Values[0]", "a literal"],
            id="join-in-join",
        ),
        pytest.param({"PropertyFile": "R", "Path": "a"}, ["PropertyFile", "an object"], id="name-only"),
        pytest.param(
            {"PropertyFile": get("Steps.A.Files.R"), "Path": "a"},
            ["Steps.NAME.PropertyFiles.FILE"],
            id="not-a-property-file",
        ),
    ],
)
def test_a_wrong_json_get_is_refused(body, fragments):
    reads = step("B", {"X": {"Std:JsonGet": body}})
    message = refusal(load, definition(step("A"), reads), error=DefinitionError)
    for fragment in ["Steps[1] 'B' Arguments.X", *fragments]:
        assert fragment in message


def test_a_json_get_by_uri_waits_for_the_steps_in_the_uri():
    read = {"Std:JsonGet": {"S3Uri": URI, "Path": "metrics.validation:mAP"}}
    assert load(definition(step("B", {"X": read}), step("A"))).needs["B"] == {"A"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "metrics.validation:mAP.value", ("metrics", "validation:mAP", "value"), id="any-characters"
        ),
        pytest.param("[0].a b", (0, "a b"), id="begins-with-an-index"),
        pytest.param("a['b.c'][\"d\"]", ("a", "b.c", "d"), id="quoted"),
    ],
)
def test_a_path_into_a_file_takes_the_keys_that_files_have(text, expected):
    assert parse_path(text, where="here", of_file=True) == expected


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[A-Za-z0-9_\-]+", fullmatch=True),
            st.integers(0, 99),
            st.text(st.characters(codec="utf-8", exclude_characters="'"), max_size=8),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_path_is_read_as_it_was_written(parts):
    head, rest = f"Steps{len(parts)}", list(parts)
    text = head + "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in rest)
    assert parse_path(text, where="here") == (head, *rest)
