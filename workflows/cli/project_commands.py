"""run-pipeline and get-pipeline-definition, as SageMaker's project templates call them.

Exit codes: 0 done, 1 the execution or a call has failed, 2 used wrongly.
"""

import argparse
import inspect
import json
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from workflows.aws import executions, pipelines
from workflows.aws.clients import Clients
from workflows.aws.errors import CloudError, told
from workflows.aws.executions import Start
from workflows.aws.pipelines import Wanted
from workflows.aws.watching import ON_AWS, Watch
from workflows.cli.progress import Progress
from workflows.definition.errors import WorkflowError
from workflows.pipelines.catalog import check_options
from workflows.settings import DEFAULT, load

_DONE, _FAILED, _USED_WRONGLY = 0, 1, 2
_TAGS = {"sagemaker:project-name": "SAGEMAKER_PROJECT_NAME", "sagemaker:project-id": "SAGEMAKER_PROJECT_ID"}


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
    try:
        return work(given)
    except CloudError as error:
        sys.stderr.write(f"ERROR {error}\n")
        return _FAILED
    except WorkflowError as error:
        sys.stderr.write(f"ERROR {error}\n")
        return _USED_WRONGLY


def _run(given: argparse.Namespace) -> int:
    arguments = _arguments(given)
    name, definition = _compile(given.module_name, arguments)
    wanted = Wanted(
        name=name,
        definition=definition,
        role=given.role_arn or arguments["role"],
        description=given.description,
        tags=_tags(given.tags),
    )
    with told():
        clients = Clients(str(arguments["region"]))
        done = pipelines.upsert(clients, wanted)
        _say(f"{done.arn} {done.action}")
        arn = executions.start(clients, name, Start(parameters={}), token=secrets.token_hex(16))
        _say(arn)
        types = executions.definition_steps(json.loads(definition))
        watch = Watch(
            clients=clients,
            arn=arn,
            step_types={str(step["Name"]): str(step["Type"]) for step in types},
            listener=Progress(verbose=False),
            pace=ON_AWS,
        )
        record = watch.to_the_end()
    _say(f"{record['PipelineExecutionStatus']} {record.get('FailureReason', '')}".rstrip())
    return _DONE if record["PipelineExecutionStatus"] == executions.SUCCEEDED else _FAILED


def _define(given: argparse.Namespace) -> int:
    _, definition = _compile(given.module_name, _arguments(given))
    if given.file_name is None:
        _say(definition)
        return _DONE
    partial = given.file_name.with_name(f".{given.file_name.name}.partial")
    try:
        partial.write_text(definition, encoding="utf-8")
        partial.replace(given.file_name)
    except OSError as error:
        raise WorkflowError(f"{given.file_name}: cannot be written: {error.strerror}") from None
    return _DONE


def _arguments(given: argparse.Namespace) -> dict[str, Any]:
    """Arguments of get_pipeline(): the settings, and over them --kwargs."""
    try:
        own = json.loads(given.kwargs)
    except ValueError as error:
        raise WorkflowError(f"--kwargs: not JSON: {error}") from None
    if not isinstance(own, dict):
        raise WorkflowError("--kwargs: not a JSON object")
    chosen = load(flags={}, environment=os.environ, folder=Path.cwd())
    role = getattr(given, "role_arn", None) or chosen["role"]
    found: dict[str, Any] = {"region": chosen["region"], "role": role}
    if chosen.values["bucket"].origin != DEFAULT:
        found["default_bucket"] = chosen["bucket"]
    project = os.environ.get("SAGEMAKER_PROJECT_ARN")
    return {**found, **({"sagemaker_project_arn": project} if project else {}), **own}


def _compile(module_name: str, arguments: dict[str, Any]) -> tuple[str, str]:
    """The name and the definition of a module's pipeline."""
    try:
        get_pipeline = import_module(module_name).get_pipeline
    except ModuleNotFoundError as error:
        raise WorkflowError(f"--module-name: there is no module '{error.name}'") from None
    except AttributeError:
        raise WorkflowError(f"--module-name: '{module_name}' has no get_pipeline()") from None
    from workflows.pipelines.sdk import definition_text

    try:
        inspect.signature(get_pipeline).bind(**arguments)
    except TypeError as error:
        raise WorkflowError(
            f"get_pipeline() of {module_name}: {error}; --kwargs gives it arguments, ARTIFACT_BUCKET gives "
            "default_bucket"
        ) from None
    check_options(get_pipeline, arguments)
    pipeline = get_pipeline(**arguments)
    return str(pipeline.name), definition_text(pipeline)


def _tags(text: str | None) -> dict[str, str]:
    project = {key: os.environ[variable] for key, variable in _TAGS.items() if os.environ.get(variable)}
    if text is None:
        return project
    try:
        given = json.loads(text)
        pairs = given.items() if isinstance(given, dict) else [(tag["Key"], tag["Value"]) for tag in given]
        return {**project, **{str(key): str(value) for key, value in pairs}}
    except (ValueError, KeyError, TypeError):
        raise WorkflowError('--tags: write JSON such as [{"Key": "team", "Value": "birds"}]') from None


def _say(text: Sequence[str] | str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
