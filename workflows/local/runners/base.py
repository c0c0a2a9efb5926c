"""What every runner is given, and what it returns."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.faults import Fault
from workflows.local.functions import Function
from workflows.local.images import ImageTable, StandIn
from workflows.local.objects import Objects
from workflows.local.request import Request


@dataclass(frozen=True, kw_only=True)
class Task:
    """One step in which no expression is left to resolve."""

    step: str
    name: str  # of the job or resource, where the request gives none
    request: Request
    fields: Request  # of the step, beside its arguments
    folder: Path  # of its own; holds the container's tree and its log
    fault: Fault | None = None  # that its job meets inside: spot-interruption, kill, timeout or exit


@dataclass(frozen=True, kw_only=True)
class Result:
    """The resource that a step made, as SageMaker's Describe call would return it.

    What a Lambda function returns is no resource: it has no kind, and is not kept as a record of its own.
    """

    kind: str | None
    name: str
    description: Record
    metadata: dict[str, JSON]  # of the pipeline execution step
    parent: str = ""
    group: Record | None = None  # of model packages: made with its first version


class StepFailed(WorkflowError):
    """A step's own failure; `result` is the failed job, where one was made.

    `exception_type` is that of retry policies, such as Step.THROTTLING; an algorithm's own failure has none
    and is never tried again.
    """

    def __init__(
        self, reason: str, result: Result | None = None, *, exception_type: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.result, self.exception_type = reason, result, exception_type


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a runner may use of the engine."""

    objects: Objects
    images: ImageTable
    find: Callable[[str, str], Record | None]  # kind, name -> a record made earlier
    records: Callable[[str, str], list[Record]]  # kind, parent -> records under it
    arn: Callable[[str, str], str]  # kind, name -> its ARN
    now: Callable[[], str]
    execution_arn: str
    # kind, name, Describe record -> what is known of a resource while its step still runs
    record: Callable[[str, str, Record], None]
    report: Callable[[str, str], None]  # step, line of its log
    metric: Callable[[str, str, float], None]  # step, metric, value
    environment: Mapping[str, str] = field(default_factory=dict)  # settings that stand-ins read
    functions: Mapping[str, Function] = field(default_factory=dict)  # Lambda function -> handler
    function_environment: Mapping[str, str] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def stand_in(self, image: str, where: str) -> StandIn:
        """What runs in place of an image.

        Raises:
            StepFailed: nothing does.
        """
        found = self.images.find(image)
        if found is None:
            raise StepFailed(no_stand_in(image, where, self.images))
        return found


class Runner(Protocol):
    """Does the work of one kind of step."""

    def __call__(self, task: Task, site: Site) -> Result:
        """Do it.

        Raises:
            StepFailed: the step has failed.
        """


def no_stand_in(image: str, where: str, images: ImageTable) -> str:
    """Says that an image cannot run here, and what to do."""
    return (
        f"{where}: nothing stands in for image '{image}' and no Docker engine answers; add "
        f"[images.NAME] to workflows.toml or start Docker (listed: {', '.join(images.repositories())})"
    )
