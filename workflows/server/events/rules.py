"""EventBridge rules: which events, or which times, start something."""

from collections.abc import Callable, Mapping
from datetime import datetime

from workflows.definition.records import Record
from workflows.local.store import Store
from workflows.server.errors import AwsError, validation
from workflows.server.events.clock import Clock
from workflows.server.events.expressions import At, Expression, ExpressionError, parse
from workflows.server.events.patterns import read_pattern
from workflows.server.events.records import ANCHOR, CHECKED, DEFAULT, DISABLED, ENABLED, RULE, timestamp
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.shapes import Input, Output

TARGETS = "Targets"
_SETTABLE = ("EventPattern", "ScheduleExpression", "Description", "RoleArn")
_MOST_LISTED = 100


def put_rule(machine: Machine, given: Input) -> Output:
    """PutRule: create a rule, or replace what it says; its targets stay."""
    check_bus(machine, given)
    pattern, schedule = given.get("EventPattern"), given.get("ScheduleExpression")
    if not pattern and not schedule:
        raise validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern:
        read_pattern(str(pattern))
    time = timestamp(Clock(machine.store).now())
    if schedule:
        _expression(str(schedule), time)
    name = str(given["Name"])
    fresh: Record = {
        "Name": name,
        "Arn": _arn(machine, name),
        "State": given.get("State", ENABLED),
        "EventBusName": DEFAULT,
        "CreatedBy": machine.names.account,
        TARGETS: [],
        ANCHOR: time,
        CHECKED: time,
        **{key: given[key] for key in _SETTABLE if given.get(key)},
    }

    def replace(record: Record) -> Record:
        # The same rate, told once more, does not begin anew.
        same = record.get("ScheduleExpression") == schedule and record["State"] == fresh["State"]
        kept = (TARGETS, ANCHOR, CHECKED) if same else (TARGETS,)
        return {**fresh, **{key: record[key] for key in kept}}

    if not machine.store.add(RULE, name, fresh):
        machine.store.change(RULE, name, replace)
    return {"RuleArn": fresh["Arn"]}


def describe_rule(machine: Machine, given: Input) -> Output:
    """DescribeRule."""
    check_bus(machine, given)
    return find_rule(machine.store, str(given["Name"]))


def list_rules(machine: Machine, given: Input) -> Output:
    """ListRules."""
    check_bus(machine, given)
    prefix = str(given.get("NamePrefix", ""))
    found = [rule for rule in machine.store.all(RULE) if str(rule["Name"]).startswith(prefix)]
    found.sort(key=lambda rule: str(rule["Name"]))
    asked = {"MaxResults": given.get("Limit"), "NextToken": given.get("NextToken")}
    rules, token = page(found, asked, default_size=_MOST_LISTED)
    return {"Rules": [*rules], "NextToken": token}


def enable_rule(machine: Machine, given: Input) -> Output:
    """EnableRule: what was due meanwhile is not made up for."""
    check_bus(machine, given)
    time = timestamp(Clock(machine.store).now())
    change_rule(
        machine.store,
        str(given["Name"]),
        lambda rule: rule if rule["State"] == ENABLED else {**rule, "State": ENABLED, CHECKED: time},
    )
    return {}


def disable_rule(machine: Machine, given: Input) -> Output:
    """DisableRule."""
    check_bus(machine, given)
    change_rule(machine.store, str(given["Name"]), lambda rule: {**rule, "State": DISABLED})
    return {}


def delete_rule(machine: Machine, given: Input) -> Output:
    """DeleteRule: of a rule that has no targets; nothing happens where there is none."""
    check_bus(machine, given)
    name = str(given["Name"])
    rule = machine.store.find(RULE, name)
    if rule is not None and rule[TARGETS]:
        raise validation("Rule can't be deleted since it has targets.")
    machine.store.delete(RULE, name)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "DeleteRule": delete_rule,
    "DescribeRule": describe_rule,
    "DisableRule": disable_rule,
    "EnableRule": enable_rule,
    "ListRules": list_rules,
    "PutRule": put_rule,
}


def find_rule(store: Store, name: str) -> Record:
    """The record of a rule; AwsError if there is none."""
    rule = store.find(RULE, name)
    if rule is None:
        raise _no_rule(name)
    return rule


def change_rule(store: Store, name: str, change: Callable[[Record], Record]) -> Record:
    """Change a rule with nobody in between; AwsError if there is none."""
    rule = store.change(RULE, name, change)
    if rule is None:
        raise _no_rule(name)
    return rule


def check_bus(machine: Machine, given: Input) -> None:
    """Refuse every event bus but the default one."""
    name = str(given.get("EventBusName") or DEFAULT)
    if name not in (DEFAULT, _events_arn(machine, f"event-bus/{DEFAULT}")):
        raise AwsError("ResourceNotFoundException", f"Event bus {name} does not exist.")


def expression_of(rule: Record) -> Expression | None:
    """When a rule with a schedule is due; None of one without."""
    text = rule.get("ScheduleExpression")
    return _expression(str(text), str(rule[ANCHOR])) if text else None


def _expression(text: str, anchor: str) -> Expression:
    try:
        read = parse(text, anchor=datetime.fromisoformat(anchor), rate_begins_at_anchor=False)
    except ExpressionError as error:
        raise validation(f"Parameter ScheduleExpression is not valid. Reason: {error}") from None
    if isinstance(read, At):
        raise validation("Parameter ScheduleExpression is not valid. Reason: at(...) is for schedules")
    return read


def _arn(machine: Machine, name: str) -> str:
    return _events_arn(machine, f"rule/{name}")


def _events_arn(machine: Machine, resource: str) -> str:
    return f"arn:aws:events:{machine.names.region}:{machine.names.account}:{resource}"


def _no_rule(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {DEFAULT}.")
