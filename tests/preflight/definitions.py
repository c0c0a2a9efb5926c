"""Definitions for checks: correct ones, and how one of them is changed at one place.

A place is a JSON pointer whose first part may stand for more: the name of a step, or $ and the name of a
parameter.
"""

import copy
import json
from pathlib import Path

from workflows.preflight.checking import Question, check
from workflows.preflight.context import Policy
from workflows.preflight.findings import Severity
from workflows.preflight.prices import read_prices

TESTS = Path(__file__).parents[1]
GOLDEN = sorted((TESTS / "golden").glob("*.json"))
CONFORMANCE = sorted((TESTS / "conformance" / "definitions").glob("*.json"))
PRICES = read_prices()
_ABSENT = object()


def golden(name):
    return json.loads((TESTS / "golden" / f"{name}.json").read_text())


def report(document, given=None, *, prices=PRICES, data=None, inspection=None, **policy):
    text = document if isinstance(document, str) else json.dumps(document)
    return check(
        Question(
            text=text,
            given=given or {},
            prices=prices,
            policy=Policy(**policy),
            data=data,
            inspection=inspection,
        )
    )


def findings(document, given=None, **policy):
    return report(document, given, **policy).findings


def errors(document, given=None, **policy):
    return [each for each in findings(document, given, **policy) if each.severity is Severity.ERROR]


def found(document, given=None, **policy):
    """Identifiers and pointers."""
    return [(each.identifier, each.pointer) for each in findings(document, given, **policy)]


def pointer(document, place):
    head, _, rest = place.partition("/")
    if head == "":
        return place
    if head.startswith("$"):
        names = [parameter["Name"] for parameter in document["Parameters"]]
        start = f"/Parameters/{names.index(head[1:])}"
    else:
        start = _step(document["Steps"], head, "/Steps")
    return f"{start}/{rest}" if rest else start


def _step(steps, name, at):
    for index, step in enumerate(steps):
        if step["Name"] == name:
            return f"{at}/{index}"
        for side in ("IfSteps", "ElseSteps"):
            inside = step["Arguments"].get(side, []) if step["Type"] == "Condition" else []
            found_inside = _step(inside, name, f"{at}/{index}/Arguments/{side}")
            if found_inside:
                return found_inside
    return None


def parts(text):
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def value_at(document, text):
    for part in parts(text):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def changed(document, place, value=_ABSENT):
    """A copy in which another value stands at a place; "-" as the last part appends; no value removes."""
    result = copy.deepcopy(document)
    *path, last = parts(pointer(result, place))
    target = result
    for part in path:
        target = target[int(part)] if isinstance(target, list) else target[part]
    if isinstance(target, list):
        if last == "-":
            target.append(value)
        elif value is _ABSENT:
            del target[int(last)]
        else:
            target[int(last)] = value
    elif value is _ABSENT:
        del target[last]
    else:
        target[last] = value
    return result


def removed(document, place):
    return changed(document, place)


def renamed(document, place, name):
    value = value_at(document, pointer(document, place))
    return changed(removed(document, place), f"{place.rpartition('/')[0]}/{name}", value)
