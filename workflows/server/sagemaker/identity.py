"""Who has made or changed a resource."""

from workflows.definition.records import Record
from workflows.server.machine import Machine
from workflows.server.sts import get_caller_identity


def user_context(machine: Machine) -> Record:
    """CreatedBy and LastModifiedBy: everybody on this machine is the same session of one role."""
    caller = get_caller_identity(machine, {})
    return {"IamIdentity": {"Arn": caller["Arn"], "PrincipalId": caller["UserId"]}}
