"""Where the lines of a metric's chart run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 26
_TICKS = 5
_STEPS = (1, 2, 2.5, 5, 10)
_LARGEST = 1e100
# Of a chart's height to its values: less is noise of their last digits.
_LEAST_SPAN = 1e-9


@dataclass(frozen=True, kw_only=True)
class Line:
    """One training's values."""

    name: str
    path: str  # of SVG; a value that cannot be drawn leaves a gap
    points: Sequence[tuple[float, float]]
    last: float
    best: float
    best_epoch: int


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A metric per epoch; units are pixels at full size."""

    title: str
    lines: Sequence[Line]
    rows: Sequence[tuple[float, str]]  # y and label of a horizontal line
    columns: Sequence[tuple[float, str]]  # x and label of an epoch
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def chart(title: str, series: Mapping[str, Sequence[float]]) -> Chart | None:
    """The chart of one metric; None if no value of it can be drawn.

    Where all values lie between 0 and 1, the axis shows just that range, as `workflows plot` has it.

    Args:
        title: the metric.
        series: training step -> value of each epoch, from epoch 0.
    """
    drawn = {name: values for name, values in series.items() if any(map(_can_be_drawn, values))}
    if not drawn:
        return None
    shown = [value for values in drawn.values() for _, value in _shown(values)]
    ticks = _ticks(min(shown), max(shown))
    epochs = max(map(len, drawn.values()))

    def at(epoch: int, value: float) -> tuple[float, float]:
        across = epoch / max(1, epochs - 1)
        up = (value - ticks[0]) / (ticks[-1] - ticks[0])
        x = _LEFT + across * (WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM), 1)

    every = max(1, math.ceil(epochs / 10))
    return Chart(
        title=title,
        lines=[_line(name, values, [at(*pair) for pair in _shown(values)]) for name, values in drawn.items()],
        rows=[(at(0, tick)[1], f"{tick:.4g}") for tick in ticks],
        columns=[(at(epoch, ticks[0])[0], str(epoch)) for epoch in range(0, epochs, every)],
    )


def _can_be_drawn(value: float) -> bool:
    # A training that diverges prints numbers whose differences overflow.
    return abs(value) < _LARGEST


def _shown(values: Sequence[float]) -> list[tuple[int, float]]:
    return [(epoch, value) for epoch, value in enumerate(values) if _can_be_drawn(value)]


def _line(name: str, values: Sequence[float], points: Sequence[tuple[float, float]]) -> Line:
    pairs = _shown(values)
    pieces = []
    for index, ((epoch, _), (x, y)) in enumerate(zip(pairs, points, strict=True)):
        joined = index > 0 and pairs[index - 1][0] == epoch - 1
        pieces.append(f"{'L' if joined else 'M'}{x} {y}")
    # Of equal maxima the first counts: training longer did not help.
    best_epoch, best = max(pairs, key=lambda pair: (pair[1], -pair[0]))
    return Line(
        name=name,
        path=" ".join(pieces),
        points=points,
        last=pairs[-1][1],
        best=best,
        best_epoch=best_epoch,
    )


def _ticks(low: float, high: float) -> list[float]:
    if low >= 0 and high <= 1:
        return [0, 0.2, 0.4, 0.6, 0.8, 1]
    span = high - low if high - low > _LEAST_SPAN * max(1.0, abs(high)) else abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(factor * power for factor in _STEPS if factor * power * _TICKS >= span)
    first = math.floor(low / step)
    count = math.ceil(high / step) - first
    return [(first + index) * step for index in range(max(1, count) + 1)]
