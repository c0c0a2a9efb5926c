"""Random pipelines of steps that run no job, and what must come of them by a slow and obvious reckoning."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

WORK = "AutoML"  # a type that has no runner of its own; the one of these tests is in test_random_graphs
NAMES = {WORK: "Work", "Condition": "Condition", "Fail": "Fail"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One condition: a work step's number is above a threshold, or another condition's outcome is True."""

    step: str
    threshold: int
    negated: bool


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step; `side` is the condition and the outcome of the branch that it stands in."""

    name: str
    type: str  # WORK, Condition or Fail
    number: int = 0  # a work step's own value
    fails: bool = False
    waits_for: tuple[str, ...] = ()  # in DependsOn
    reads: tuple[str, ...] = ()  # by reference; the message of a Fail step, too
    tests: tuple[Check, ...] = ()
    side: tuple[str, bool] | None = None

    @property
    def needs(self):
        own = {self.side[0]} if self.side else set()
        return own | {*self.waits_for, *self.reads, *(test.step for test in self.tests)}


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run; `places` gives each its place in the document."""

    nodes: Mapping[str, Node]
    places: Mapping[str, int]

    def text(self) -> str:
        """The definition."""
        in_place = sorted(self.nodes.values(), key=lambda node: self.places[node.name])
        steps = [_step(node, in_place) for node in in_place if node.side is None]
        return json.dumps({"Version": "2020-12-01", "Steps": steps})


def _step(node, in_place):
    if node.type == "Fail":
        arguments = {"ErrorMessage": _join(node.name, *(_value_of(name) for name in node.reads))}
    elif node.type == "Condition":
        arguments = {"Conditions": [_condition(test) for test in node.tests]}
        for key, outcome in (("IfSteps", True), ("ElseSteps", False)):
            inside = [each for each in in_place if each.side == (node.name, outcome)]
            arguments[key] = [_step(each, in_place) for each in inside]
    else:
        arguments = {
            "Number": node.number,
            "Fails": node.fails,
            "Inputs": [_value_of(name) for name in node.reads],
            "Joined": _join(*(_value_of(name) for name in node.reads)),
        }
    return {"Name": node.name, "Type": node.type, "DependsOn": list(node.waits_for), "Arguments": arguments}


def _join(*values):
    return {"Std:Join": {"On": "+", "Values": list(values)}}


def _value_of(name):
    return {"Get": f"Steps.{name}.{'Outcome' if name.startswith('Condition') else 'Value'}"}


def _condition(test):
    if test.step.startswith("Condition"):
        plain = {"Type": "Equals", "LeftValue": _value_of(test.step), "RightValue": "True"}
    else:
        number = {"Get": f"Steps.{test.step}.Number"}
        plain = {"Type": "GreaterThan", "LeftValue": number, "RightValue": test.threshold}
    return {"Type": "Not", "Condition": plain} if test.negated else plain


@st.composite
def graphs(draw, *, failing: bool):
    """Graphs of 1 to 12 steps; with `failing`, some of them fail or are Fail steps."""
    nodes: dict[str, Node] = {}
    kinds = [WORK] * 4 + ["Condition"] * 2 + (["Fail"] if failing else [])
    for index in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(kinds))
        side = None if kind == "Condition" else draw(st.none() | st.sampled_from(_sides(nodes)))
        earlier = [node.name for node in nodes.values() if _may_refer(side, node)]
        some = st.lists(st.sampled_from(earlier), max_size=2, unique=True) if earlier else st.just([])
        node = Node(
            name=f"{NAMES[kind]}{index}",
            type=kind,
            number=draw(st.integers(0, 9)),
            fails=failing and kind == WORK and draw(st.integers(0, 5)) == 0,
            waits_for=tuple(draw(some)),
            reads=tuple(draw(some)) if kind != "Condition" else (),
            tests=tuple(_tests(draw, earlier)) if kind == "Condition" else (),
            side=side,
        )
        nodes[node.name] = node
    order = draw(st.permutations(list(nodes)))
    return Graph(nodes, {name: place for place, name in enumerate(order)})


def _sides(nodes):
    names = [node.name for node in nodes.values() if node.type == "Condition"]
    return [None, *((name, outcome) for name in names for outcome in (True, False))]


def _may_refer(side, other):
    opposite = side and other.side and side[0] == other.side[0] and side[1] != other.side[1]
    return other.type != "Fail" and not opposite


def _tests(draw, earlier):
    for step in draw(st.lists(st.sampled_from(earlier), max_size=2)) if earlier else ():
        yield Check(step=step, threshold=draw(st.integers(-1, 9)), negated=draw(st.booleans()))


@dataclass
class Reckoning:
    """Goes through a graph one step at a time, by hand."""

    graph: Graph
    values: dict[str, str] = field(default_factory=dict)  # of every step that has succeeded
    failures: list[str] = field(default_factory=list)  # what an execution may give as its reason

    def can_run(self) -> set[str]:
        """The steps that have not run, whose time has come and whose branch is taken."""
        return {
            name
            for name, node in self.graph.nodes.items()
            if name not in self.values
            and node.needs <= self.values.keys()
            and (node.side is None or self.values[node.side[0]] == str(node.side[1]))
        }

    def run(self, name: str) -> None:
        """Run one of them."""
        node = self.graph.nodes[name]
        inputs = [self.values[read] for read in node.reads]
        if node.type == "Fail":
            self.failures.append(f"Step failure: {name}: {'+'.join([name, *inputs])}")
        elif node.fails:
            self.failures.append(f"Step failure: {name}: {name} went wrong")
        elif node.type == "Condition":
            self.values[name] = str(all(self._holds(test) for test in node.tests))
        else:
            self.values[name] = value_of(name, inputs, "+".join(inputs))

    def run_all(self) -> dict[str, str]:
        """Run whatever can run, in any order, until nothing is left; the values of the steps that ran."""
        while ready := self.can_run():
            self.run(min(ready))
        return self.values

    def _holds(self, test: Check) -> bool:
        node = self.graph.nodes[test.step]
        plain = self.values[test.step] == "True" if node.type == "Condition" else node.number > test.threshold
        return plain is not test.negated


def value_of(name: str, inputs: Sequence[str], joined: str) -> str:
    """A work step's value: different as soon as anything that it was given is."""
    return hashlib.sha256(json.dumps([name, list(inputs), joined]).encode()).hexdigest()[:12]
