"""run-pipeline and get-pipeline-definition, as SageMaker's project templates call them.

Exit codes: 0 done, 1 the execution or a call has failed, 2 used wrongly.
"""

import argparse
import inspect
import json
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from workflows.aws import executions, pipelines
from workflows.aws.clients import Clients
from workflows.aws.errors import CloudError, told
from workflows.aws.executions import Start
from workflows.aws.pipelines import Wanted
from workflows.aws.watching import Watch
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import say, write_file
from workflows.cli.failures import tell_failures
from workflows.cli.place import Connection, on_aws
from workflows.cli.progress import Progress
from workflows.cli.upserting import project_tags
from workflows.definition.errors import Failed, WorkflowError
from workflows.pipelines.catalog import check_options
from workflows.settings import DEFAULT, Settings, load

_DONE, _FAILED, _USED_WRONGLY, _INTERRUPTED = 0, 1, 2, 130


def run_pipeline() -> NoReturn:
    """Upsert a module's pipeline, start it and wait for its end."""
    parser = _parser("Upsert the pipeline of a module, start it, and wait for its end.")
    parser.add_argument("-role-arn", "--role-arn", help="Role of the pipeline; SAGEMAKER_PIPELINE_ROLE_ARN.")
    parser.add_argument("-description", "--description", help="Of the pipeline.")
    parser.add_argument("-tags", "--tags", help='JSON: [{"Key": "…", "Value": "…"}], or an object.')
    sys.exit(_ended(_run, parser.parse_args()))


def get_pipeline_definition() -> NoReturn:
    """Print or write the definition of a module's pipeline."""
    parser = _parser("Print the definition of a module's pipeline; no network is used.")
    parser.add_argument("-f", "--file-name", type=Path, help="Write it to a file.")
    sys.exit(_ended(_define, parser.parse_args()))


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "-n",
        "--module-name",
        required=True,
        help="Module with get_pipeline(), such as workflows.pipelines.birds_detection.",
    )
    parser.add_argument("-kwargs", "--kwargs", default="{}", help="JSON object: arguments of get_pipeline().")
    return parser


def _ended(work: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> int:
    # As `python -m` does it: the module may be one of the folder that the command is called in.
    sys.path.append(str(Path.cwd()))
    try:
        return work(given)
    except WorkflowError as error:
        say(f"ERROR {error}")
        return _FAILED if isinstance(error, (CloudError, Failed)) else _USED_WRONGLY
    except KeyboardInterrupt:
        say("interrupted")
        return _INTERRUPTED


def _run(given: argparse.Namespace) -> int:
    with told():
        chosen = on_aws(load(flags={"role": given.role_arn}, environment=os.environ, folder=Path.cwd()))
        tags = {**project_tags(chosen), **_tags(given.tags)}
        get_pipeline, arguments = _entry_point(given, chosen)
        region, role = str(arguments.get("region") or chosen["region"]), arguments.get("role")
        with closing(Clients(region)) as clients:
            place = Connection(clients=clients, settings=chosen, store=None)
            if role in (None, chosen.job_role):
                role = place.role  # not that of this machine
            name, definition = _compile(get_pipeline, arguments)
            preflight_or_refuse(definition, {}, chosen, is_local=place.is_near)
            wanted = Wanted(
                name=name, definition=definition, role=str(role), description=given.description, tags=tags
            )
            done = pipelines.upsert(clients, wanted)
            _print(f"{done.arn} {done.action}")
            arn = executions.start(clients, name, Start(parameters={}), token=secrets.token_hex(16))
            _print(arn)
            return _watch(place, arn, definition)


def _watch(place: Connection, arn: str, definition: str) -> int:
    types = executions.definition_steps(json.loads(definition))
    watch = Watch(
        clients=place.clients,
        arn=arn,
        step_types={str(step["Name"]): str(step["Type"]) for step in types},
        listener=Progress(verbose=False),
        pace=place.pace,
    )
    record = watch.to_the_end()
    succeeded = record["PipelineExecutionStatus"] == executions.SUCCEEDED
    if not succeeded:
        tell_failures(place.clients, arn, record)
    _print(f"{record['PipelineExecutionStatus']} {record.get('FailureReason', '')}".rstrip())
    return _DONE if succeeded else _FAILED


def _define(given: argparse.Namespace) -> int:
    chosen = on_aws(load(flags={}, environment=os.environ, folder=Path.cwd()))
    _, definition = _compile(*_entry_point(given, chosen))
    if given.file_name is None:
        _print(definition)
    else:
        write_file(given.file_name, definition)
    return _DONE


def _entry_point(given: argparse.Namespace, chosen: Settings) -> tuple[Callable[..., Any], dict[str, Any]]:
    """get_pipeline() of a module, and its arguments: of the settings what it knows, and over them --kwargs.

    Raises:
        WorkflowError: there is no such module or function, or --kwargs has what it does not know.
    """
    own = _object(given.kwargs)
    get_pipeline = _get_pipeline(given.module_name)
    project = os.environ.get("SAGEMAKER_PROJECT_ARN")
    offered = {"region": chosen["region"], "role": chosen.job_role}
    if chosen.values["bucket"].origin != DEFAULT:
        offered["default_bucket"] = chosen["bucket"]
    if project:
        offered["sagemaker_project_arn"] = project
    known = inspect.signature(get_pipeline).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    arguments = {key: value for key, value in offered.items() if takes_any or key in known} | own
    try:
        inspect.signature(get_pipeline).bind(**arguments)
    except TypeError as error:
        raise WorkflowError(
            f"get_pipeline() of {given.module_name}: {error}; --kwargs gives it arguments, ARTIFACT_BUCKET "
            "gives default_bucket"
        ) from None
    check_options(get_pipeline, arguments)
    return get_pipeline, arguments


def _get_pipeline(module_name: str) -> Callable[..., Any]:
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise WorkflowError(f"--module-name: there is no module '{error.name}'") from None
    found = getattr(module, "get_pipeline", None)
    if not callable(found):
        raise WorkflowError(f"--module-name: '{module_name}' has no get_pipeline()")
    entry_point: Callable[..., Any] = found
    return entry_point


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise WorkflowError(f"--kwargs: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise WorkflowError("--kwargs: not a JSON object")
    return found


def _compile(get_pipeline: Callable[..., Any], arguments: dict[str, Any]) -> tuple[str, str]:
    """The name and the definition of a pipeline."""
    from workflows.pipelines.sdk import definition_text

    pipeline = get_pipeline(**arguments)
    return str(pipeline.name), definition_text(pipeline)


def _tags(text: str | None) -> dict[str, str]:
    """--tags: a list of keys and values, as AWS has it, or an object."""
    try:
        given = json.loads(text or "{}")
        pairs = given.items() if isinstance(given, dict) else [(tag["Key"], tag["Value"]) for tag in given]
        return {str(key): str(value) for key, value in pairs}
    except (ValueError, KeyError, TypeError):
        raise WorkflowError('--tags: write JSON such as [{"Key": "team", "Value": "birds"}]') from None


def _print(text: str) -> None:
    """A line that a build log shows at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
