import pytest

from tests.preflight.definitions import CONFORMANCE, GOLDEN, errors, findings


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in GOLDEN])
def test_nothing_is_found_in_our_own_pipelines(file):
    assert findings(file.read_text()) == ()


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in CONFORMANCE])
def test_no_error_is_found_in_what_others_compile(file):
    assert errors(file.read_text()) == []
