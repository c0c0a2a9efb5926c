"""Calls the functions of the [functions] table for rules and schedules, as Lambda does asynchronous calls."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record
from workflows.local.executor import Place
from workflows.local.functions import function_name
from workflows.local.journal import now
from workflows.local.naming import Names
from workflows.local.request import Request
from workflows.local.runners import lambda_function
from workflows.local.runners.base import Site, StepFailed, Task
from workflows.local.store import Store
from workflows.local.trees import remove_tree

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Functions:
    """The functions of this machine."""

    store: Store
    place: Place

    def call(self, arn: str, event: JSON) -> None:
        """Start a call and return; how it ends is logged. Unlike Lambda this tries once.

        Raises:
            WorkflowError: nothing stands in for the function.
        """
        name = function_name(arn)
        function = self.place.functions.get(name)
        if function is None or function.fault:
            reason = function.fault if function else "it is not in the [functions] table of workflows.toml"
            raise WorkflowError(f"function '{name}' cannot be called: {reason}")
        if not isinstance(event, dict):
            raise WorkflowError(f"function '{name}': its input must be an object here, is {event!r}")
        # Not waited for at the end: a function cannot be stopped, and its container ends with this process.
        threading.Thread(
            target=self._run, args=(name, arn, event), name=f"function {name}", daemon=True
        ).start()

    def _run(self, name: str, arn: str, event: Mapping[str, JSON]) -> None:
        root = self.store.home / "functions"
        root.mkdir(exist_ok=True)
        folder = Path(mkdtemp(prefix=f"{name}-", dir=root))
        task = Task(
            step=name,
            name=folder.name,
            request=Request(event, f"input of function {name}"),
            fields=Request({"FunctionArn": arn}, f"function {name}"),
            folder=folder,
        )
        try:
            lambda_function.run(task, self._site())
            _LOG.info("function %s has ended", name)
        except (StepFailed, WorkflowError, OSError) as failed:
            _LOG.warning("function %s: %s", name, failed)
        finally:
            remove_tree(folder)

    def _site(self) -> Site:
        place = self.place
        names = Names(region=place.region, account=place.account)
        return Site(
            objects=self.store.objects,
            images=place.images,
            find=self.store.find,
            records=lambda kind, parent: self.store.all(kind, parent=parent),
            arn=names.arn,
            now=now,
            execution_arn="",
            record=_keep_nothing,
            report=lambda name, line: _LOG.info("function %s: %s", name, line),
            metric=_keep_no_metric,
            functions=place.functions,
            function_environment={
                "AWS_REGION": place.region,
                "AWS_DEFAULT_REGION": place.region,
                **place.function_environment,
            },
        )


def _keep_nothing(_kind: str, _name: str, _record: Record) -> None:
    """A function makes no resource of its own."""


def _keep_no_metric(_step: str, _metric: str, _value: float) -> None:
    """Nor has it metrics."""
