"""The pictures of an execution: a chart for each metric, and what its jobs drew."""

from pathlib import Path

from workflows.local.images import ImageTable
from workflows.local.metrics import MetricPatterns
from workflows.local.records import Record
from workflows.local.request import Request
from workflows.local.resources import made_by_step, objects_of
from workflows.local.store import Store

_CHARTED = "validation:"


def draw_pictures(store: Store, execution_id: str, steps: list[Record], *, images: ImageTable) -> list[Path]:
    """Draw the charts; returns their paths and those of the PNG files among the jobs' outputs."""
    folder = store.home / "pictures" / execution_id
    charts = []
    for metric, series in _series(store, execution_id, steps, images).items():
        from workflows.views.charts import metric_chart  # takes half a second, and most commands draw nothing

        path = folder / f"{metric.replace(':', '-')}.png"
        metric_chart(series, title=f"{metric} per epoch", output=path)
        charts.append(path)
    return charts + _drawn_by_jobs(store, steps)


def _series(
    store: Store, execution_id: str, steps: list[Record], images: ImageTable
) -> dict[str, dict[str, list[float]]]:
    """Metric -> step -> its values, from the logs of the training jobs."""
    found: dict[str, dict[str, list[float]]] = {}
    ran_in = {str(record["StepName"]): source for record in steps if (source := _source(record))}
    for step, job in made_by_step(store, steps, "TrainingJob"):
        request = Request(job, step)
        stand_in = images.find(request.text("AlgorithmSpecification.TrainingImage"))
        patterns = MetricPatterns(request, stand_in.metrics if stand_in else {})
        log = store.home / "runs" / ran_in.get(step, execution_id) / step / "log.txt"
        for name, values in patterns.series(log).items() if log.is_file() else ():
            if name.startswith(_CHARTED):
                found.setdefault(name, {})[step] = values
    return found


def _source(step: Record) -> str | None:
    """The execution whose work stands for a step: through the cache, or because it was not selected."""
    for key in ("CacheHitResult", "SelectiveExecutionResult"):
        result = step.get(key)
        if isinstance(result, dict):
            return str(result["SourcePipelineExecutionArn"]).rpartition("/")[2]
    return None


def _drawn_by_jobs(store: Store, steps: list[Record]) -> list[Path]:
    return [
        path
        for _, job in made_by_step(store, steps, "ProcessingJob")
        for output in objects_of(Request(job, "job").find("ProcessingOutputConfig.Outputs"))
        for location, path in store.objects.keys(f"{Request(output, 'output').text('S3Output.S3Uri')}/")
        if location.key.endswith(".png")
    ]
