"""Lambda steps: a Python handler, in a process of its own.

Sources: SageMaker Developer Guide, Lambda step; StopPipelineExecution; AWS Lambda Developer Guide, function
errors in Python. A function cannot be stopped: an execution that is stopped waits for it, as on SageMaker.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from workflows.definition.model import JSON, Scalar
from workflows.local import output_parameters
from workflows.local.container import Container
from workflows.local.functions import Function, function_name, refusals
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.trees import remove_tree

_HOST = Path(__file__).parents[1] / "lambda_host.py"
# What the SDK gives a function that it creates; nothing enforces it here.
_MEMORY_MB = 128


def run(task: Task, site: Site) -> Result:
    """Call the function with the step's arguments; its outputs become OutputParameters."""
    for reason in refusals(task.request.fields, task.fields.fields, task.fields.where):
        raise StepFailed(reason)
    arn = task.fields.text("FunctionArn")
    name = function_name(arn)
    function = site.functions.get(name)
    if function is None:
        raise StepFailed(f"{task.fields.where}: no handler stands in for function '{name}'")
    answer = _Call(function, name, arn, task, site).make()
    outputs = _outputs(answer, task)
    return Result(
        kind=None,
        name=name,
        description=output_parameters.properties(outputs),
        metadata={"Lambda": {"Arn": arn, "OutputParameters": output_parameters.listed(outputs)}},
    )


class _Call:
    """One invocation of a function."""

    def __init__(self, function: Function, name: str, arn: str, task: Task, site: Site) -> None:
        self._function, self._name, self._arn = function, name, arn
        self._task, self._site = task, site
        self._asked = task.folder / "call.json"
        self._answer = task.folder / "answer.json"

    def make(self) -> JSON:
        """What the handler returned.

        Raises:
            StepFailed: it raised an exception, ended its process or took too long.
        """
        self._answer.unlink(missing_ok=True)
        self._asked.write_text(json.dumps(self._call()), encoding="utf-8")
        code = self._run(self._container())
        if not self._answer.is_file():
            # As Lambda puts it where the process ends before the handler returns.
            raise self._failed("Runtime.ExitError", f"Runtime exited with error: exit status {code}")
        answer = json.loads(self._answer.read_text(encoding="utf-8"))
        if "result" not in answer:
            raise self._failed(answer["errorType"], answer["errorMessage"])
        result: JSON = answer["result"]
        return result

    def _run(self, container: Container) -> int:
        running = container.start()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            running.kill()

        timer = threading.Timer(self._function.timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            code = running.wait(lambda line: self._site.report(self._task.step, line))
        finally:
            timer.cancel()
            running.kill()
            remove_tree(container.opt_ml)
        if expired.is_set():
            limit_s = self._function.timeout_s
            raise self._failed("Sandbox.Timedout", f"Task timed out after {limit_s:.2f} seconds")
        return code

    def _container(self) -> Container:
        # Not that a function has a /opt/ml: a container of its own is what ends with the engine, and whole.
        return Container(
            opt_ml=self._task.folder / "opt-ml",
            log=self._task.folder / "log.txt",
            argv=(sys.executable, str(_HOST), str(self._asked), str(self._answer)),
            environment=self._environment(),
        )

    def _environment(self) -> dict[str, str]:
        name = self._name
        own = {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._task.name,
            "LAMBDA_TASK_ROOT": str(self._function.file.parent),
            # The folder is the user's: nothing of a run belongs there.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**self._site.function_environment, **self._function.environment, **own}

    def _call(self) -> dict[str, JSON]:
        return {
            "file": str(self._function.file),
            "handler": self._function.handler,
            "event": dict(self._task.request.fields),
            "deadline_ms": int((time.time() + self._function.timeout_s) * 1000),
            "request_id": str(uuid.uuid4()),
            "function_arn": self._arn,
        }

    def _failed(self, kind: str, message: str) -> StepFailed:
        # What Lambda calls every error that the function's own code has not caught.
        return StepFailed(f"function '{self._name}' failed (Unhandled): {kind}: {message}")


def _outputs(answer: JSON, task: Task) -> Mapping[str, Scalar]:
    parameters = output_parameters.declared(task.fields)
    if not parameters:
        return {}
    if not isinstance(answer, dict):
        raise StepFailed(f"the function returned {type(answer).__name__}, not an object")
    outputs: dict[str, Scalar] = {}
    for parameter in parameters:
        value = answer.get(parameter.name)
        if value is None:
            raise StepFailed(
                f"the function returned no '{parameter.name}'; it returned {', '.join(answer) or 'nothing'}"
            )
        outputs[parameter.name] = parameter.read(value)
    return outputs
