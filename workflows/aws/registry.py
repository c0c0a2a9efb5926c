"""The model registry: versions of models, and what may be deployed."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages, plain
from workflows.aws.errors import NotFound, is_missing
from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.records import Record, package_name

APPROVED, REJECTED = "Approved", "Rejected"


def versions(clients: Clients, group: str | None = None) -> Iterator[Record]:
    """Every version, described; group by group, the oldest first.

    Raises:
        NotFound: there is no such group.
    """
    known = groups(clients)
    if group is not None and group not in known:
        raise NotFound(f"no model group '{group}'{did_you_mean(group, known)}")
    for name in [group] if group else known:
        for entry in [*newest_first(clients, name)][::-1]:
            yield describe(clients, str(entry["ModelPackageArn"]))


def newest_first(clients: Clients, group: str) -> Iterator[Record]:
    """Summaries of the versions in a group."""
    return pages(
        clients.sagemaker,
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=group,
        SortBy="CreationTime",
        SortOrder="Descending",
    )


def groups(clients: Clients) -> list[str]:
    """The names of the model package groups."""
    found = pages(clients.sagemaker, "list_model_package_groups", "ModelPackageGroupSummaryList")
    return sorted(str(entry["ModelPackageGroupName"]) for entry in found)


def find(clients: Clients, name: str) -> Record:
    """A version by GROUP/VERSION or its ARN.

    Raises:
        NotFound: there is none.
        WorkflowError: the name has neither form.
    """
    arn = name if name.startswith("arn:") else _arn(clients, name)
    try:
        return describe(clients, arn)
    except ClientError as error:
        if not is_missing(error):
            raise
        known = [package_name(entry["ModelPackageArn"]) for entry in versions(clients)]
        wanted = package_name(name) if name.startswith("arn:") else name
        raise NotFound(f"no model version '{wanted}'{did_you_mean(wanted, known)}") from None


def describe(clients: Clients, arn: str) -> Record:
    """A version, by its ARN."""
    return plain(clients.sagemaker.describe_model_package(ModelPackageName=arn))


def set_status(clients: Clients, arn: str, status: str, *, reason: str | None) -> None:
    """Approve or reject a version; the reason is kept with it."""
    more = {"ApprovalDescription": reason} if reason else {}
    clients.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **more)


def _arn(clients: Clients, name: str) -> str:
    group, slash, version = name.rpartition("/")
    if not slash or not version.isdigit():
        raise WorkflowError(f"'{name}' is no model version: write GROUP/VERSION, or its ARN")
    try:
        answer = clients.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if not is_missing(error):
            raise
        raise NotFound(f"no model version '{name}'{did_you_mean(group, groups(clients))}") from None
    return (
        str(answer["ModelPackageGroupArn"]).replace(":model-package-group/", ":model-package/")
        + f"/{version}"
    )
