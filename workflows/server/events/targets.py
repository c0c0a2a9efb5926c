"""The targets of rules."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.server.documents import parse_json
from workflows.server.errors import AwsError, validation
from workflows.server.events.rules import TARGETS, change_rule, check_bus, find_rule
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.shapes import Input, Output

_MOST_TARGETS, _MOST_LISTED = 5, 100
_INPUTS = ("Input", "InputPath", "InputTransformer")


def put_targets(machine: Machine, given: Input) -> Output:
    """PutTargets: add targets to a rule, or replace those with the same ids."""
    check_bus(machine, given)
    fresh = {str(target["Id"]): target for target in objects_of(given["Targets"])}
    for target in fresh.values():
        _check(target)

    def change(rule: Record) -> Record:
        targets = {str(target["Id"]): target for target in objects_of(rule[TARGETS])} | fresh
        if len(targets) > _MOST_TARGETS:
            raise AwsError(
                "LimitExceededException", "The requested resource exceeds the maximum number allowed."
            )
        return {**rule, TARGETS: list(targets.values())}

    change_rule(machine.store, str(given["Rule"]), change)
    return _NO_FAILURES


def list_targets_by_rule(machine: Machine, given: Input) -> Output:
    """ListTargetsByRule."""
    check_bus(machine, given)
    asked = {"MaxResults": given.get("Limit"), "NextToken": given.get("NextToken")}
    rule = find_rule(machine.store, str(given["Rule"]))
    targets, token = page(objects_of(rule[TARGETS]), asked, default_size=_MOST_LISTED)
    return {"Targets": [*targets], "NextToken": token}


def remove_targets(machine: Machine, given: Input) -> Output:
    """RemoveTargets; ids that are none of the rule's are failures, and the others go."""
    check_bus(machine, given)
    asked = given["Ids"]
    ids = [str(each) for each in asked] if isinstance(asked, list) else []
    unknown: list[JSON] = []

    def change(rule: Record) -> Record:
        targets = objects_of(rule[TARGETS])
        known = {str(target["Id"]) for target in targets}
        unknown[:] = [_failure(each) for each in ids if each not in known]
        return {**rule, TARGETS: [target for target in targets if str(target["Id"]) not in ids]}

    change_rule(machine.store, str(given["Rule"]), change)
    return {"FailedEntryCount": len(unknown), "FailedEntries": unknown}


OPERATIONS: Mapping[str, Operation] = {
    "ListTargetsByRule": list_targets_by_rule,
    "PutTargets": put_targets,
    "RemoveTargets": remove_targets,
}
_NO_FAILURES: Output = {"FailedEntryCount": 0, "FailedEntries": []}


def _check(target: Record) -> None:
    arn = str(target["Arn"])
    if not arn.startswith("arn:"):
        raise validation(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    if ":sagemaker:" in arn and "RoleArn" not in target:
        raise validation(f"RoleArn is required for target {arn}.")
    if sum(key in target for key in _INPUTS) > 1:
        raise validation(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {arn}."
        )
    if "Input" in target:
        check_json(str(target["Input"]), arn)


def check_json(text: str, arn: str) -> None:
    """Refuse an Input that is not JSON."""
    try:
        parse_json(text)
    except ValueError:
        raise validation(f"JSON syntax error in input for target {arn}.") from None


def _failure(target_id: str) -> JSON:
    return {
        "TargetId": target_id,
        "ErrorCode": "ResourceNotFoundException",
        "ErrorMessage": f"Target {target_id} does not exist.",
    }
