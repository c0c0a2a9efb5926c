"""Calls a Lambda handler: python lambda_host.py FILE:HANDLER ANSWER.json, the event on standard input."""

import importlib.util
import json
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace


def main() -> None:
    """Load the file, call the handler, write what it returns."""
    target, answer = sys.argv[1:]
    file, _, name = target.rpartition(":")
    spec = importlib.util.spec_from_file_location("handler", file)
    if spec is None or spec.loader is None:
        sys.exit(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    event = json.load(sys.stdin)
    try:
        result = getattr(module, name)(event, SimpleNamespace(function_name=name))
    except Exception as error:  # noqa: BLE001 - any fault of a handler is its caller's to see, as on AWS
        traceback.print_exc()
        sys.exit(f"{type(error).__name__}: {error}")
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
