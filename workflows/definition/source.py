"""Places in the code that a definition was compiled from."""

from typing import NamedTuple


class SourceLine(NamedTuple):
    """A line of a source file."""

    file: str  # below the folder that holds the packages, with "/"
    line: int  # from 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"
