"""Pages of records against a slow and obvious sort of all of them."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.local.store import Store, Write
from workflows.local.windows import Window

TIMES = ["", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.001Z", "2026-02-01T00:00:00.000Z"]
NAMES = [f"n{number}" for number in range(9)]


def status_of(name):
    return "Failed" if name in NAMES[::3] else "Completed"


@st.composite
def stored(draw):
    """Records in the order of their creation: kind, name, parent, time."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    kinds, parents = st.sampled_from(["execution", "step"]), st.sampled_from(["a", "b"])
    return [(draw(kinds), name, draw(parents), draw(st.sampled_from(TIMES))) for name in names]


@st.composite
def windows(draw):
    return Window(
        kind="execution",
        parent=draw(st.sampled_from([None, "a", "b", "c"])),
        order=draw(st.sampled_from(["creation", "name"])),
        descending=draw(st.booleans()),
        after=draw(st.sampled_from([None, *TIMES])),
        before=draw(st.sampled_from([None, *TIMES])),
        containing=draw(st.sampled_from([None, "n", "1", "n3", "3n"])),
        status=draw(st.sampled_from([None, "Failed", "Completed", "Stopped"])),
        limit=draw(st.integers(1, 4)),
    )


def sorted_names(records, window):
    rows = [
        (name if window.order == "name" else time, number, name)
        for number, (kind, name, parent, time) in enumerate(records)
        if kind == window.kind
        and window.parent in (None, parent)
        and (window.after is None or time > window.after)
        and (window.before is None or time < window.before)
        and (window.containing is None or window.containing in name)
        and window.status in (None, status_of(name))
    ]
    return [name for *_, name in sorted(rows, reverse=window.descending)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("windows"))


def fill(store, records):
    store.delete_all([(kind, name) for kind in ("execution", "step") for name in NAMES])
    timed = [
        Write(
            kind=kind,
            name=name,
            body={"Name": name, "TrainingJobStatus": status_of(name)}
            | ({"CreationTime": time} if time else {}),
            parent=parent,
        )
        for kind, name, parent, time in records
    ]
    store.write(*timed)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(records=stored(), window=windows())
def test_pages_one_after_the_other_are_the_sorted_records(store, records, window):
    fill(store, records)
    found, rows = [], None
    while rows is None or len(rows) == window.limit:
        rows = store.page(window)
        found += [record["Name"] for _, record in rows]
        window = replace(window, beyond=rows[-1][0]) if rows else window
    assert found == sorted_names(records, replace(window, beyond=None))


def test_what_comes_and_goes_between_two_pages_moves_nothing_else(store):
    fill(store, [("execution", name, "a", TIMES[1]) for name in NAMES[:4]])
    window = Window(kind="execution", parent="a", descending=True, limit=2)
    first = store.page(window)
    assert [record["Name"] for _, record in first] == ["n3", "n2"]
    store.put("execution", "n8", {"Name": "n8", "CreationTime": TIMES[3]}, parent="a")
    store.delete("execution", "n2")
    second = store.page(Window(kind="execution", parent="a", descending=True, limit=2, beyond=first[-1][0]))
    assert [record["Name"] for _, record in second] == ["n1", "n0"]


def test_a_record_that_sqlite_cannot_read_has_no_time(store):
    fill(store, [])
    store.put("execution", "n0", {"Name": "n0", "CreationTime": TIMES[1], "Value": float("nan")})
    store.put("execution", "n1", {"Name": "n1", "CreationTime": TIMES[1]})
    found = store.page(Window(kind="execution", limit=9))
    assert [record["Name"] for _, record in found] == ["n0", "n1"]


@pytest.mark.parametrize(
    "wanted",
    [pytest.param({"containing": "n1"}, id="name"), pytest.param({"status": "Failed"}, id="status")],
)
def test_what_is_filtered_is_found_by_indexes_alone(store, wanted):
    query, values = Window(kind="execution", limit=10, **wanted).select()
    with closing(sqlite3.connect(store.home / "records.sqlite")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert plan[0].startswith("SEARCH records USING INDEX by_creation")
    assert plan[1].startswith("LIST SUBQUERY")
    assert plan[2].startswith("SEARCH records USING")
    assert len(plan) == 3


@pytest.mark.parametrize(
    "window",
    [
        pytest.param({"parent": "a"}, id="of-a-parent"),
        pytest.param({}, id="of-a-kind"),
        pytest.param({"parent": "a", "before": TIMES[3], "after": TIMES[1]}, id="between"),
        pytest.param({"parent": "a", "order": "name"}, id="by-name"),
    ],
)
def test_no_page_sorts_or_reads_all_records(store, window):
    query, values = Window(kind="execution", descending=True, limit=10, beyond=("x", 5), **window).select()
    with closing(sqlite3.connect(store.home / "records.sqlite")) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert len(plan) == 1
    assert plan[0].startswith("SEARCH records USING INDEX")
