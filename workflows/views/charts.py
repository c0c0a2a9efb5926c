"""Metrics over the epochs of a training."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from workflows.views.errors import ViewError
from workflows.views.files import written_whole

_SIZE_INCHES = (8.0, 5.0)
_DOTS_PER_INCH = 120


def metric_chart(series: Mapping[str, Sequence[float]], *, title: str, output: Path) -> None:
    """Write a PNG file with one line per metric; see :func:`metric_figure`.

    Raises:
        ViewError: nothing to draw, or the file cannot be written.
    """
    figure = metric_figure(series, title=title)
    with written_whole(output, suffixes=[".png"]) as partial:
        figure.savefig(partial, dpi=_DOTS_PER_INCH)


def metric_figure(series: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """Draw one line per metric over the epochs, its maximum marked and written into the legend.

    Where all values lie between 0 and 1, as those of mAP and accuracy do, the axis shows just that range
    with a line at each tenth, so that charts of different trainings compare at a glance.

    Args:
        series: name -> value of each epoch, from epoch 0. Values that are not finite leave a gap.
        title: stands above the chart.

    Raises:
        ViewError: there is no series, or one has no finite value.
    """
    if not series:
        raise ViewError("chart: there is no metric to draw")
    # Made without pyplot, whose current figure and backend belong to the whole process.
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in series.items():
        _draw_series(axes, name, values)
    _scale(axes, [value for values in series.values() for value in values if math.isfinite(value)])
    axes.set_title(_plain(title))
    axes.set_xlabel("epoch")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="best")
    return figure


def _draw_series(axes: Axes, name: str, values: Sequence[float]) -> None:
    finite = [(value, -epoch) for epoch, value in enumerate(values) if math.isfinite(value)]
    if not finite:
        raise ViewError(f"chart: '{name}' has no value that can be drawn")
    # Of equal maxima the first counts: training longer did not help.
    best, epoch = max(finite)[0], -max(finite)[1]
    drawn = [value if math.isfinite(value) else math.nan for value in values]
    (line,) = axes.plot(
        range(len(values)),
        drawn,
        marker=".",
        label=f"{_legend_name(name)} (maximum {best:.4g} at epoch {epoch})",
    )
    axes.plot([epoch], [best], marker="o", markersize=10, fillstyle="none", color=line.get_color())


def _scale(axes: Axes, values: Sequence[float]) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if all(0 <= value <= 1 for value in values):
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_locator(MultipleLocator(0.1))


def _legend_name(name: str) -> str:
    # matplotlib leaves names that begin with an underscore out of the legend.
    return _plain(f" {name}" if name.startswith("_") else name)


def _plain(text: str) -> str:
    """Text as it is: matplotlib would take what stands between dollar signs for a formula."""
    return text.replace("$", r"\$")
