"""What every training job begins with: its hyperparameters, and the log lines that show them."""

import logging
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Protocol, TypeVar

from algorithms.hyperparameters import Hyperparameter
from processing_scripts import contract
from processing_scripts.contract import JobError

_log = logging.getLogger(__name__)


class Settings(Protocol):
    """An algorithm's hyperparameters after the check."""

    @property
    def merged(self) -> Mapping[str, str]:
        """All of them as strings, defaults included."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the job's user should know about them."""


_Settings = TypeVar("_Settings", bound=Settings)


def read_settings(table: ModuleType, parse: Callable[[Mapping[str, str]], _Settings]) -> _Settings:
    """Read, check and log the job's hyperparameters.

    Args:
        table: the module that has the algorithm's hyperparameters as TABLE.
        parse: checks a job's values against it.

    Raises:
        JobError: a hyperparameter is wrong, or the job has several hosts.
    """
    given = contract.hyperparameters()
    settings = parse(given)
    hosts = contract.hosts()
    if len(hosts) > 1:
        raise JobError(
            f"the job has {len(hosts)} hosts ({', '.join(hosts)}); set InstanceCount to 1 on this machine"
        )
    entries: tuple[Hyperparameter, ...] = table.TABLE
    defaults = {entry.name: entry.default or "" for entry in entries}
    path = contract.root() / "input" / "config" / "hyperparameters.json"
    _log.info("Reading default configuration from %s: %s", table.__file__, defaults)
    _log.info("Merging with provided configuration from %s: %s", path, given)
    _log.info("Final configuration: %s", dict(settings.merged))
    for warning in settings.warnings:
        _log.warning(warning)
    return settings
