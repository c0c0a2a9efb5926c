"""Schedules that start a pipeline: EventBridge Scheduler, with static parameters."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages, plain
from workflows.aws.errors import NotFound, code_of
from workflows.definition.errors import did_you_mean
from workflows.definition.model import JSON
from workflows.definition.records import Record, at, last_part, objects_of

_EXISTS = "ConflictException"
_MISSING = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a pipeline is started, and with what."""

    name: str
    pipeline_arn: str
    expression: str  # cron(...), rate(...) or at(...)
    zone: str
    role: str  # that the Scheduler takes
    parameters: Mapping[str, str]
    first: datetime | None = None  # from when a rate counts; None: from now, and it starts at once

    def request(self) -> dict[str, object]:
        """Members of CreateSchedule."""
        values = [{"Name": name, "Value": value} for name, value in self.parameters.items()]
        begin = {} if self.first is None else {"StartDate": self.first}
        return {
            **begin,
            "Name": self.name,
            "ScheduleExpression": self.expression,
            "ScheduleExpressionTimezone": self.zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Description": f"Starts {last_part(self.pipeline_arn)}",
            "Target": {
                "Arn": self.pipeline_arn,
                "RoleArn": self.role,
                # What tells the Scheduler that the target is a pipeline; it may have no parameters.
                "SageMakerPipelineParameters": {"PipelineParameterList": values} if values else {},
            },
        }


def put(clients: Clients, wanted: Schedule) -> str:
    """Create a schedule, or replace the one of its name; returns its ARN."""
    try:
        answer = clients.scheduler.create_schedule(ClientToken=secrets.token_hex(16), **wanted.request())
    except ClientError as error:
        if code_of(error) != _EXISTS:
            raise
        answer = clients.scheduler.update_schedule(**wanted.request())
    return str(answer["ScheduleArn"])


def listed(clients: Clients) -> list[Record]:
    """The schedules that start pipelines."""
    found = []
    for entry in pages(clients.scheduler, "list_schedules", "Schedules", GroupName="default"):
        if ":pipeline/" in str(at(entry, "Target", "Arn")):
            described = find(clients, str(entry["Name"]))
            found += [described] if described else []
    return found


def find(clients: Clients, name: str) -> Record | None:
    """A schedule; None if there is none."""
    try:
        return plain(clients.scheduler.get_schedule(Name=name))
    except ClientError as error:
        if code_of(error) == _MISSING:
            return None
        raise


def begun(clients: Clients, name: str, expression: str) -> datetime | None:
    """From when the rate of a schedule counts; None if there is none of this name and expression."""
    found = find(clients, name)
    if found is None or found["ScheduleExpression"] != expression or "StartDate" not in found:
        return None
    return datetime.fromisoformat(str(found["StartDate"]))


def delete(clients: Clients, name: str) -> None:
    """Delete a schedule.

    Raises:
        NotFound: there is none of this name.
    """
    if find(clients, name) is None:
        known = [str(entry["Name"]) for entry in listed(clients)]
        raise NotFound(f"no schedule is named '{name}'{did_you_mean(name, known)}")
    clients.scheduler.delete_schedule(Name=name)


def pipeline_of(schedule: Record) -> str:
    """The name of the pipeline that a schedule starts."""
    return last_part(at(schedule, "Target", "Arn"))


def parameters_of(schedule: Record) -> dict[str, JSON]:
    """The parameters that a schedule gives."""
    entries = objects_of(at(schedule, "Target", "SageMakerPipelineParameters", "PipelineParameterList"))
    return {str(entry["Name"]): entry.get("Value") for entry in entries}
