"""`workflows schedule`, `schedules` and `unschedule`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import click

from workflows.aws import pipelines, schedules
from workflows.aws.schedules import Schedule
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import json_option, parse_assignments, print_json, print_table, say, set_option
from workflows.cli.place import connect, on_option
from workflows.definition.errors import WorkflowError
from workflows.definition.loader import load
from workflows.definition.parameters import bind
from workflows.definition.records import Record
from workflows.server.events.expressions import Expression, ExpressionError, parse

# A training that starts more often than this is a mistake, and an expensive one.
_SHORTEST = timedelta(hours=1)
_HORIZON = timedelta(days=5 * 366)
_SHOWN = 3


@click.command("schedule")
@click.argument("pipeline")
@click.option("--cron", metavar="FIELDS", help="Such as '0 3 ? * SUN *': minute hour day month weekday year.")
@click.option("--rate", metavar="PERIOD", help="Such as '7 days'.")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of --cron, such as Europe/Berlin.")
@click.option("--name", help="Of the schedule; the pipeline's if not given.")
@click.option("--role", help="That the Scheduler takes; the setting `scheduler_role` if not given.")
@set_option
@click.option("--dry-run", is_flag=True, help="Say when it would start, and create nothing.")
@on_option
@json_option
def schedule_command(
    pipeline: str,
    cron: str | None,
    rate: str | None,
    zone: str,
    name: str | None,
    role: str | None,
    assignments: tuple[str, ...],
    dry_run: bool,
    on: str | None,
    as_json: bool,
) -> None:
    """Start a pipeline again and again, with parameters that stay the same.

    On this machine schedules fire while `workflows serve` runs; `workflows clock advance` moves its time on.
    """
    if (cron is None) == (rate is None):
        raise click.UsageError("give either --cron or --rate")
    expression = f"cron({cron})" if cron is not None else f"rate({rate})"
    times = upcoming(expression, zone=zone)
    given = parse_assignments(assignments)
    with connect(on) as place:
        # A rate goes on from where it has begun: to repeat the command postpones nothing.
        begun = schedules.begun(place.clients, name or pipeline, expression)
        times = upcoming(expression, zone=zone, begun=begun) if begun else times
        record = pipelines.get(place.clients, pipeline)
        definition = str(record["PipelineDefinition"])
        preflight_or_refuse(definition, given, place.settings, is_local=place.is_near)
        bind(load(definition, source=pipeline, from_s3=True), given)
        wanted = Schedule(
            name=name or pipeline,
            pipeline_arn=str(record["PipelineArn"]),
            expression=expression,
            zone=zone,
            role=role or place.settings["scheduler_role"] or place.role,
            parameters=given,
            first=times[0] if rate is not None else None,
        )
        arn = None if dry_run else schedules.put(place.clients, wanted)
    starts = [moment.isoformat().replace("+00:00", "Z") for moment in times]
    if as_json:
        print_json({"ScheduleArn": arn, "ScheduleExpression": expression, "NextStarts": starts})
        return
    click.echo(f"{wanted.name}: {expression}{f' {zone}' if cron else ''} starts {pipeline}")
    for start in starts:
        click.echo(f"  {start}")
    if place.is_local and not dry_run:
        say("TIP   schedules of this machine fire while `workflows serve` runs")


@click.command("schedules")
@on_option
@json_option
def schedules_command(on: str | None, as_json: bool) -> None:
    """The schedules that start pipelines."""
    with connect(on) as place:
        found = schedules.listed(place.clients)
    if as_json:
        print_json(found)
        return
    head = ("SCHEDULE", "PIPELINE", "WHEN", "STATE", "PARAMETERS")
    print_table([_row(entry) for entry in found], head=head)


@click.command("unschedule")
@click.argument("name")
@on_option
@json_option
def unschedule_command(name: str, on: str | None, as_json: bool) -> None:
    """Delete a schedule; what it has started goes on."""
    with connect(on) as place:
        schedules.delete(place.clients, name)
    if as_json:
        print_json({"Name": name, "deleted": True})
    else:
        click.echo(f"deleted schedule {name}")


def upcoming(
    expression: str, *, zone: str, now: datetime | None = None, begun: datetime | None = None
) -> list[datetime]:
    """The next times at which a schedule is due.

    Args:
        expression: cron(...) or rate(...).
        zone: of cron.
        now: None is this moment.
        begun: from when a rate counts; None: from now, and it is due a period later for the first time.

    Raises:
        WorkflowError: it is none, is never due, or is due so often that it must be a mistake.
    """
    start = now or datetime.now(UTC).replace(microsecond=0)
    try:
        parsed = parse(expression, anchor=begun or start, rate_begins_at_anchor=begun is not None, zone=zone)
    except ExpressionError as error:
        raise WorkflowError(f"{error}") from None
    found = list(_due(parsed, start))
    if not found:
        years = _HORIZON.days // 366
        raise WorkflowError(f"{expression} is not due within {years} years: nothing would start")
    for one, other in pairwise(found):
        if other - one < _SHORTEST:
            raise WorkflowError(
                f"{expression} is due at {one:%H:%M} and again at {other:%H:%M}: each time a whole training "
                "starts. Less than an hour apart is refused"
            )
    return found


def _due(parsed: Expression, start: datetime) -> Iterator[datetime]:
    """The first few moments after a start, each found by halving the time in which it must be."""
    after, end = start, start + _HORIZON
    for _ in range(_SHOWN):
        if not parsed.is_due_again(after, end):
            return
        low, high = after, end
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            if parsed.is_due_again(after, middle):
                high = middle
            else:
                low = middle
        moment = parsed.last_due(after, high) or high
        yield moment
        after = moment


def _row(entry: Record) -> tuple[str, ...]:
    values = schedules.parameters_of(entry)
    return (
        str(entry["Name"]),
        schedules.pipeline_of(entry),
        f"{entry['ScheduleExpression']} {entry.get('ScheduleExpressionTimezone', '')}".rstrip(),
        str(entry.get("State", "")),
        ", ".join(f"{name}={value}" for name, value in values.items()),
    )
