"""What a client learns of a bug here, and what the log does."""

import logging
from dataclasses import replace

import httpx
import pytest

from tests.server.fuzz.asking import S3_SIGNED
from workflows.server.app import App
from workflows.server.s3.table import OPERATIONS


class Broken:
    """Stands where something is that works: whatever is asked of it is a bug."""

    def __getattr__(self, name):
        raise AssertionError(f"the secret of {name}")

    def __call__(self, *_):
        raise AssertionError("the secret of a call")


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


def test_a_bug_behind_an_object_is_an_error_of_s3(url, caplog, monkeypatch):
    monkeypatch.setitem(OPERATIONS, "ListBuckets", Broken())
    with caplog.at_level(logging.ERROR, "workflows.server"):
        answer = httpx.get(url, headers={"authorization": S3_SIGNED})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/xml"
    assert "<Code>InternalError</Code>" in answer.text
    assert "secret" not in answer.text
    assert f"<RequestId>{answer.headers['x-amzn-requestid']}</RequestId>" in answer.text
    assert f"request {answer.headers['x-amzn-requestid']} failed" in caplog.text
