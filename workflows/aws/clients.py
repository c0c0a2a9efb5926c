"""The clients of boto3, for one place: AWS, or a server that speaks its protocols."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from workflows.aws.service_models import loader
from workflows.definition.model import JSON
from workflows.definition.records import Record

_ATTEMPTS = 8
_CONNECT_LIMIT_S = 10
# A model has 60 s for an answer.
_READ_LIMIT_S = 70


@dataclass(frozen=True)
class Clients:
    """Where calls go, and as whom.

    Args:
        region: of every client.
        endpoint_url: of a server that answers for every service; None asks boto3's own settings, which lead
            to AWS unless AWS_ENDPOINT_URL says otherwise.
        access_key: signs in place of the credentials of boto3's own settings.
    """

    region: str
    endpoint_url: str | None = None
    access_key: str | None = None

    @cached_property
    def sagemaker(self) -> Any:
        """SageMaker."""
        return self._client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        """SageMaker Runtime: asks endpoints."""
        return self._client("sagemaker-runtime")

    @cached_property
    def s3(self) -> Any:
        """S3."""
        return self._client("s3")

    @cached_property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self._client("logs")

    @cached_property
    def scheduler(self) -> Any:
        """EventBridge Scheduler."""
        return self._client("scheduler")

    def close(self) -> None:
        """Close the connections that are open."""
        for name in ("sagemaker", "runtime", "s3", "logs", "scheduler"):
            if name in vars(self):  # it was used
                getattr(self, name).close()

    @property
    def flag(self) -> str:
        """What a command that a message proposes needs to work in the same place."""
        return " --on aws" if self.endpoint_url is None else ""

    @property
    def are_local(self) -> bool:
        """Whether a server of this machine answers, which boto3's own settings may lead to, too."""
        host = urlsplit(self.sagemaker.meta.endpoint_url).hostname or ""
        return host == "localhost" or host.startswith("127.") or host == "::1"

    @cached_property
    def _core(self) -> Any:
        session = botocore.session.Session()
        session.register_component("data_loader", loader())
        return session

    @cached_property
    def _session(self) -> Any:
        own = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.access_key}
        return boto3.session.Session(
            region_name=self.region, botocore_session=self._core, **own if self.access_key else {}
        )

    def _client(self, service: str) -> Any:
        chosen = self._core.get_config_variable("max_attempts")  # such as AWS_MAX_ATTEMPTS
        config = Config(
            connect_timeout=_CONNECT_LIMIT_S,
            read_timeout=_READ_LIMIT_S,
            retries={"mode": "standard", "total_max_attempts": chosen or _ATTEMPTS},
            s3={"addressing_style": "path"} if self.endpoint_url else {},
        )
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)


def configured_region() -> str | None:
    """The region of boto3's own configuration, such as a profile's; None if there is none."""
    region: str | None = boto3.session.Session().region_name
    return region


def pages(client: Any, operation: str, key: str, **request: object) -> Iterator[Record]:
    """The entries that a list call has under `key`, page after page."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from (plain(entry) for entry in page.get(key, []))


def plain(answer: Mapping[str, object]) -> Record:
    """An answer as JSON: times as text in UTC, without what is about the answer itself."""
    return {key: _plain(value) for key, value in answer.items() if key != "ResponseMetadata"}


def _plain(value: object) -> JSON:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)
