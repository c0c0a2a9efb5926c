"""Pipelines: what is there, and making it what a definition says."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from workflows.aws.clients import Clients, pages, plain
from workflows.aws.errors import NotFound, is_missing
from workflows.definition.errors import did_you_mean
from workflows.definition.records import Record, newest

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A pipeline as it should be."""

    name: str
    definition: str  # JSON
    role: str
    description: str | None = None
    tags: Mapping[str, str] | None = None

    @property
    def digest(self) -> str:
        """Of what an upsert compares."""
        compared = [self.name, json.loads(self.definition), self.role, self.description]
        return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Upserted:
    """What an upsert did."""

    arn: str
    action: str  # created, updated or unchanged


def find(clients: Clients, name: str, *, version: int | None = None) -> Record | None:
    """A pipeline with its definition, the latest unless another version is wanted; None if there is none."""
    more = {} if version is None else {"PipelineVersionId": version}
    try:
        return plain(clients.sagemaker.describe_pipeline(PipelineName=name, **more))
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def get(clients: Clients, name: str, *, version: int | None = None) -> Record:
    """The same.

    Raises:
        NotFound: there is no such pipeline, or no such version of it.
    """
    found = find(clients, name, version=version)
    if found is not None:
        return found
    if version is not None and find(clients, name) is not None:
        numbers = [entry["PipelineVersionId"] for entry in versions(clients, name)]
        raise NotFound(f"pipeline '{name}' has no version {version}; it has {numbers[0]} to {numbers[-1]}")
    known = pages(clients.sagemaker, "list_pipelines", "PipelineSummaries")
    names = [str(entry["PipelineName"]) for entry in known]
    raise NotFound(f"no pipeline '{name}' is here{did_you_mean(name, names)}")


def versions(clients: Clients, name: str) -> list[Record]:
    """The versions of a pipeline, the oldest first."""
    found = pages(clients.sagemaker, "list_pipeline_versions", "PipelineVersionSummaries", PipelineName=name)
    return newest(found, "CreationTime")[::-1]


def is_same(before: Record, wanted: Wanted) -> bool:
    """Whether a pipeline is as it should be already: an update would only make another version."""
    return (
        json.loads(str(before["PipelineDefinition"])) == json.loads(wanted.definition)
        and before.get("RoleArn") == wanted.role
        and wanted.description in (None, before.get("PipelineDescription"))
    )


def upsert(clients: Clients, wanted: Wanted) -> Upserted:
    """Create a pipeline, or update it where something differs. Can be repeated after any interruption."""
    before = find(clients, wanted.name)
    try:
        return _update(clients, before, wanted) if before else _create(clients, wanted)
    except ClientError as error:
        # Somebody may have created or deleted it in this moment.
        now = find(clients, wanted.name)
        if (now is None) == (before is None):
            raise error from None
    return _update(clients, now, wanted) if now else _create(clients, wanted)


def _create(clients: Clients, wanted: Wanted) -> Upserted:
    tags = {"Tags": _tags(wanted)} if wanted.tags else {}
    answer = clients.sagemaker.create_pipeline(
        ClientRequestToken=secrets.token_hex(16), **_members(wanted), **tags
    )
    return Upserted(arn=str(answer["PipelineArn"]), action=CREATED)


def _update(clients: Clients, before: Record, wanted: Wanted) -> Upserted:
    arn, action = str(before["PipelineArn"]), UNCHANGED
    if not is_same(before, wanted):
        clients.sagemaker.update_pipeline(**_members(wanted))
        action = UPDATED
    if wanted.tags:
        clients.sagemaker.add_tags(ResourceArn=arn, Tags=_tags(wanted))
    return Upserted(arn=arn, action=action)


def _members(wanted: Wanted) -> dict[str, str]:
    members = {"PipelineName": wanted.name, "PipelineDefinition": wanted.definition, "RoleArn": wanted.role}
    return members | ({"PipelineDescription": wanted.description} if wanted.description is not None else {})


def _tags(wanted: Wanted) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (wanted.tags or {}).items()]
