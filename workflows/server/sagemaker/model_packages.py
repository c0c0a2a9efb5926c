"""Model packages, which are versions in a group: CreateModelPackage and its like."""

from collections.abc import Mapping

from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part, objects_of, package_name
from workflows.local.journal import now
from workflows.local.model_resources import package_refusals
from workflows.local.model_versions import next_version, with_deleted
from workflows.local.records import CLIENT_REQUEST, MODEL_PACKAGE, MODEL_PACKAGE_GROUP, TAGS
from workflows.local.store import Write
from workflows.server.errors import AwsError, validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.sagemaker.identity import user_context
from workflows.server.sagemaker.lists import Listing
from workflows.server.sagemaker.model_package_groups import find_group, refuse_deleting
from workflows.server.shapes import Input, Output

_MOST_PROPERTIES = 50
_LISTING = Listing(kind=MODEL_PACKAGE, name="ModelPackageGroupName", is_key=False, order="Ascending")
# What UpdateModelPackage replaces.
_REPLACED = (
    "ApprovalDescription",
    "InferenceSpecification",
    "ModelApprovalStatus",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
    "SourceUri",
)


def create_package(machine: Machine, given: Input) -> Output:
    """CreateModelPackage: the next version of a group."""
    if reasons := list(package_refusals(given, {}, "CreateModelPackage")):
        raise validation("; ".join(reasons))
    if given.get("Tags"):
        raise validation("Tags cannot be given to a versioned model package; it has those of its group")
    token = given.get("ClientToken")
    while True:
        if (known := _answered(machine, token)) is not None:
            return known
        # Each time, as somebody may delete it.
        group = find_group(machine, given["ModelPackageGroupName"])
        record = _new_version(machine, group, given)
        answer: Record = {"ModelPackageArn": record["ModelPackageArn"]}
        name = str(group["ModelPackageGroupName"])
        package = Write(kind=MODEL_PACKAGE, name=_name(record), body=record, parent=name, new=True)
        if machine.store.change(
            MODEL_PACKAGE_GROUP, name, refuse_deleting, package, *_answers(token, answer)
        ):
            return answer
        # Somebody has taken the number, or repeated the request, meanwhile.


def describe_package(machine: Machine, given: Input) -> Output:
    """DescribeModelPackage, by ARN or GROUP/VERSION."""
    return {
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        **_find(machine, given["ModelPackageName"]),
    }


def describe_packages(machine: Machine, given: Input) -> Output:
    """BatchDescribeModelPackage."""
    found: dict[str, JSON] = {}
    missing: dict[str, JSON] = {}
    arns = given["ModelPackageArnList"]
    for arn in arns if isinstance(arns, list) else []:
        try:
            found[str(arn)] = _find(machine, arn)
        except AwsError as error:
            missing[str(arn)] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": missing}


def list_packages(machine: Machine, given: Input) -> Output:
    """ListModelPackages: all here are versions of a group."""
    group = given.get("ModelPackageGroupName")
    if group is None and given.get("ModelPackageType", "Unversioned") == "Unversioned":
        return {"ModelPackageSummaryList": []}
    status = given.get("ModelApprovalStatus")
    listed, token = _LISTING.page(
        machine.store,
        given,
        parent=None if group is None else last_part(group),
        wanted=lambda package: status is None or package["ModelApprovalStatus"] == status,
    )
    return {"ModelPackageSummaryList": list[JSON](listed), "NextToken": token}


def update_package(machine: Machine, given: Input) -> Output:
    """UpdateModelPackage: its approval, its metadata, and what of its content may change."""
    name = package_name(str(given["ModelPackageArn"]))

    def change(record: Record) -> Record:
        return {
            **record,
            **{key: given[key] for key in _REPLACED if key in given},
            "CustomerMetadataProperties": _properties(record, given),
            "AdditionalInferenceSpecifications": _specifications(record, given),
            "LastModifiedTime": now(),
            "LastModifiedBy": user_context(machine),
        }

    if machine.store.change(MODEL_PACKAGE, name, change) is None:
        raise _unknown(given["ModelPackageArn"])
    return {"ModelPackageArn": machine.names.arn(MODEL_PACKAGE, name)}


def delete_package(machine: Machine, given: Input) -> Output:
    """DeleteModelPackage: its number is not given again."""
    record = _find(machine, given["ModelPackageName"])
    group, version = str(record["ModelPackageGroupName"]), record["ModelPackageVersion"]
    machine.store.change(MODEL_PACKAGE_GROUP, group, lambda known: with_deleted(known, version))
    machine.store.delete_all([(MODEL_PACKAGE, _name(record)), (TAGS, str(record["ModelPackageArn"]))])
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateModelPackage": create_package,
    "DescribeModelPackage": describe_package,
    "BatchDescribeModelPackage": describe_packages,
    "ListModelPackages": list_packages,
    "UpdateModelPackage": update_package,
    "DeleteModelPackage": delete_package,
}


def _name(record: Record) -> str:
    return package_name(str(record["ModelPackageArn"]))


def _find(machine: Machine, name: JSON) -> Record:
    record = machine.store.find(MODEL_PACKAGE, package_name(str(name)))
    if record is None:
        raise _unknown(name)
    return record


def _unknown(name: JSON) -> AwsError:
    return validation(f"ModelPackage {name} does not exist.")


def _new_version(machine: Machine, group: Record, given: Input) -> Record:
    name = str(group["ModelPackageGroupName"])
    version = next_version(machine.store.all(MODEL_PACKAGE, parent=name), group)
    return {
        "ModelApprovalStatus": "PendingManualApproval",
        **given,
        "ModelPackageGroupName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": machine.names.arn(MODEL_PACKAGE, f"{name}/{version}"),
        "ModelPackageStatus": "Completed",
        "CreationTime": now(),
        "CreatedBy": user_context(machine),
    }


def _answered(machine: Machine, token: JSON) -> Record | None:
    """What an earlier request with the same ClientToken was answered."""
    known = machine.store.find(CLIENT_REQUEST, _request_name(token)) if token else None
    answer = known["Answer"] if known else None
    return answer if isinstance(answer, dict) else None


def _answers(token: JSON, answer: Record) -> list[Write]:
    if not token:
        return []
    return [Write(kind=CLIENT_REQUEST, name=_request_name(token), body={"Answer": answer}, new=True)]


def _request_name(token: JSON) -> str:
    return f"CreateModelPackage {str(token).encode().hex()}"


def _properties(record: Record, given: Input) -> JSON:
    own, added = record.get("CustomerMetadataProperties"), given.get("CustomerMetadataProperties")
    removed = given.get("CustomerMetadataPropertiesToRemove")
    going = set(map(str, removed)) if isinstance(removed, list) else set()
    kept = {key: value for key, value in (own if isinstance(own, dict) else {}).items() if key not in going}
    properties = {**kept, **(added if isinstance(added, dict) else {})}
    if len(properties) > _MOST_PROPERTIES:
        raise validation(
            f"A model package can have at most {_MOST_PROPERTIES} metadata properties, not {len(properties)}"
        )
    return properties


def _specifications(record: Record, given: Input) -> JSON:
    known = objects_of(record.get("AdditionalInferenceSpecifications"))
    added = objects_of(given.get("AdditionalInferenceSpecificationsToAdd"))
    for taken in {str(entry["Name"]) for entry in known} & {str(entry["Name"]) for entry in added}:
        raise validation(f"AdditionalInferenceSpecification '{taken}' exists already")
    return list[JSON]([*known, *added])
