"""The pictures of an execution: a chart for each metric, and what its jobs drew."""

from collections.abc import Mapping
from pathlib import Path

from workflows.aws import metrics
from workflows.aws.pictures import drawn
from workflows.cli.place import Connection
from workflows.definition.records import Record, last_part

_CHARTED = "validation:"


def draw_pictures(place: Connection, arn: str, steps: list[Record]) -> list[Path]:
    """Draw the charts, and fetch the PNG files among the jobs' outputs; returns the paths of all."""
    folder = place.pictures / last_part(arn)
    found = metrics.series(place.clients, steps, prefix=_CHARTED)
    return [*draw_charts(folder, found), *drawn(place.clients, steps, folder)]


def draw_charts(folder: Path, found: Mapping[str, Mapping[str, list[float]]]) -> list[Path]:
    """A chart of each metric, epoch by epoch, into a folder; returns their paths.

    Args:
        folder: where the charts are put.
        found: metric -> step -> its values.
    """
    charts = []
    for metric, series in found.items():
        from workflows.views.charts import metric_chart  # takes half a second, and most commands draw nothing

        path = folder / f"{metric.replace(':', '-')}.png"
        metric_chart(series, title=f"{metric} per epoch", output=path)
        charts.append(path)
    return charts
