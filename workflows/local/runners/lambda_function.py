"""Lambda steps: a Python handler, in a process of its own.

Source: SageMaker Developer Guide, Lambda step: flat inputs and outputs, 120 seconds unless set otherwise, at
most 50 output parameters of 1,024 characters.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from workflows.definition.model import JSON
from workflows.local.container import process_environment
from workflows.local.functions import function_name
from workflows.local.runners.base import Result, Site, StepFailed, Task

TIME_LIMIT_S = 120
_VALUE_LIMIT = 1024
_HOST = Path(__file__).parents[1] / "lambda_host.py"


def run(task: Task, site: Site) -> Result:
    """Call the function with the step's arguments; its outputs become OutputParameters."""
    arn = task.fields.text("FunctionArn")
    name = function_name(arn)
    handler = site.functions.get(name)
    if handler is None:
        raise StepFailed(f"{task.fields.where}: no handler stands in for function '{name}'")
    answer = _call(handler, task, site, name)
    outputs = _outputs(answer, task)
    listed: JSON = [{"Name": key, "Value": value} for key, value in outputs.items()]
    return Result(
        kind=None,
        name=name,
        description={"OutputParameters": dict(outputs)},
        metadata={"Lambda": {"Arn": arn, "OutputParameters": listed}},
    )


def _call(handler: str, task: Task, site: Site, name: str) -> JSON:
    answer = task.folder / "answer.json"
    answer.unlink(missing_ok=True)
    own = {"HOME": str(task.folder), "AWS_LAMBDA_FUNCTION_NAME": name}
    environment = process_environment({**site.function_environment, **own})
    try:
        done = subprocess.run(
            [sys.executable, str(_HOST), handler, str(answer)],
            input=json.dumps(dict(task.request.fields)),
            env=environment,
            cwd=task.folder,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StepFailed(f"function '{name}' did not return within {TIME_LIMIT_S} s") from None
    (task.folder / "log.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    for line in done.stdout.splitlines():
        site.report(task.step, line)
    if done.returncode != 0:
        # The traceback before it is in the log.
        lines = done.stderr.strip().splitlines()
        raise StepFailed(f"function '{name}' failed: {lines[-1] if lines else 'no message'}")
    value: JSON = json.loads(answer.read_text(encoding="utf-8"))
    return value


def _outputs(answer: JSON, task: Task) -> Mapping[str, JSON]:
    if not isinstance(answer, dict):
        raise StepFailed(f"the function returned {type(answer).__name__}, not an object")
    outputs: dict[str, JSON] = {}
    for parameter in task.fields.requests("OutputParameters"):
        key = parameter.text("OutputName")
        if key not in answer:
            raise StepFailed(
                f"the function returned no '{key}'; it returned {', '.join(answer) or 'nothing'}"
            )
        value = answer[key]
        if isinstance(value, (dict, list)):
            # As in the service: what is nested becomes one string.
            value = json.dumps(value)
        if len(str(value)) > _VALUE_LIMIT:
            raise StepFailed(f"output '{key}' has more than {_VALUE_LIMIT} characters")
        outputs[key] = value
    return outputs
