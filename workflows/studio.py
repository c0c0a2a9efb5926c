"""What a notebook needs beside the calls of :mod:`workflows.aws`: Studio's settings, progress in lines."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from workflows.aws import executions, watching
from workflows.aws.clients import Clients
from workflows.aws.logs import tail_of_step
from workflows.aws.watching import Pace, Watch
from workflows.cli.failures import tell_end
from workflows.cli.progress import Progress
from workflows.definition.errors import Failed
from workflows.definition.model import JSON
from workflows.definition.records import Record, last_part
from workflows.settings import DEFAULT, Settings, SettingsError, Value, load

# Of a space or an app of Studio, and of a notebook instance; the SageMaker SDK reads the role there, too.
_METADATA = Path("/opt/ml/metadata/resource-metadata.json")
_SERVER = "AWS_ENDPOINT_URL"
_REGION = 3  # the part of an ARN


class ExecutionFailed(Failed):
    """An execution has ended without success; the message has each failing step and its reason."""


def on_this_machine(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether boto3's calls go to a server such as `workflows serve`, and not to AWS."""
    return bool(environment.get(_SERVER))


def settings(
    folder: Path, *, environment: Mapping[str, str] = os.environ, metadata: Path = _METADATA
) -> Settings:
    """The project's settings; on AWS, where region, role or bucket are not set, those that Studio gives.

    These are region and execution role of the space, and the bucket that the SageMaker SDK would take:
    sagemaker-REGION-ACCOUNT.

    Args:
        folder: where workflows.toml may be.
        environment: of the kernel.
        metadata: the file in which SageMaker tells a notebook about itself.

    Raises:
        SettingsError: there is no role; or see :func:`workflows.settings.load`.
    """
    chosen = load(flags={}, environment=environment, folder=folder)
    if on_this_machine(environment):
        return chosen
    space = _read(metadata)
    app = str(space.get("ResourceArn", "")).split(":")
    if chosen.values["region"].origin == DEFAULT and len(app) > _REGION:
        chosen = _with(chosen, "region", app[_REGION])
    if chosen.values["role"].origin == DEFAULT:
        chosen = _with(chosen, "role", _role(space, metadata))
    if chosen.values["bucket"].origin == DEFAULT:
        chosen = _with(chosen, "bucket", f"sagemaker-{chosen['region']}-{chosen.account}")
    return chosen


def pace() -> Pace:
    """How often to look at what takes time: often on this machine, seldom on AWS."""
    return watching.HERE if on_this_machine() else watching.ON_AWS


def follow(clients: Clients, arn: str, *, tell: Callable[[str], None]) -> list[Record]:
    """Tell in plain lines how an execution goes, to its end; returns its steps.

    Args:
        clients: where it runs.
        arn: of the execution.
        tell: is given each line, such as `print`.

    Raises:
        ExecutionFailed: it did not succeed; the ends of the failing jobs' logs were told before.
        CloudError: nothing has answered for long.
    """
    watch = Watch(
        clients=clients,
        arn=arn,
        step_types=executions.step_types(clients, arn),
        listener=Progress(verbose=False, tell=tell),
        pace=pace(),
    )
    record = watch.to_the_end()
    steps = executions.steps(clients, arn)
    if record["PipelineExecutionStatus"] == executions.SUCCEEDED:
        return steps
    failed = executions.failed_steps(steps)
    for step in failed:
        if tail := tail_of_step(clients, step):
            tell_end(str(step["StepName"]), tail, tell=tell)
    reasons = [f"{step['StepName']}: {step.get('FailureReason', 'no reason was given')}" for step in failed]
    outcome = f"execution {last_part(arn)} {record['PipelineExecutionStatus']}"
    raise ExecutionFailed("\n".join([outcome, *reasons]))


def _with(chosen: Settings, name: str, value: str) -> Settings:
    return replace(chosen, values={**chosen.values, name: Value(value=value, origin="Studio")})


def _read(metadata: Path) -> Record:
    """What SageMaker tells; nothing outside of it."""
    try:
        document: JSON = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _role(space: Record, metadata: Path) -> str:
    role = space.get("ExecutionRoleArn")
    if not isinstance(role, str):
        raise SettingsError(
            f"no role: {metadata} names none, so this is no space of Studio; set `role` in workflows.toml or "
            "SAGEMAKER_PIPELINE_ROLE_ARN to the ARN of one in your account"
        )
    return role
