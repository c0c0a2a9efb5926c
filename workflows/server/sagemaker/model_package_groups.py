"""Model package groups: CreateModelPackageGroup and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.local.journal import now
from workflows.local.records import MODEL_PACKAGE, MODEL_PACKAGE_GROUP, TAGS
from workflows.local.store import Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.identity import user_context
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.tags import tags_write, without_tags
from workflows.server.shapes import Input, Output

DELETING = "Deleting"
_STATUS = "ModelPackageGroupStatus"
_LISTING = Listing(kind=MODEL_PACKAGE_GROUP, name="ModelPackageGroupName", order="Ascending")


def create_group(machine: Machine, given: Input) -> Output:
    """CreateModelPackageGroup."""
    name = str(given["ModelPackageGroupName"])
    arn = machine.names.arn(MODEL_PACKAGE_GROUP, name)
    record: Record = {
        **without_tags(given),
        "ModelPackageGroupArn": arn,
        _STATUS: "Completed",
        "CreationTime": now(),
        "CreatedBy": user_context(machine),
    }
    made = Write(kind=MODEL_PACKAGE_GROUP, name=name, body=record, new=True)
    if not machine.store.write(made, *tags_write(arn, record, given)):
        # The SDKs tell by "already exists" that they can go on.
        raise validation(f"Model Package Group already exists: {arn}")
    return {"ModelPackageGroupArn": arn}


def describe_group(machine: Machine, given: Input) -> Output:
    """DescribeModelPackageGroup, by name or ARN."""
    # A group that came with a pipeline's first version does not say who has made it.
    return {"CreatedBy": {}, **find_group(machine, given["ModelPackageGroupName"])}


def list_groups(machine: Machine, given: Input) -> Output:
    """ListModelPackageGroups: there are none of other accounts."""
    if given.get("CrossAccountFilterOption") == "CrossAccount":
        return {"ModelPackageGroupSummaryList": []}
    listed, token = _LISTING.page(machine.store, given)
    return {"ModelPackageGroupSummaryList": list[JSON](listed), "NextToken": token}


def delete_group(machine: Machine, given: Input) -> Output:
    """DeleteModelPackageGroup: of one without versions."""
    name = last_part(find_group(machine, given["ModelPackageGroupName"])["ModelPackageGroupArn"])
    arn = machine.names.arn(MODEL_PACKAGE_GROUP, name)

    def begin(record: Record) -> Record:
        # In the same transaction: no version comes in between, and none after it.
        if machine.store.all(MODEL_PACKAGE, parent=name):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {arn} cannot be deleted because it contains Model Packages. Delete all "
                "Model Packages in the group first.",
            )
        return {**record, _STATUS: DELETING}

    if machine.store.change(MODEL_PACKAGE_GROUP, name, begin) is None:
        raise unknown_group(arn)
    machine.store.delete_all([(MODEL_PACKAGE_GROUP, name), (TAGS, arn)])
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete_group,
}


def find_group(machine: Machine, name: JSON) -> Record:
    """The record of a group, by its name or ARN.

    Raises:
        AwsError: ValidationException.
    """
    record = machine.store.find(MODEL_PACKAGE_GROUP, last_part(name))
    if record is None or record[_STATUS] == DELETING:
        raise unknown_group(machine.names.arn(MODEL_PACKAGE_GROUP, last_part(name)))
    return record


def unknown_group(arn: str) -> AwsError:
    """There is no such group."""
    return validation(f"ModelPackageGroup {arn} does not exist.")


def refuse_deleting(group: Record) -> Record:
    """The same record; for a change that must not meet a group that is going.

    Raises:
        AwsError: it is.
    """
    if group[_STATUS] == DELETING:
        raise unknown_group(str(group["ModelPackageGroupArn"]))
    return group
