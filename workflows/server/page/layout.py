"""Where the steps of a pipeline stand in a drawing of its graph: in layers, each below what it needs.

The method is Sugiyama's: layers by the longest way, points on which long edges pass the layers between,
an order within each layer by the neighbours' mean positions, places as close to them as the order allows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

WIDTH, HEIGHT = 196, 46  # of a step
_GAP_X, _GAP_Y, _MARGIN = 20, 32, 6
_BEND_WIDTH = 12  # of a long edge that passes a layer
_SWEEPS = 6

_Item = tuple[str, str, int]  # a step: (name, "", 0); a bend: (from, to, layer)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A line from a step to one that needs it."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]  # from the source's lower side to the target's upper one


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A drawing; units are pixels at full size, the origin is top left."""

    width: float
    height: float
    places: Mapping[str, tuple[float, float]]  # step -> its top left corner
    edges: Sequence[Edge]


def lay_out(needs: Mapping[str, Iterable[str]]) -> Layout:
    """Place every step.

    Args:
        needs: step -> what it needs, in the order of the definition; without a circle. An edge that others
            imply is left out.
    """
    edges = _without_implied(needs)
    layers = _layers(needs)
    rows, links = _rows(needs, layers, edges)
    _order(rows, links)
    centres = _centres(rows, links)
    left = min((centres[item] - _width(item) / 2 for row in rows for item in row), default=0) - _MARGIN
    right = max((centres[item] + _width(item) / 2 for row in rows for item in row), default=0) + _MARGIN
    return Layout(
        width=right - left,
        height=2 * _MARGIN + len(rows) * HEIGHT + max(0, len(rows) - 1) * _GAP_Y,
        places={
            name: (centres[_step(name)] - WIDTH / 2 - left, _top(layer)) for name, layer in layers.items()
        },
        edges=[
            Edge(source=source, target=target, points=_points(source, target, layers, centres, left))
            for source, target in edges
        ],
    )


def _step(name: str) -> _Item:
    return (name, "", 0)


def _top(layer: int) -> float:
    return _MARGIN + layer * (HEIGHT + _GAP_Y)


def _width(item: _Item) -> float:
    return _BEND_WIDTH if item[1] else WIDTH


def _without_implied(needs: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    before: dict[str, frozenset[str]] = {}
    for name in TopologicalSorter(needs).static_order():
        direct = frozenset(needs[name])
        before[name] = direct.union(*(before[need] for need in direct))
    return [
        (need, name)
        for name, direct in needs.items()
        for need in sorted(direct)
        if not any(need in before[other] for other in direct)
    ]


def _layers(needs: Mapping[str, Iterable[str]]) -> dict[str, int]:
    layers: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        layers[name] = max((layers[need] + 1 for need in needs[name]), default=0)
    return layers


def _rows(
    needs: Mapping[str, Iterable[str]], layers: Mapping[str, int], edges: Iterable[tuple[str, str]]
) -> tuple[list[list[_Item]], list[tuple[_Item, _Item]]]:
    """What stands in each layer, and the links between neighbouring layers."""
    rows: list[list[_Item]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name in needs:
        rows[layers[name]].append(_step(name))
    links = []
    for source, target in edges:
        bends: list[_Item] = [(source, target, at) for at in range(layers[source] + 1, layers[target])]
        for bend in bends:
            rows[bend[2]].append(bend)
        links += list(pairwise([_step(source), *bends, _step(target)]))
    return rows, links


def _order(rows: list[list[_Item]], links: Iterable[tuple[_Item, _Item]]) -> None:
    """Sort each row by where its neighbours stand, downwards and upwards in turn."""
    above, below = _neighbours(links)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for row in rows if downwards else rows[::-1]:
            positions = {item: float(index) for other in rows for index, item in enumerate(other)}
            keys = {item: _mean(neighbours.get(item, ()), positions, positions[item]) for item in row}
            row.sort(key=keys.__getitem__)


def _neighbours(
    links: Iterable[tuple[_Item, _Item]],
) -> tuple[dict[_Item, list[_Item]], dict[_Item, list[_Item]]]:
    above: dict[_Item, list[_Item]] = {}
    below: dict[_Item, list[_Item]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    return above, below


def _mean(items: Sequence[_Item], positions: Mapping[_Item, float], otherwise: float) -> float:
    return sum(positions[item] for item in items) / len(items) if items else otherwise


def _centres(rows: Sequence[Sequence[_Item]], links: Iterable[tuple[_Item, _Item]]) -> dict[_Item, float]:
    above, below = _neighbours(links)
    centres: dict[_Item, float] = {}
    for row in rows:
        centres |= _spread(row, dict.fromkeys(row, 0.0))
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {item: _mean(neighbours.get(item, ()), centres, centres[item]) for item in row}
            centres |= _spread(row, wanted)
    return centres


def _spread(row: Sequence[_Item], wanted: Mapping[_Item, float]) -> dict[_Item, float]:
    """Places near the wanted ones, in order and apart: between those pushed right and those pushed left."""
    rightwards = _pushed(row, wanted, 1)
    leftwards = _pushed(row[::-1], wanted, -1)
    return {item: (rightwards[item] + leftwards[item]) / 2 for item in row}


def _pushed(row: Sequence[_Item], wanted: Mapping[_Item, float], direction: int) -> dict[_Item, float]:
    placed: dict[_Item, float] = {}
    before: _Item | None = None
    for item in row:
        place = wanted[item] * direction
        if before is not None:
            place = max(place, placed[before] + (_width(before) + _width(item)) / 2 + _GAP_X)
        placed[item], before = place, item
    return {item: place * direction for item, place in placed.items()}


def _points(
    source: str,
    target: str,
    layers: Mapping[str, int],
    centres: Mapping[_Item, float],
    left: float,
) -> tuple[tuple[float, float], ...]:
    start, end = centres[_step(source)] - left, centres[_step(target)] - left
    points = [(start, _top(layers[source]) + HEIGHT)]
    for layer in range(layers[source] + 1, layers[target]):
        x = centres[source, target, layer] - left
        points += [(x, _top(layer)), (x, _top(layer) + HEIGHT)]
    return (*points, (end, _top(layers[target])))
