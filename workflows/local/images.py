"""Which command stands in for a container image."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from workflows.definition.errors import WorkflowError


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """How jobs of one image run here."""

    repository: str
    command: tuple[str, ...] | None  # None: the job's own entry point, as a process
    metrics: Mapping[str, str] = field(default_factory=dict)  # name -> regular expression
    docker_image: str | None = None  # set: through Docker, with the image itself
    max_instances: int | None = None  # that one of its jobs may have; None: any number


class ImageTable:
    """Image repository -> stand-in; an image that is not listed runs in Docker, where an engine answers."""

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        """`extra` is the [images] table of the user's settings, in the form of stand_ins.toml."""
        own = tomllib.loads(files("workflows.local").joinpath("stand_ins.toml").read_text(encoding="utf-8"))
        entries = {**own["images"], **(extra or {})}
        self._entries = {repository: _stand_in(repository, entry) for repository, entry in entries.items()}

    def find(self, image: str) -> StandIn | None:
        """What runs in place of an image, or None if nothing here can."""
        known = self._entries.get(repository_of(image))
        if known is not None:
            return known
        if docker_answers():
            return StandIn(repository=repository_of(image), command=None, docker_image=image)
        return None

    def repositories(self) -> list[str]:
        """The repositories that are listed."""
        return sorted(self._entries)


def repository_of(image: str) -> str:
    """The repository's name in an image URI: REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST."""
    path = image.partition("@")[0]
    registry, slash, name = path.partition("/")
    # Only a registry has a dot or a port in its first part; "team/name" is a repository.
    if not slash or not ({".", ":"} & set(registry)):
        name = path
    return name.partition(":")[0]


def docker_answers() -> bool:
    """Whether a Docker engine can be reached (the client alone is not enough)."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        done = subprocess.run([docker, "version"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _stand_in(repository: str, entry: Mapping[str, Any]) -> StandIn:
    unknown = set(entry) - {"command", "metrics", "max_instances"}
    if unknown:
        raise WorkflowError(f"[images.{repository}]: unknown setting {', '.join(sorted(unknown))}")
    command = entry.get("command")
    argv = (
        None if command is None else tuple(sys.executable if part == "{python}" else part for part in command)
    )
    return StandIn(
        repository=repository,
        command=argv,
        metrics=dict(entry.get("metrics", {})),
        max_instances=_max_instances(repository, entry.get("max_instances")),
    )


def _max_instances(repository: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WorkflowError(f"[images.{repository}] max_instances: must be a number above 0, is {value!r}")
    return value
