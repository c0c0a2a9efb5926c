"""`workflows diff` and `workflows versions`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import click

from workflows.aws import executions
from workflows.aws import pipelines as cloud
from workflows.cli.common import (
    find_execution,
    json_option,
    open_store,
    print_json,
    print_table,
)
from workflows.cli.executions import check_pipeline
from workflows.cli.place import Connection, connect, on_option
from workflows.cli.values import ABSENT, brief, brief_change
from workflows.definition.differences import Change
from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part, objects_of, package_name
from workflows.local.comparison import Comparison, Metric, Side, StepState, compare

# Rows of one sort in the table of differences; --json has all of them.
_MOST_ROWS = 20
_Row = tuple[str, str, str, str, str]


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
def diff_command(before: str, after: str, as_json: bool) -> None:
    """What differs between two executions: definition, parameters, steps, metrics, model versions.

    A and B are ids, ARNs or `latest`; executions of different pipelines can be compared, too.
    """
    store = open_store()
    comparison = compare(store, find_execution(store, before)[0], find_execution(store, after)[0])
    if as_json:
        print_json(_comparison_record(comparison))
        return
    sides = (comparison.before, comparison.after)
    print_table(
        [_side_row(side) for side in sides],
        head=("EXECUTION", "PIPELINE", "VERSION", "STATUS", "STARTED", "SECONDS"),
    )
    click.echo()
    if comparison.before.pipeline != comparison.after.pipeline:
        click.echo("These are executions of different pipelines; their steps are matched by name.")
    if not comparison.differs:
        click.echo("Nothing differs but the time.")
        return
    rows = [row for section in _sections(comparison) for row in _limited(section)]
    print_table(rows, head=("WHAT", "NAME", sides[0].id, sides[1].id, "DIFFERENCE"))


@click.command("versions")
@click.argument("pipeline")
@on_option
@json_option
def versions_command(pipeline: str, on: str | None, as_json: bool) -> None:
    """The versions of a pipeline, oldest first, with the last execution of each."""
    with connect(on) as place:
        check_pipeline(place, pipeline)
        found = [_version_row(place, pipeline, entry) for entry in cloud.versions(place.clients, pipeline)]
    if as_json:
        print_json(found)
        return
    print_table(
        [
            (
                str(entry["PipelineVersionId"]),
                str(entry["CreationTime"]),
                str(len(objects_of(entry["Steps"]))),
                last_part(entry.get("LastExecutionPipelineExecutionArn", "")),
            )
            for entry in found
        ],
        head=("VERSION", "CREATED", "STEPS", "LAST EXECUTION"),
    )


def _version_row(place: Connection, pipeline: str, entry: Record) -> Record:
    number = entry["PipelineVersionId"]
    described = cloud.get(place.clients, pipeline, version=number if isinstance(number, int) else 1)
    document = json.loads(str(described["PipelineDefinition"]))
    steps: list[JSON] = [
        {"Name": step["Name"], "Type": step["Type"]} for step in executions.definition_steps(document)
    ]
    return {**entry, "Steps": steps}


def _side_row(side: Side) -> tuple[str, ...]:
    return (
        side.id,
        side.pipeline,
        str(side.version),
        side.status,
        side.started,
        f"{side.seconds:.1f}",
    )


def _sections(comparison: Comparison) -> Iterator[list[_Row]]:
    yield [_change_row("execution", change) for change in comparison.execution]
    yield [_change_row("definition", change) for change in comparison.definition]
    yield [_change_row("parameter", change) for change in comparison.parameters]
    yield [
        ("step", pair.step, _state(pair.before), _state(pair.after), "")
        for pair in comparison.steps
        if pair.differs
    ]
    yield [_metric_row(metric) for metric in comparison.metrics if metric.differs]
    yield [
        ("model", package.step, _version(package.before), _version(package.after), "")
        for package in comparison.packages
        if package.differs
    ]


def _limited(rows: Sequence[_Row]) -> Iterator[_Row]:
    yield from islice(rows, _MOST_ROWS)
    if len(rows) > _MOST_ROWS:
        yield rows[0][0], f"… {len(rows) - _MOST_ROWS} more: see --json", "", "", ""


def _change_row(what: str, change: Change) -> _Row:
    before, after = brief_change(change.before, change.after)
    return what, brief(change.field), before, after, ""


def _metric_row(metric: Metric) -> _Row:
    difference = metric.difference
    return (
        "metric",
        f"{metric.step} {metric.name}",
        _figure(metric.before),
        _figure(metric.after),
        "" if difference is None else f"{difference:+.6g}",
    )


def _figure(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.6g}"


def _state(state: StepState | None) -> str:
    if state is None:
        return ABSENT
    seconds = f" {state.seconds:.1f} s" if state.seconds is not None else ""
    how = f", from execution {state.source}" if state.source else seconds
    tries = f" ({state.attempts} attempts)" if state.attempts > 1 else ""
    return f"{state.status}{how}{tries}"


def _version(package: Record | None) -> str:
    if package is None:
        return ABSENT
    return f"{package_name(str(package['ModelPackageArn']))} {package['ModelApprovalStatus']}"


def _comparison_record(comparison: Comparison) -> Record:
    return {
        "Before": comparison.before.record(),
        "After": comparison.after.record(),
        "Differs": comparison.differs,
        "Execution": _changes(comparison.execution),
        "Definition": _changes(comparison.definition),
        "Parameters": _changes(comparison.parameters),
        "Steps": [
            {
                "StepName": pair.step,
                "Before": pair.before.record() if pair.before else None,
                "After": pair.after.record() if pair.after else None,
            }
            for pair in comparison.steps
        ],
        "Metrics": [
            {
                "StepName": metric.step,
                "MetricName": metric.name,
                "Before": metric.before,
                "After": metric.after,
                "Difference": metric.difference,
            }
            for metric in comparison.metrics
        ],
        "ModelPackages": [
            {"StepName": package.step, "Before": package.before, "After": package.after}
            for package in comparison.packages
        ],
    }


def _changes(changes: Iterable[Change]) -> list[JSON]:
    return [{"Field": change.field, "Before": change.before, "After": change.after} for change in changes]
