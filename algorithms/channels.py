"""The channels of a training job: which forms of input there are here, and where their files lie."""

from collections.abc import Mapping
from pathlib import Path

from processing_scripts import contract
from processing_scripts.contract import JobError

RECORDIO = "application/x-recordio"


def content_type(entry: Mapping[str, str]) -> str:
    """A channel's media type without parameters; RecordIO if the job gives none."""
    return entry.get("ContentType", RECORDIO).split(";")[0].strip().lower()


def check_mode(name: str, entry: Mapping[str, str], supported: str) -> None:
    """Refuse channels that do not come as files.

    Raises:
        JobError: names the channel, what it has and what is supported.
    """
    if entry.get("TrainingInputMode", "File") == "Pipe":
        raise JobError(f"channel '{name}' comes in Pipe mode; {supported}")
    if entry.get("RecordWrapperType", "None") not in ("None", ""):
        raise JobError(f"channel '{name}' is an augmented manifest; {supported}")


def channel_folder(name: str) -> Path:
    """The folder of a channel that the job must have.

    Raises:
        JobError: it is missing.
    """
    folder = contract.channel(name)
    if folder is None:
        raise JobError(f"channel '{name}' is missing; add it to the job's InputDataConfig")
    return folder


def find_one(channel: str, suffix: str) -> Path:
    """The one file of a channel that ends in a suffix such as .rec.

    Raises:
        JobError: the channel is missing, or holds no such file or several.
    """
    folder = channel_folder(channel)
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    if not found:
        others = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise JobError(f"channel '{channel}' holds no {suffix} file (it holds {others})")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found[:5])
        raise JobError(f"channel '{channel}' holds {len(found)} {suffix} files ({names}); give exactly one")
    return found[0]
