"""`workflows logs` and `workflows metrics`."""

import json
import math
import time
from collections.abc import Mapping, Sequence

import click

from workflows.aws import executions, metrics
from workflows.aws.errors import NotFound
from workflows.aws.logs import Line, StepLog
from workflows.cli.common import json_option, print_json, print_table
from workflows.cli.pictures import draw_charts
from workflows.cli.place import Connection, connect, on_option
from workflows.cli.summary import step_types
from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part

_LOOK_EVERY_S = {True: 0.3, False: 5.0}  # asked of this machine, of AWS


@click.command("logs")
@click.argument("execution")
@click.argument("step")
@click.option("--follow", "-f", is_flag=True, help="Go on until the step has ended.")
@on_option
@json_option
def logs_command(execution: str, step: str, follow: bool, on: str | None, as_json: bool) -> None:
    """What a step's job has written, out of CloudWatch Logs.

    EXECUTION is an id, an ARN or `latest`. With --json every line is a JSON object of its own.
    """
    with connect(on) as place:
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        log, found = StepLog(place.clients), _begun(place, arn, step, follow=follow)
        while follow and _works(found):
            _print(log.read(found), as_json=as_json)
            time.sleep(_LOOK_EVERY_S[place.is_near])
            found = _find(place, arn, step) or found
        _print(log.read(found, last=True), as_json=as_json)
    if log.job is None:
        raise WorkflowError(f"step '{step}' has made no job that writes a log")


@click.command("metrics")
@click.argument("execution", default="latest")
@on_option
@json_option
def metrics_command(execution: str, on: str | None, as_json: bool) -> None:
    """Validation metrics per epoch, out of the training jobs' logs: a chart, the values, the best of each.

    EXECUTION is an id, an ARN or `latest`.
    """
    with connect(on) as place:
        arn = str(executions.find(place.clients, execution)["PipelineExecutionArn"])
        steps = executions.steps(place.clients, arn)
        found = metrics.series(place.clients, steps, prefix="validation:")
        if not found:
            raise WorkflowError(f"execution {last_part(arn)} has published no validation metrics yet")
        charts = draw_charts(place.pictures / last_part(arn), found)
    if as_json:
        series: list[JSON] = [
            {
                "MetricName": metric,
                "StepName": step,
                "Values": [value if math.isfinite(value) else None for value in values],
                "Maximum": _best(values)[0],
            }
            for metric, by_step in found.items()
            for step, values in by_step.items()
        ]
        print_json({"Series": series, "Charts": [str(path) for path in charts]})
        return
    for metric, by_step in found.items():
        _print_series(metric, by_step)
    for path in charts:
        click.echo(str(path))


def _print_series(metric: str, by_step: Mapping[str, list[float]]) -> None:
    epochs = max(map(len, by_step.values()))
    rows = [(str(epoch), *(_value(values, epoch) for values in by_step.values())) for epoch in range(epochs)]
    print_table(rows, head=("EPOCH", *(f"{step} {metric}" for step in by_step)))
    for step, values in by_step.items():
        best, epoch = _best(values)
        found = "none" if best is None else f"{best:.4f} in epoch {epoch}"
        click.echo(f"maximum {metric} of {step}: {found}")


def _best(values: list[float]) -> tuple[float | None, int]:
    """The largest value and its epoch; None where a training has diverged and there is no number."""
    found = [(value, -epoch) for epoch, value in enumerate(values) if math.isfinite(value)]
    best, epoch = max(found, default=(None, 0))
    return best, -epoch


def _value(values: list[float], epoch: int) -> str:
    return f"{values[epoch]:.4f}" if epoch < len(values) else ""


def _begun(place: Connection, arn: str, name: str, *, follow: bool) -> Record:
    """A step that has started; with `follow` it is waited for while its execution goes on.

    Raises:
        NotFound: there is none, or it has not started.
    """
    known = step_types(place, arn)
    if name not in known:
        raise NotFound(f"execution {last_part(arn)} has no step '{name}'{did_you_mean(name, list(known))}")
    while True:
        goes_on = executions.describe(place.clients, arn)["PipelineExecutionStatus"] in executions.GOING_ON
        found = _find(place, arn, name)
        if found is not None:
            return found
        if not (follow and goes_on):
            raise NotFound(f"step '{name}' has not started in execution {last_part(arn)}")
        time.sleep(_LOOK_EVERY_S[place.is_near])


def _find(place: Connection, arn: str, name: str) -> Record | None:
    """The latest run of a step."""
    runs = [step for step in executions.steps(place.clients, arn) if step["StepName"] == name]
    return runs[-1] if runs else None


def _works(step: Record) -> bool:
    return step["StepStatus"] in ("Starting", "Executing", "Stopping")


def _print(lines: Sequence[Line], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            entry = {"stream": line.stream, "timestamp": line.time_ms, "message": line.text}
            click.echo(json.dumps(entry))
        else:
            click.echo(line.text)
