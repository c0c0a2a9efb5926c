import pytest
from botocore.loaders import Loader

from workflows.preflight.patterns import matches

SHAPES = Loader().load_service_model("sagemaker", "service-2")["shapes"]


def test_every_pattern_of_the_service_model_can_be_matched():
    patterns = {shape["pattern"] for shape in SHAPES.values() if "pattern" in shape}
    assert len(patterns) > 100
    for pattern in patterns:
        assert matches(pattern, "a") in (True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Vögel", True, id="letter-beyond-ascii"),
        pytest.param("٣", True, id="digit-of-another-script"),
        pytest.param("a b", True, id="blank"),
        pytest.param("a:b/c", True, id="marks-that-are-named"),
        pytest.param("a!b", False, id="another-mark"),
        pytest.param("a€b", False, id="symbol-beyond-ascii"),
        pytest.param("a\nb", False, id="control-character"),
    ],
)
def test_classes_of_unicode_are_those_of_java(text, expected):
    assert matches(SHAPES["TagValue"]["pattern"], text) is expected


def test_characters_beyond_the_first_plane_are_as_java_counts_them():
    assert matches(SHAPES["Catalog"]["pattern"], "😀")
