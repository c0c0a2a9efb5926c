"""What the operations of the server work on."""

from dataclasses import dataclass, field

from workflows.local.engine import Engine
from workflows.local.executor import Options
from workflows.local.hosting import Hosts
from workflows.local.naming import Names
from workflows.local.store import Store
from workflows.server.background import Background


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This machine, as one account in one region."""

    engine: Engine
    hosts: Hosts
    background: Background
    # How executions run whose request says nothing of it: without the step cache, with rehearsed faults.
    options: Options = field(default_factory=Options)

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        return self.engine.store

    @property
    def names(self) -> Names:
        """ARNs of its account and region."""
        return Names(region=self.engine.place.region, account=self.engine.place.account)
