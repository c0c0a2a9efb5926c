"""The containers of a processing or training job: made, given their inputs, run to their end."""

import codecs
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from workflows.definition.model import JSON
from workflows.local.cluster import Cluster, Cut, Limits
from workflows.local.container import Container
from workflows.local.faults import Fault
from workflows.local.hosts import hosts_of, write_hosts_file
from workflows.local.images import StandIn
from workflows.local.objects import WHOLE, Objects, Shard
from workflows.local.request import Request, RequestError
from workflows.local.runners.base import Site, StepFailed, Task
from workflows.local.runners.jobs import HOSTS_FILE, remove_trees

_OPT_ML = PurePosixPath("/opt/ml")
_DAY_S = 86400  # the service's default
_MESSAGE_LIMIT = 1024
_READ_LIMIT = 1024 * 1024
_REHEARSED: Mapping[str, Cut] = {
    "kill": Cut.KILLED,
    "timeout": Cut.TIMEOUT,
    "spot-interruption": Cut.INTERRUPTED,
}

Containers = Mapping[str, Container]  # by the names of their hosts


@dataclass(frozen=True)
class Instances:
    """How many hosts a job has, and of which type."""

    count: int
    type: str | None


@dataclass(frozen=True)
class Input:
    """What a job finds at a place below /opt/ml."""

    uri: str
    place: PurePosixPath  # relative to /opt/ml
    sharded: bool


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `failure` is None or why it failed, in SageMaker's words."""

    failure: str | None
    cut: Cut | None = None


def instances_of(request: Request, path: str) -> Instances:
    """What ResourceConfig or ClusterConfig asks for.

    Raises:
        RequestError: instances of several types, or none.
    """
    if request.find(f"{path}.InstanceGroups"):
        raise RequestError(
            f"{request.where}.{path}.InstanceGroups: clusters of several instance types do not run on this "
            "machine; use InstanceType and InstanceCount"
        )
    count = request.number(f"{path}.InstanceCount", 1)
    if count < 1:
        raise RequestError(f"{request.where}.{path}.InstanceCount: must be above 0, is {count}")
    return Instances(count, request.text(f"{path}.InstanceType", "") or None)


def max_runtime_s(request: Request) -> int:
    """How long a job may run."""
    return request.number("StoppingCondition.MaxRuntimeInSeconds", _DAY_S)


def make_containers(
    task: Task,
    site: Site,
    *,
    stand_in: StandIn,
    instances: Instances,
    argv: tuple[str, ...],
    environment: Mapping[str, str],
) -> Containers:
    """The containers of a job, in empty trees.

    Raises:
        StepFailed: several, where they would have to run in Docker.
    """
    if stand_in.docker_image and instances.count > 1:
        raise StepFailed(
            f"{task.request.where}: a job of {instances.count} instances does not run through Docker on this "
            "machine; set InstanceCount to 1, or add [images.NAME] with a command to workflows.toml"
        )
    # A step that is tried again must not find what its last try left.
    remove_trees(task)
    hosts = hosts_of(task.name, instances.count)
    hosts_file = task.folder / HOSTS_FILE
    write_hosts_file(hosts_file, hosts)
    containers = {}
    for host in hosts:
        root = task.folder if instances.count == 1 else task.folder / host.name
        (root / "opt-ml").mkdir(parents=True)
        containers[host.name] = Container(
            opt_ml=root / "opt-ml",
            log=root / "log.txt",
            argv=(stand_in.command or ()) + argv,
            environment=environment,
            name=task.name,
            docker_image=stand_in.docker_image,
            hosts_file=hosts_file,
        )
    if instances.count > 1 and not containers[hosts[0].name].has_own_mounts():
        line = "WARNING the names of the hosts do not resolve: this machine allows no mount namespaces"
        site.report(task.step, line)
    return containers


def write_resource_config(containers: Containers, relative: str, instances: Instances) -> None:
    """Tell each container which host it is, and who the others are."""
    for host, container in containers.items():
        config: dict[str, JSON] = {
            "current_host": host,
            "hosts": [*sorted(containers)],
            "network_interface_name": "lo",
        }
        if instances.type:
            config["current_instance_type"] = instances.type
        container.write_config(relative, config)


def is_sharded(distribution: str) -> bool:
    """Whether this S3DataDistributionType gives each host a share of the objects.

    Raises:
        StepFailed: there is none of this name.
    """
    if distribution not in ("FullyReplicated", "ShardedByS3Key"):
        raise StepFailed(
            f"S3DataDistributionType '{distribution}': must be FullyReplicated or ShardedByS3Key"
        )
    return distribution == "ShardedByS3Key"


def give_inputs(
    containers: Containers,
    inputs: Sequence[Input],
    objects: Objects,
    *,
    kept: Collection[PurePosixPath] = (),
) -> None:
    """Put inputs at their places, each host's share of those that are sharded.

    They are lent where this machine can do that, and copied where not, or where `kept` holds their place: a
    folder that is read after the job must be in its own tree.
    """
    for index, container in enumerate(containers.values()):
        for item in inputs:
            shard = Shard(index, len(containers)) if item.sharded else WHOLE
            if container.can_be_lent() and not any(_overlap(item.place, place) for place in kept):
                objects.lend(item.uri, container.lent / item.place, shard=shard)
            else:
                objects.download(item.uri, container.opt_ml / item.place, shard=shard)


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def place_below(path: str, root: str, field: str) -> PurePosixPath:
    """A path of a request, relative to /opt/ml.

    Raises:
        StepFailed: it is not below `root`.
    """
    inside = PurePosixPath(path)
    if PurePosixPath(root) not in inside.parents or ".." in inside.parts:
        raise StepFailed(f"{field} '{path}' must begin with {root}/")
    return inside.relative_to(_OPT_ML)


def folder_of(container: Container, place: PurePosixPath) -> Path:
    """What a job has left at a place.

    Raises:
        StepFailed: it has put a symbolic link there, or above; SageMaker does not follow them.
    """
    root = container.opt_ml.resolve()
    if (root / place).resolve() != root / place:
        raise StepFailed(f"{_OPT_ML / place} is a symbolic link, and those are not followed")
    return root / place


def run_to_end(
    containers: Containers,
    task: Task,
    site: Site,
    *,
    message_file: str,
    on_line: Callable[[str], None] = lambda _: None,
    ran_s: float = 0,
) -> Outcome:
    """Run a job's containers.

    Args:
        containers: its hosts.
        task: its step; its fault is met inside the first container.
        site: the engine.
        message_file: below /opt/ml, what a container says about its end.
        on_line: told every line, without its host.
        ran_s: how much of its time an earlier run has used up.
    """
    several = len(containers) > 1

    def take(host: str, line: str) -> None:
        site.report(task.step, f"[{host}] {line}" if several else line)
        on_line(line)

    cluster = Cluster(_with_fault(containers, task.fault), joint_log=task.folder / "log.txt", on_line=take)
    rehearsed = _REHEARSED.get(task.fault.kind) if task.fault else None
    limit_s = max_runtime_s(task.request) - ran_s
    ending = cluster.run(Limits(seconds=limit_s, stopped=site.stopped, rehearsed=rehearsed))
    if ending.cut is Cut.STOPPED:
        return Outcome("the execution was stopped", ending.cut)
    if ending.cut is Cut.TIMEOUT:
        reason = f"the job ran longer than MaxRuntimeInSeconds, {max_runtime_s(task.request)} s"
        return Outcome(f"MaxRuntimeExceeded: {reason}", ending.cut)
    if ending.code == 0:
        return Outcome(None, ending.cut)
    said = messages(containers, message_file) or f"no message; its log ends: {ending.log_tail or '(empty)'}"
    host = f"{ending.host}: " if several else ""
    return Outcome(_algorithm_error(f"{host}{said}", ending.code))


def _algorithm_error(message: str, code: int) -> str:
    head, end = "AlgorithmError: ", f", exit code: {code}"
    return f"{head}{message[: _MESSAGE_LIMIT - len(head) - len(end)]}{end}"


def _with_fault(containers: Containers, fault: Fault | None) -> Containers:
    """The same containers; with the fault exit-N, the first one's job is replaced by one that exits so."""
    if fault is None or fault.kind != "exit":
        return containers
    first, container = next(iter(containers.items()))
    exits = replace(container, argv=("sh", "-c", f"exit {fault.code}"), docker_image=None)
    return {**containers, first: exits}


def messages(containers: Containers, relative: str) -> str:
    """What the hosts have left for their caller, joined, at most 1,024 characters; empty if nothing."""
    found = [_read(container, relative).decode(errors="replace").strip() for container in containers.values()]
    return "\n".join(text for text in found if text)[:_MESSAGE_LIMIT]


def all_utf8(containers: Containers, relative: str) -> bool:
    """Whether the hosts' messages are text."""
    try:
        for container in containers.values():
            text = _read(container, relative)
            # Where only its beginning was read, that may end inside a character.
            codecs.getincrementaldecoder("utf-8")().decode(text, final=len(text) < _READ_LIMIT)
    except UnicodeDecodeError:
        return False
    return True


def _read(container: Container, relative: str) -> bytes:
    path = folder_of(container, PurePosixPath(relative))
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_READ_LIMIT)
