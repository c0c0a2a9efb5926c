"""Compiled definitions, with every option left alone and with every option given."""

from typing import Any

import pytest

from tests.pipelines.definitions import ALL_OPTIONS, compiled
from workflows.pipelines import catalog


@pytest.fixture(scope="session")
def plain() -> dict[str, Any]:
    return compiled()


@pytest.fixture(scope="session")
def full() -> dict[str, Any]:
    return compiled(**ALL_OPTIONS, cache_expire_after="P7D")


@pytest.fixture(scope="session")
def caltech() -> dict[str, Any]:
    return compiled("caltech-classification")


@pytest.fixture(scope="session", params=catalog.names())
def each(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every pipeline in turn."""
    return compiled(request.param)


@pytest.fixture(scope="session", params=catalog.names())
def each_full(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every pipeline in turn, with all that can be asked of all of them."""
    return compiled(request.param, **ALL_OPTIONS)


@pytest.fixture(scope="session", params=[n for n in catalog.names() if n.endswith("-retrain")])
def retraining(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Both retraining pipelines in turn."""
    return compiled(request.param)
