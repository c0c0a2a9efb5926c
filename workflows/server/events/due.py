"""What is due: schedules, and rules that have a schedule.

A firing that was missed, because no server ran or because the clock was moved on over it, is made up for: the
latest one, once. EventBridge has no such gaps; it goes on trying to deliver each firing for as long as the
retry policy says, a day by default. Made up for one by one, a night without a server would start a pipeline
of every five minutes a hundred times at once, on one machine; one run on the data of today does what all of
them would. So the retry policy's MaximumEventAgeInSeconds decides, in real time, whether the latest is still
wanted: what a rehearsal leaps over is as fresh as its leap.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.naming import Names
from workflows.local.store import Store
from workflows.server.events.bus import deliveries_to_all, delivery, new_event
from workflows.server.events.clock import Clock
from workflows.server.events.expressions import At, Expression
from workflows.server.events.records import CHECKED, DISABLED, RULE, SCHEDULE, timestamp
from workflows.server.events.rules import expression_of as rule_expression
from workflows.server.events.schedules import expression_of as schedule_expression

_LOG = logging.getLogger(__name__)
_MOST_AGE_S = 86_400
_INSTANT = timedelta(microseconds=1)


class Due:
    """Looks at the clock, and puts on its way what is due."""

    def __init__(self, store: Store, clock: Clock, names: Names) -> None:
        self._store, self._clock, self._names = store, clock, names

    def look(self) -> None:
        """Everything that is due since the last look."""
        now = self._clock.now()
        for rule in self._store.all(RULE):
            expression = rule_expression(rule)
            if expression is not None and rule["State"] != DISABLED:
                self._look_at(RULE, rule, expression, now)
        for schedule in self._store.all(SCHEDULE):
            if schedule["State"] != DISABLED:
                self._look_at_schedule(schedule, now)

    def _look_at_schedule(self, schedule: Record, now: datetime) -> None:
        expression = schedule_expression(schedule)
        start, end = _time(schedule, "StartDate"), _time(schedule, "EndDate")
        last = min(now, end) if end else now
        self._look_at(SCHEDULE, schedule, expression, now, start=start, last=last)
        over = end is not None and not expression.is_due_again(now, max(now, end))
        if isinstance(expression, At):
            over = not expression.is_due_again(now, expression.moment)
        if over and schedule.get("ActionAfterCompletion") == "DELETE":
            self._store.delete(SCHEDULE, str(schedule["Name"]))
            _LOG.info("%s: completed and deleted", schedule["Arn"])

    def _look_at(
        self,
        kind: str,
        record: Record,
        expression: Expression,
        now: datetime,
        *,
        start: datetime | None = None,
        last: datetime | None = None,
    ) -> None:
        checked = datetime.fromisoformat(str(record[CHECKED]))
        if checked > now:
            # The clock was set back to the real time: what was fired ahead of it is due again.
            self._note(kind, record, now)
            return
        # A firing at the start itself counts.
        after = max(checked, start - _INSTANT) if start else checked
        moment = expression.last_due(after, last or now) if after < (last or now) else None
        if moment is None:
            return
        if datetime.now(UTC) - self._clock.passed_at(moment) > _most_age(record):
            _LOG.warning("%s: missed at %s, and too late now", record["Arn"], timestamp(moment))
            self._note(kind, record, now)
        else:
            self._fire(kind, record, moment, now)

    def _fire(self, kind: str, record: Record, moment: datetime, now: datetime) -> None:
        if kind == RULE:
            writes = list(deliveries_to_all(record, self._event("aws.events", record, moment, {})))
        else:
            event = self._event("aws.scheduler", record, moment, "{}")
            writes = [delivery(str(record["Arn"]), _target(record, moment), event, static=True)]
        _LOG.info("%s: due at %s", record["Arn"], timestamp(moment))
        self._store.change(kind, str(record["Name"]), lambda each: {**each, CHECKED: timestamp(now)}, *writes)

    def _note(self, kind: str, record: Record, now: datetime) -> None:
        self._store.change(kind, str(record["Name"]), lambda each: {**each, CHECKED: timestamp(now)})

    def _event(self, source: str, record: Record, moment: datetime, detail: JSON) -> dict[str, JSON]:
        return new_event(
            source=source,
            detail_type="Scheduled Event",
            account=self._names.account,
            region=self._names.region,
            resources=[str(record["Arn"])],
            detail=detail,
            time=timestamp(moment),
        )


def _target(schedule: Record, moment: datetime) -> Record:
    """A schedule's target with the context attributes in its input replaced."""
    target = schedule["Target"]
    if not isinstance(target, dict) or "Input" not in target:
        return target if isinstance(target, dict) else {}
    text = str(target["Input"])
    attributes: Mapping[str, str] = {
        "<aws.scheduler.schedule-arn>": str(schedule["Arn"]),
        "<aws.scheduler.scheduled-time>": f"{timestamp(moment)[:19]}Z",
        "<aws.scheduler.execution-id>": str(uuid4()),
        "<aws.scheduler.attempt-number>": "1",
    }
    for name, value in attributes.items():
        text = text.replace(name, value)
    return {**target, "Input": text}


def _most_age(record: Record) -> timedelta:
    target = record.get("Target")
    policy = target.get("RetryPolicy") if isinstance(target, dict) else None
    seconds = policy.get("MaximumEventAgeInSeconds") if isinstance(policy, dict) else None
    return timedelta(seconds=seconds if isinstance(seconds, int) else _MOST_AGE_S)


def _time(record: Record, field: str) -> datetime | None:
    value = record.get(field)
    return datetime.fromisoformat(str(value)) if value else None
