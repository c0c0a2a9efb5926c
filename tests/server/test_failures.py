"""What a client learns of a bug here, and what the log does."""

import logging
from dataclasses import replace

import httpx
import pytest

from workflows.server.app import App


class Broken:
    """Stands where something is that works: whatever is asked of it is a bug."""

    def __getattr__(self, name):
        raise AssertionError(f"the secret of {name}")


@pytest.fixture
def url(cloud, door):
    door[0].app = App(replace(cloud.machine, hosts=Broken()))
    return cloud.url


def test_a_bug_is_an_error_in_the_services_shape_and_a_traceback_in_the_log(url, caplog):
    with caplog.at_level(logging.ERROR, "workflows.server"):
        answer = httpx.post(f"{url}/endpoints/birds/invocations", content=b"hello")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.json()["__type"] == answer.headers["x-amzn-errortype"] == "InternalFailure"
    assert "secret" not in answer.text
    assert f"request {answer.headers['x-amzn-requestid']} failed" in caplog.text
    assert "the secret of ask" in caplog.text
    assert httpx.get(f"{url}/ping").status_code == 200
