"""What a check finds, and the rules behind it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  # the service refuses it, or the job fails because of it
    WARNING = "warning"  # it works, but hardly as it was meant
    NOTE = "note"  # worth knowing


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, where it is, and what to do about it."""

    identifier: str
    severity: Severity
    path: Path  # in the document
    text: str
    remedy: str
    refused_here: bool  # whether this machine, which is more lenient than the service, refuses it, too
    step: str | None = None  # the innermost step around the place

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        return pointer_of(self.path)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of mistake."""

    identifier: str
    severity: Severity
    title: str  # one line
    why: str  # what would happen
    source: str  # where it is written
    refused_here: bool = False

    def at(self, path: Path, text: str, remedy: str) -> Finding:
        """A place that breaks the rule."""
        return Finding(
            identifier=self.identifier,
            severity=self.severity,
            path=path,
            text=text,
            remedy=remedy,
            refused_here=self.refused_here,
        )

    def mildly_at(self, path: Path, text: str, remedy: str) -> Finding:
        """As `at`, where it is not certain that the service refuses it: a warning."""
        return replace(self.at(path, text, remedy), severity=Severity.WARNING, refused_here=False)


def pointer_of(path: Path) -> str:
    """A JSON pointer (RFC 6901); the whole document's is empty."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def spoken(path: Path) -> str:
    """A path for people: HyperParameters.epochs, InputDataConfig[0]."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).lstrip(".")
