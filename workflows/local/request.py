"""Typed access to the arguments of a step, which are the request of one SageMaker call."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON


class RequestError(WorkflowError):
    """A field of a step's arguments is missing or of the wrong type."""


@dataclass(frozen=True)
class Request:
    """An object in a request, and where it stands."""

    fields: Mapping[str, JSON]
    where: str

    def find(self, path: str) -> JSON:
        """The value at a dotted path, or None."""
        value: JSON = dict(self.fields)
        for part in path.split("."):
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return value

    def text(self, path: str, default: str | None = None) -> str:
        """A string; RequestError if it is missing and there is no default."""
        value = self.find(path)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            raise RequestError(f"{self.where}.{path}: must be a string, is {value!r}")
        return value

    def number(self, path: str, default: int) -> int:
        """An integer, or the default if it is missing."""
        value = self.find(path)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise RequestError(f"{self.where}.{path}: must be an integer, is {value!r}")
        return value

    def texts(self, path: str) -> list[str]:
        """A list of strings; empty if it is missing."""
        items = self._list(path)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise RequestError(f"{self.where}.{path}[{index}]: must be a string, is {item!r}")
        return [str(item) for item in items]

    def mapping(self, path: str) -> dict[str, str]:
        """An object of strings; empty if it is missing."""
        value = self.find(path)
        entries = {} if value is None else value
        if not isinstance(entries, dict):
            raise RequestError(f"{self.where}.{path}: must be an object")
        for name, item in entries.items():
            if not isinstance(item, str):
                raise RequestError(f"{self.where}.{path}.{name}: must be a string, is {item!r}")
        return {name: str(item) for name, item in entries.items()}

    def requests(self, path: str) -> "list[Request]":
        """A list of objects; empty if it is missing."""
        found = []
        for index, item in enumerate(self._list(path)):
            if not isinstance(item, dict):
                raise RequestError(f"{self.where}.{path}[{index}]: must be an object")
            found.append(Request(item, f"{self.where}.{path}[{index}]"))
        return found

    def _list(self, path: str) -> list[JSON]:
        value = self.find(path)
        if value is not None and not isinstance(value, list):
            raise RequestError(f"{self.where}.{path}: must be a list")
        return value or []
