"""The hosts of a job: their names, and the addresses under which they reach each other on this machine.

Each job has loopback addresses of its own, so that servers of two jobs can listen at the same port of their
own host. A server that listens at every address of its host meets all others of this machine.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from workflows.definition.errors import WorkflowError

# Of each job's addresses, 127.x.y.0 to 127.x.y.255, the first and the last are left out.
MAX_HOSTS = 254
_THIS_MACHINE = Path("/etc/hosts")
_LOOPBACK = int(IPv4Address("127.0.0.0"))


@dataclass(frozen=True)
class Host:
    """One container of a job, as its other containers know it."""

    name: str
    address: str


def hosts_of(job: str, count: int) -> tuple[Host, ...]:
    """algo-1, algo-2 … with the addresses of this job, always the same for its name.

    Raises:
        WorkflowError: more than this machine has addresses for.
    """
    if not 1 <= count <= MAX_HOSTS:
        raise WorkflowError(f"{job}: InstanceCount {count} must be between 1 and {MAX_HOSTS} on this machine")
    # 127.0.*.* is left to this machine's own services.
    digest = int.from_bytes(hashlib.sha256(job.encode()).digest()[:8], "big")
    net = 256 + digest % (65536 - 256)
    return tuple(
        Host(f"algo-{number}", str(IPv4Address(_LOOPBACK + (net << 8) + number)))
        for number in range(1, count + 1)
    )


def write_hosts_file(path: Path, hosts: Sequence[Host]) -> None:
    """What a job sees as /etc/hosts: this machine's own, and the job's hosts."""
    own = _THIS_MACHINE.read_text(encoding="utf-8", errors="replace") if _THIS_MACHINE.is_file() else ""
    lines = "".join(f"{host.address}\t{host.name}\n" for host in hosts)
    path.write_text(f"{own.rstrip()}\n{lines}" if own else lines, encoding="utf-8")
