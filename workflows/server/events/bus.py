"""The event bus: what is put on it goes to the targets of the rules that match.

Deliveries are records until they are made, so that none is lost where the server ends in between. One that
was being made then is made again, as on EventBridge, which delivers at least once.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.local.store import Store, Write
from workflows.server.documents import parse_json
from workflows.server.errors import AwsError
from workflows.server.events.patterns import Pattern, matches, read_pattern
from workflows.server.events.records import DELIVERY, DISABLED, RULE
from workflows.server.events.rules import TARGETS, check_bus
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.shapes import Input, Output

Event = Mapping[str, JSON]


def put_events(machine: Machine, given: Input) -> Output:
    """PutEvents: each entry by itself; a wrong one does not keep the others back."""
    answers: list[JSON] = []
    for entry in objects_of(given["Entries"]):
        fault = _fault(machine, entry)
        if fault is None:
            event = _event(machine, entry)
            publish(machine.store, [event])
            answers.append({"EventId": event["id"]})
        else:
            answers.append({"ErrorCode": fault[0], "ErrorMessage": fault[1]})
    failed = sum(isinstance(answer, dict) and "ErrorCode" in answer for answer in answers)
    return {"FailedEntryCount": failed, "Entries": answers}


def test_event_pattern(_machine: Machine, given: Input) -> Output:
    """TestEventPattern."""
    pattern = read_pattern(str(given["EventPattern"]))
    try:
        event = parse_json(str(given["Event"]))
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise AwsError("ValidationException", "Parameter Event is not valid. Reason: it is no JSON object")
    for name in ("id", "account", "source", "time", "region", "resources", "detail-type"):
        if name not in event:
            raise AwsError("ValidationException", f"Event must contain the field '{name}'")
    return {"Result": matches(pattern, event)}


OPERATIONS: Mapping[str, Operation] = {
    "PutEvents": put_events,
    "TestEventPattern": test_event_pattern,
}


def publish(store: Store, events: Sequence[Event], *beside: Write) -> None:
    """Put events on their way to the targets of the rules that match, and write other records with them."""
    patterns = [(rule, read_pattern(str(rule["EventPattern"]))) for rule in rules_with_patterns(store)]
    writes = [write for event in events for write in _deliveries(patterns, event)]
    if writes or beside:
        store.write(*beside, *writes)


def rules_with_patterns(store: Store) -> list[Record]:
    """The rules that are for events, and not switched off."""
    return [rule for rule in store.all(RULE) if rule.get("EventPattern") and rule["State"] != DISABLED]


def deliveries_to_all(rule: Record, event: Event) -> Iterator[Write]:
    """An event on its way to every target of a rule."""
    for target in objects_of(rule[TARGETS]):
        yield delivery(str(rule["Arn"]), target, event)


def delivery(source: str, target: Record, event: Event, *, static: bool = False) -> Write:
    """One event on its way to one target, by a rule or schedule.

    Parameters that are `static` are what they are: JSON paths among them are not looked up in the event.
    """
    name = str(uuid4())
    body: Record = {"Id": name, "By": source, "Target": target, "Event": dict(event), "Static": static}
    return Write(kind=DELIVERY, name=name, body=body, new=True)


def new_event(
    *,
    source: str,
    detail_type: str,
    account: str,
    region: str,
    resources: Sequence[str],
    detail: JSON,
    time: str,
) -> dict[str, JSON]:
    """An event as EventBridge frames it."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": f"{time[:19]}Z",  # to the second
        "region": region,
        "resources": [*resources],
        "detail": detail,
    }


def _deliveries(patterns: Sequence[tuple[Record, Pattern]], event: Event) -> Iterator[Write]:
    for rule, pattern in patterns:
        if matches(pattern, event):
            yield from deliveries_to_all(rule, event)


def _event(machine: Machine, entry: Record) -> dict[str, JSON]:
    resources = entry.get("Resources")
    return new_event(
        source=str(entry["Source"]),
        detail_type=str(entry["DetailType"]),
        account=machine.names.account,
        region=machine.names.region,
        resources=[str(item) for item in resources] if isinstance(resources, list) else [],
        detail=parse_json(str(entry["Detail"])),
        time=str(entry.get("Time") or datetime.now(UTC).isoformat()),
    )


def _fault(machine: Machine, entry: Record) -> tuple[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if str(entry["Source"]).startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    try:
        check_bus(machine, entry)
        if isinstance(parse_json(str(entry["Detail"])), dict):
            return None
    except AwsError as error:
        return error.code, error.message
    except ValueError:
        pass
    return "MalformedDetail", "Detail is malformed."
