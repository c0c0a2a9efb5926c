"""Sending objects and assembling answers: order, failures and memory, whatever the concurrency."""

import threading
import time
import tracemalloc
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.definition.errors import WorkflowError
from workflows.local.request import Request
from workflows.local.transform.inputs import InputObject
from workflows.local.transform.options import OptionError, TransformOptions, read_options
from workflows.local.transform.scoring import Scoring

MIB = 1024 * 1024


class Refused(WorkflowError):
    """What a model says to a bad body."""


def options(**more):
    settings = {
        "split": "Line",
        "compressed": False,
        "single": True,
        "line_after_answer": True,
        "concurrency": 1,
        "payload_mb": 1,
        "timeout_s": 1,
        "retries": 0,
        "headers": {},
        "association": None,
    }
    return TransformOptions(**settings | more)


def score(folder, contents, ask, **more):
    items = []
    for name, content in contents.items():
        path = folder / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        items.append(InputObject(path, PurePosixPath(name)))
    told = []
    scoring = Scoring(
        options(**more), ask=ask, folder=folder / "out", stopped=threading.Event(), progress=told.append
    )
    outcome = scoring.run(items)
    assert told == list(range(1, len(items) + 1))
    return {str(relative): path.read_bytes() for path, relative in outcome.done}, outcome.failures


def upper(body):
    # Answers come in another order than requests are made.
    time.sleep(len(body) % 3 / 1000)
    if b"bad" in body:
        raise Refused("not a picture")
    return body.upper()


def one_after_the_other(contents, *, line_after_answer):
    """The same as simply as can be said, for one record in a request."""
    done, failures = {}, []
    for name, content in contents.items():
        records = content.split(b"\n")[: -1 if content.endswith(b"\n") or not content else None]
        if any(b"bad" in record for record in records):
            failures.append(f"{name}: not a picture")
            continue
        answers = [record.upper() for record in records]
        ends = [b"\n" if line_after_answer else b"" for _ in answers]
        done[f"{name}.out"] = b"".join(a + end for a, end in zip(answers, ends, strict=True))
    return done, failures


records = st.sampled_from([b"a", b"bb", b"ccc", b"bad", b""]) | st.text("xyz", max_size=5).map(str.encode)
objects = st.lists(st.lists(records, max_size=6).map(b"\n".join), max_size=5)


@settings(max_examples=60, deadline=None)
@given(contents=objects, concurrency=st.integers(1, 8), line_after_answer=st.booleans())
def test_the_outcome_is_the_same_at_any_concurrency(
    tmp_path_factory, contents, concurrency, line_after_answer
):
    named = {f"object-{number}": content for number, content in enumerate(contents)}
    found = score(
        tmp_path_factory.mktemp("score"),
        named,
        upper,
        concurrency=concurrency,
        line_after_answer=line_after_answer,
    )
    assert found == one_after_the_other(named, line_after_answer=line_after_answer)


def test_an_object_is_never_held_whole(tmp_path):
    content = (b"x" * (MIB // 2) + b"\n") * 60
    seen = []

    def ask(body):
        seen.append(len(body))
        return b"y"

    tracemalloc.start()
    try:
        done, _ = score(tmp_path, {"large": content}, ask, single=False, concurrency=2)
        content = b""
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done == {"large.out": b"y\n" * 60}
    assert len(seen) == 60
    # Two requests under way, one that is read, each with its records: far from the object's 30 MiB.
    assert peak < 8 * MIB


def test_after_a_failure_nothing_more_of_its_object_is_sent(tmp_path):
    asked = []

    def ask(body):
        asked.append(body)
        if body == b"bad":
            raise Refused("not a picture")
        return body

    done, failures = score(tmp_path, {"first": b"a\nbad\nc\nd", "second": b"e"}, ask)
    assert asked == [b"a", b"bad", b"e"]
    assert (done, failures) == ({"second.out": b"e\n"}, ["first: not a picture"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["second.out"]


def test_an_empty_object_has_an_empty_output(tmp_path):
    assert score(tmp_path, {"empty": b""}, upper) == ({"empty.out": b""}, [])


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        pytest.param({"MaxPayloadInMB": 0}, "name MaxPayloadInMB 0", id="chunks"),
        pytest.param(
            {"MaxConcurrentTransforms": "many"}, "name MaxConcurrentTransforms 'many'", id="no-number"
        ),
        pytest.param(
            {"BatchStrategy": "ALL"}, "name BatchStrategy 'ALL'; it must be MULTI_RECORD or", id="strategy"
        ),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_told(wishes, message):
    with pytest.raises(OptionError) as caught:
        read_options(Request({}, "Score"), wishes)
    assert message in str(caught.value)


def test_without_request_and_wishes_there_are_defaults():
    assert str(read_options(Request({}, "Score"), {})) == (
        "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    )
