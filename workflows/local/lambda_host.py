"""Calls a Lambda handler as AWS Lambda's Python runtime does: python lambda_host.py CALL.json ANSWER.json

CALL.json holds file, handler, event, deadline_ms (in the time of the epoch), request_id and function_arn.
ANSWER.json is what the handler returned, {"result": ...}, or {"errorType": ..., "errorMessage": ...} where it
could not be called or raised an exception. Nothing is written where the handler ended the process.
"""

import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Context:
    """What Lambda tells a handler about the call."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.aws_request_id: str = call["request_id"]
        self.invoked_function_arn: str = call["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline_ms: int = call["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed."""
        return max(0, self._deadline_ms - int(time.time() * 1000))


class NotCallable(Exception):
    """The handler cannot be found; `kind` is Lambda's name for why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main() -> None:
    """Load the file, call the handler, write what came of it."""
    call = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = _answer(call)
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


def _answer(call: dict[str, Any]) -> dict[str, Any]:
    try:
        result = _load(Path(call["file"]), call["handler"])(call["event"], Context(call))
    except NotCallable as error:
        return _error(error.kind, str(error))
    except Exception as error:  # noqa: BLE001 - any fault of a handler is its caller's to see, as on AWS
        traceback.print_exc()
        return _error(type(error).__name__, str(error))
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError) as error:
        return _error("Runtime.MarshalError", f"Unable to marshal response: {error}")
    return {"result": result}


def _load(file: Path, name: str) -> Callable[[Any, Context], Any]:
    # As in Lambda: what lies beside the function can be imported and opened, and not what lies beside this.
    sys.path[0] = str(file.parent)
    os.chdir(file.parent)
    module = _import(file)
    try:
        handler: Callable[[Any, Context], Any] = getattr(module, name)
    except AttributeError:
        raise NotCallable(
            "Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{file.stem}'"
        ) from None
    return handler


def _import(file: Path) -> object:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise NotCallable("Runtime.ImportModuleError", f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        traceback.print_exc()
        message = f"Unable to import module '{file.stem}': {error}"
        raise NotCallable("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        raise NotCallable(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{file.stem}': {error}"
        ) from None
    return module


def _error(kind: str, message: str) -> dict[str, str]:
    return {"errorType": kind, "errorMessage": message}


if __name__ == "__main__":
    main()
