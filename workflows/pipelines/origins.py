"""In which line a pipeline makes each of its steps, for findings about them.

Neither a step nor its JSON tells. So while a pipeline is compiled, each step is asked who makes it, and the
answer is kept beside the definition. The line is that of the module which says what the pipeline consists of:
the factories that it calls make steps for every pipeline, and lead to none.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from workflows.definition.source import SourceLine

_PACKAGE = __name__.rpartition(".")[0]
_FACTORIES = {f"{_PACKAGE}.{name}" for name in ("origins", "sdk", "steps", "vision_steps", "verdict")}

_lines: ContextVar[dict[str, SourceLine] | None] = ContextVar("lines", default=None)


@contextmanager
def remembered() -> Iterator[dict[str, SourceLine]]:
    """Step name -> the line that makes it, filled while the block makes steps."""
    lines: dict[str, SourceLine] = {}
    token = _lines.set(lines)
    try:
        yield lines
    finally:
        _lines.reset(token)


def remember(step: str) -> None:
    """Note who is making a step of that name; call it while it is made."""
    lines = _lines.get()
    frame = inspect.currentframe() if lines is not None else None
    while frame is not None and lines is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(f"{_PACKAGE}.") and module not in _FACTORIES:
            lines[step] = SourceLine(f"{module.replace('.', '/')}.py", frame.f_lineno)
            return
        frame = frame.f_back
