import pytest

from workflows.pipelines import catalog
from workflows.pipelines.compiled import compiled

PLACE = {
    "region": "eu-west-1",
    "role": "arn:aws:iam::123456789012:role/vision",
    "default_bucket": "a-bucket",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    return folder, compiled("birds-detection", **PLACE, folder=folder)


def test_what_is_kept_is_what_would_be_compiled(kept):
    folder, first = kept
    assert first == catalog.compile_pipeline("birds-detection", **PLACE)
    assert compiled("birds-detection", **PLACE, folder=folder) == first
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("argument", ["region", "role", "default_bucket"])
def test_other_arguments_are_compiled_anew(kept, argument):
    folder, first = kept
    other = {"region": "us-east-1", "role": PLACE["role"] + "2", "default_bucket": "another-bucket"}
    changed = {**PLACE, argument: other[argument]}
    assert compiled("birds-detection", **changed, folder=folder) != first
