"""What SageMaker gives a container and takes from it: paths, job configuration, failure file.

Standard library only, because every job and every stand-in algorithm imports it first.

Source: SageMaker Developer Guide, "How Amazon SageMaker Runs Your Training Image" and "Build Your Own
Processing Container".
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# SageMaker cuts FailureReason at 1024 characters and a processing job's ExitMessage at 1 KB.
MESSAGE_LIMIT_BYTES = 1024


class JobError(Exception):
    """The job cannot go on for a reason that its user can remove; the message says what, where and how."""


def root() -> Path:
    """The tree that SageMaker calls /opt/ml.

    OPT_ML names another folder where the machine cannot show a job its own tree at /opt/ml.
    """
    return Path(os.environ.get("OPT_ML", "/opt/ml"))


def processing_path(*parts: str) -> Path:
    """A path below /opt/ml/processing, where inputs and outputs of a processing job lie."""
    return root().joinpath("processing", *parts)


def channel(name: str) -> Path | None:
    """The folder of a training channel in File mode, or None if the job has no such channel."""
    folder = root() / "input" / "data" / name
    return folder if folder.is_dir() else None


def model_dir() -> Path:
    """The folder that becomes model.tar.gz, and that an endpoint's container finds unpacked."""
    return root() / "model"


def checkpoints_dir() -> Path | None:
    """The folder synchronised with CheckpointConfig.S3Uri, or None if the job has no checkpoints."""
    folder = root() / "checkpoints"
    return folder if folder.is_dir() else None


def hyperparameters() -> dict[str, str]:
    """The training job's hyperparameters; every value is a string, as on the wire.

    Raises:
        JobError: the file is missing or not a flat object of strings.
    """
    path = root() / "input" / "config" / "hyperparameters.json"
    values = _read_object(path)
    for name, value in values.items():
        if not isinstance(value, str):
            raise JobError(f"{path}: hyperparameter '{name}' is {value!r}; SageMaker sends strings only")
    return {name: str(value) for name, value in values.items()}


def input_data_config() -> dict[str, Mapping[str, str]]:
    """Channel name -> {ContentType, TrainingInputMode, ...}; ContentType may be absent.

    Raises:
        JobError: the file is missing or not a JSON object.
    """
    return {
        name: entry
        for name, entry in _read_object(root() / "input" / "config" / "inputdataconfig.json").items()
        if isinstance(entry, dict)
    }


def current_host() -> str:
    """This host's name in the training job, such as algo-1."""
    path = root() / "input" / "config" / "resourceconfig.json"
    return str(_read_object(path)["current_host"]) if path.is_file() else "algo-1"


def hosts() -> list[str]:
    """The names of all hosts of the training job, sorted; one name where the job does not tell."""
    path = root() / "input" / "config" / "resourceconfig.json"
    named = _read_object(path).get("hosts") if path.is_file() else None
    return sorted(map(str, named)) if isinstance(named, list) else [current_host()]


@dataclass(frozen=True, kw_only=True)
class Host:
    """One instance of a processing job; all of them run the same command side by side, and share no disk."""

    index: int  # from 0, in the order of the hosts' names
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this is the instance that does what one has to do for all."""
        return self.index == 0


def processing_host() -> Host:
    """Which instance of a processing job this is; the only one where the job does not tell.

    Raises:
        JobError: the file that tells is malformed.
    """
    path = root() / "config" / "resourceconfig.json"
    if not path.is_file():
        return Host(index=0, count=1)
    config = _read_object(path)
    name, named = config.get("current_host"), config.get("hosts")
    if not isinstance(named, list) or name not in named or len(set(map(str, named))) < len(named):
        raise JobError(f"{path}: current_host {name!r} is not one of the different hosts {named!r}")
    # The service sorts them, but every instance must count alike whatever writes the file.
    return Host(index=sorted(map(str, named)).index(str(name)), count=len(named))


def refuse_several_instances(job: str) -> None:
    """End a job that cannot share its work.

    Raises:
        JobError: it runs on more than one instance.
    """
    count = processing_host().count
    if count > 1:
        raise JobError(f"{job} runs on one instance, not on {count}; set the step's InstanceCount to 1")


def run_training(job: Callable[[], None]) -> int:
    """Run a training job; a JobError becomes /opt/ml/output/failure and exit code 1."""
    return _run(job, root() / "output" / "failure")


def run_processing(job: Callable[[], None]) -> int:
    """Run a processing job; a JobError becomes /opt/ml/output/message and exit code 1."""
    return _run(job, root() / "output" / "message")


@contextmanager
def published(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under `path` whole, when the block ends well, or not at all.

    Until then a file that was there before stays as it was. Missing folders are made.

    Raises:
        JobError: the file cannot be written; the message names it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


# What a write says when the disk, a quota or a limit on file sizes is exhausted; a read never does.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what keeps the block from writing `path` into a JobError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise JobError(
                f"{path}: cannot be written: {error.strerror}; give the job a larger volume"
            ) from None
        # The block may read other files; their faults are not this file's.
        at_fault = Path(str(error.filename))
        if error.errno in _NOT_ALLOWED and (at_fault.parent == path.parent or at_fault in path.parents):
            raise JobError(f"{path}: cannot be written: {error.strerror}: {at_fault}") from None
        raise


def _run(job: Callable[[], None], message_file: Path) -> int:
    try:
        job()
    except JobError as error:
        message_file.parent.mkdir(parents=True, exist_ok=True)
        # Cut by bytes: a message that is not UTF-8 makes SageMaker fail the job for that reason instead.
        message = str(error).encode()[:MESSAGE_LIMIT_BYTES].decode(errors="ignore")
        message_file.write_text(message, encoding="utf-8")
        sys.stdout.flush()
        sys.stderr.write(f"ERROR {error}\n")
        return 1
    return 0


def _read_object(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobError(f"{path}: not there; was this started as SageMaker does?") from None
    except ValueError as error:
        raise JobError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise JobError(f"{path}: holds {type(values).__name__}, not a JSON object")
    return values
