"""What operations are given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from botocore.model import OperationModel
from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.model import JSON
from workflows.server.s3.address import Address
from workflows.server.s3.storage import Storage
from workflows.server.s3.uploads import Uploads
from workflows.server.shapes import Output


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose objects they are, and where: this machine is one account in one region."""

    id: str
    region: str

    @property
    def owner(self) -> dict[str, JSON]:
        """The owner of everything; canonical ids have 64 digits."""
        return {"ID": self.id.rjust(64, "0")}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, read as far as its operation is known; `given` are the members of its input."""

    storage: Storage
    uploads: Uploads
    account: Account
    operation: OperationModel
    address: Address
    headers: Mapping[str, str]
    given: Mapping[str, JSON]

    @property
    def bucket(self) -> str:
        """The bucket that it names."""
        return self.address.bucket

    @property
    def key(self) -> str:
        """The key that it names."""
        return self.address.key

    def text(self, name: str) -> str | None:
        """A member that is text."""
        value = self.given.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """A member that is a whole number."""
        value = self.given.get(name)
        return value if isinstance(value, int) else None

    def texts(self, name: str) -> dict[str, str]:
        """A member that is a table of texts."""
        value = self.given.get(name)
        return {key: str(item) for key, item in value.items()} if isinstance(value, dict) else {}

    def structure(self, name: str) -> dict[str, JSON]:
        """A member that is a structure."""
        value = self.given.get(name)
        return value if isinstance(value, dict) else {}


def structures(value: JSON) -> list[dict[str, JSON]]:
    """The items of a list of structures."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# In a thread; its answer is written by the service model.
Operation = Callable[[Call], Output]
# With the connection, for content that is not XML.
Transfer = Callable[[Call, Request], Awaitable[Response]]
