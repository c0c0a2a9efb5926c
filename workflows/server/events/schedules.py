"""EventBridge Scheduler: schedules of the default group."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.server.errors import AwsError, validation
from workflows.server.events.clock import Clock
from workflows.server.events.expressions import Expression, ExpressionError, parse
from workflows.server.events.records import ANCHOR, CHECKED, DEFAULT, ENABLED, SCHEDULE, timestamp
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.shapes import Input, Output

_MOST_LISTED = 100
_NO_INSTANT = timedelta(milliseconds=1)


def create_schedule(machine: Machine, given: Input) -> Output:
    """CreateSchedule."""
    _check_group(given)
    record = _record(machine, given)
    name = str(given["Name"])
    if not machine.store.add(SCHEDULE, name, {**record, "CreationDate": record["LastModificationDate"]}):
        known = machine.store.find(SCHEDULE, name) or {}
        if "ClientToken" not in given or known.get("ClientToken") != given["ClientToken"]:
            raise AwsError("ConflictException", f"Schedule {name} already exists.", status=409)
    return {"ScheduleArn": record["Arn"]}


def update_schedule(machine: Machine, given: Input) -> Output:
    """UpdateSchedule: everything is replaced, with the default where nothing is given."""
    _check_group(given)
    record = _record(machine, given)
    name = str(given["Name"])
    change = {**record, "CreationDate": None}
    changed = machine.store.change(
        SCHEDULE, name, lambda known: {**change, "CreationDate": known["CreationDate"]}
    )
    if changed is None:
        raise _no_schedule(name)
    return {"ScheduleArn": record["Arn"]}


def get_schedule(machine: Machine, given: Input) -> Output:
    """GetSchedule."""
    _check_group(given)
    record = machine.store.find(SCHEDULE, str(given["Name"]))
    if record is None:
        raise _no_schedule(str(given["Name"]))
    return record


def delete_schedule(machine: Machine, given: Input) -> Output:
    """DeleteSchedule."""
    _check_group(given)
    if not machine.store.delete(SCHEDULE, str(given["Name"])):
        raise _no_schedule(str(given["Name"]))
    return {}


def list_schedules(machine: Machine, given: Input) -> Output:
    """ListSchedules."""
    _check_group(given)
    prefix, state = str(given.get("NamePrefix", "")), given.get("State")
    found = [
        _summary(record)
        for record in machine.store.all(SCHEDULE)
        if str(record["Name"]).startswith(prefix) and state in (None, record["State"])
    ]
    found.sort(key=lambda record: str(record["Name"]))
    schedules, token = page(found, given, default_size=_MOST_LISTED)
    return {"Schedules": [*schedules], "NextToken": token}


def get_schedule_group(machine: Machine, given: Input) -> Output:
    """GetScheduleGroup: there is one."""
    _check_group({"GroupName": given["Name"]})
    return _default_group(machine)


def list_schedule_groups(machine: Machine, given: Input) -> Output:
    """ListScheduleGroups."""
    shown = DEFAULT.startswith(str(given.get("NamePrefix", "")))
    return {"ScheduleGroups": [_default_group(machine)] if shown else []}


OPERATIONS: Mapping[str, Operation] = {
    "CreateSchedule": create_schedule,
    "DeleteSchedule": delete_schedule,
    "GetSchedule": get_schedule,
    "GetScheduleGroup": get_schedule_group,
    "ListScheduleGroups": list_schedule_groups,
    "ListSchedules": list_schedules,
    "UpdateSchedule": update_schedule,
}


def expression_of(schedule: Record) -> Expression:
    """When a schedule is due."""
    text, zone = str(schedule["ScheduleExpression"]), str(schedule["ScheduleExpressionTimezone"])
    anchor = datetime.fromisoformat(str(schedule.get("StartDate") or schedule[ANCHOR]))
    try:
        return parse(text, anchor=anchor, rate_begins_at_anchor=True, zone=zone)
    except ExpressionError as error:
        raise validation(f"Invalid Schedule Expression {text}. Reason: {error}") from None


def _record(machine: Machine, given: Input) -> Record:
    now = Clock(machine.store).now()
    name = str(given["Name"])
    record: Record = {
        **given,
        "Arn": f"arn:aws:scheduler:{machine.names.region}:{machine.names.account}:schedule/{DEFAULT}/{name}",
        "GroupName": DEFAULT,
        "State": given.get("State", ENABLED),
        "ScheduleExpressionTimezone": given.get("ScheduleExpressionTimezone", "UTC"),
        "ActionAfterCompletion": given.get("ActionAfterCompletion", "NONE"),
        "LastModificationDate": timestamp(now),
        ANCHOR: timestamp(now),
        # A rate without a start date is due at once.
        CHECKED: timestamp(now - _NO_INSTANT),
    }
    expression_of(record)
    _check_window(given)
    _check_dates(given)
    _check_target(given)
    return record


def _check_group(given: Input) -> None:
    group = given.get("GroupName", DEFAULT)
    if group != DEFAULT:
        raise AwsError("ResourceNotFoundException", f"Schedule group {group} does not exist.", status=404)


def _check_window(given: Input) -> None:
    # Whatever its window, a schedule fires at its beginning: that is within it.
    window = given["FlexibleTimeWindow"]
    flexible = isinstance(window, dict) and window["Mode"] == "FLEXIBLE"
    has_size = isinstance(window, dict) and "MaximumWindowInMinutes" in window
    if flexible != has_size:
        raise validation(
            "Invalid FlexibleTimeWindow: MaximumWindowInMinutes goes with Mode FLEXIBLE, and only with it."
        )


def _check_dates(given: Input) -> None:
    start, end = given.get("StartDate"), given.get("EndDate")
    if isinstance(start, str) and isinstance(end, str) and end <= start:
        raise validation("The StartDate you specify must come before the EndDate.")


def _check_target(given: Input) -> None:
    target = given["Target"]
    arn = str(target["Arn"]) if isinstance(target, dict) else ""
    if not arn.startswith("arn:"):
        raise validation(f"Provided Arn is not in correct format: {arn}")


def _summary(record: Record) -> dict[str, JSON]:
    keys = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate", "Target")
    return {key: record[key] for key in keys}


def _default_group(machine: Machine) -> dict[str, JSON]:
    arn = f"arn:aws:scheduler:{machine.names.region}:{machine.names.account}:schedule-group/{DEFAULT}"
    return {"Arn": arn, "Name": DEFAULT, "State": "ACTIVE"}


def _no_schedule(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.", status=404)
