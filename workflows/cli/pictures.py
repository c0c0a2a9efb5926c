"""The pictures of an execution: a chart for each metric, and what its jobs drew."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from workflows.aws import executions, metrics, objects
from workflows.cli.place import Connection
from workflows.definition.records import Record, at, last_part, objects_of

_CHARTED = "validation:"


def draw_pictures(place: Connection, arn: str, steps: list[Record]) -> list[Path]:
    """Draw the charts, and fetch the PNG files among the jobs' outputs; returns the paths of all."""
    folder = place.pictures / last_part(arn)
    found = metrics.series(place.clients, steps, prefix=_CHARTED)
    return [*draw_charts(folder, found), *_fetch_drawn(place, folder, steps)]


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


def _fetch_drawn(place: Connection, folder: Path, steps: list[Record]) -> Iterator[Path]:
    for step, job in executions.made_by_step(place.clients, steps, "ProcessingJob"):
        for output in objects_of(at(job, "ProcessingOutputConfig", "Outputs")):
            for uri in objects.keys(place.clients, str(at(output, "S3Output", "S3Uri"))):
                if uri.endswith(".png"):
                    path = folder / step / PurePosixPath(uri).name
                    objects.download(place.clients, uri, path)
                    yield path
