"""A model that answers, asked as no client asks."""

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.conftest import make_machine
from tests.server.fuzz.asking import Target, check_shape, fuzzed
from tests.server.fuzz.test_elsewhere import NAMES, VALUES
from tests.server.test_invoke_endpoint import TOY, deploy
from workflows.server.app import App
from workflows.server.listen import beside

PATH = "/endpoints/birds/invocations"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    machine = make_machine(tmp_path_factory.mktemp("invoked"), images=TOY)
    deploy(machine.store, "the toy")
    with beside(App(machine)) as url, closing(Target(url, machine)) as target:
        yield target
    machine.background.stop_all()
    machine.hosts.close()


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3),
    body=st.sampled_from(
        [b"hello", b"", b"echo", b"status 400 no", b"status 500 \xc3\xa9", b"status 302 away"]
    )
    | st.sampled_from([b"status 204 ", b"x" * 100_000, b"nothing \x00"]),
)
@fuzzed(60)
def test_any_headers_and_body_get_an_answer_of_the_runtime(endpoint, headers, body):
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = endpoint.ask("POST", PATH, body, sent)
    check_shape(answer)
    assert b"says hello" in endpoint.ask("POST", PATH, b"hello", {}).body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"status nothing", id="no status"),
        pytest.param(b"status 99999 big", id="no such status"),
    ],
)
def test_a_model_that_fails_is_a_model_error(endpoint, body):
    answer = endpoint.ask("POST", PATH, body, {})
    check_shape(answer)
    assert answer.code == "ModelError"
    assert b"says hello" in endpoint.ask("POST", PATH, b"hello", {}).body
