"""Which objects a step has stored: written down before they are, so that a kill in between is known later.

`stored.txt` in the step's folder holds their URIs, one in a line, `stored-states.txt` the size and time of
change of each file. An object that somebody else has put in its place since is not the step's any more.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from workflows.definition.errors import WorkflowError
from workflows.local.objects import Objects

_URIS, _STATES = "stored.txt", "stored-states.txt"


class UnstorableName(WorkflowError):
    """A file's name cannot be part of a key here."""


def note(folder: Path, files: Sequence[tuple[Path, str]]) -> None:
    """Write down that these files are about to become objects, beside what is noted already.

    Raises:
        UnstorableName: a URI is not one line of UTF-8.
    """
    uris = [_one_line(uri) for _, uri in files]
    states = [_state(path) for path, _ in files]
    # In this order: a URI without a state would be nobody's.
    _append(folder / _STATES, states)
    _append(folder / _URIS, uris)


def held(folder: Path, objects: Objects) -> Iterator[str]:
    """The URIs that are noted in a step's folder and still hold what the step stored there."""
    for uri, state in zip(_lines(folder / _URIS), _lines(folder / _STATES), strict=False):
        path = objects.path(uri)
        if path.is_file() and _state(path) == state:
            yield uri


def forget(folder: Path) -> None:
    """Remove the notes."""
    for name in (_URIS, _STATES):
        (folder / name).unlink(missing_ok=True)


def _append(file: Path, lines: Sequence[str]) -> None:
    whole = "".join(f"{line}\n" for line in (*_lines(file), *lines))
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(whole, encoding="utf-8")
    partial.replace(file)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def _state(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _one_line(uri: str) -> str:
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UnstorableName(f"{uri!r}: the name is not UTF-8, as a key must be") from None
    if uri.splitlines() != [uri]:
        raise UnstorableName(f"{uri!r}: a line break in a name is not possible on this machine")
    return uri
