import pytest

from tests.infrastructure.accounts import account


@pytest.fixture
def cloud(tmp_path):
    with account(tmp_path / "home") as served:
        yield served
