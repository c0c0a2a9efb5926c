"""Pictures that executions leave in S3."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workflows.aws import executions, objects
from workflows.aws.clients import Clients
from workflows.definition.records import Record, at, objects_of

_SUFFIXES = (".jpg", ".jpeg", ".png")


def drawn(clients: Clients, steps: list[Record], folder: Path) -> Iterator[Path]:
    """Fetch the PNG files among the outputs of an execution's processing jobs.

    Args:
        clients: where they are.
        steps: of the execution.
        folder: a picture becomes FOLDER/STEP/NAME.

    Returns:
        Their paths, job by job.
    """
    for step, job in executions.made_by_step(clients, steps, "ProcessingJob"):
        for output in objects_of(at(job, "ProcessingOutputConfig", "Outputs")):
            for uri in objects.keys(clients, str(at(output, "S3Output", "S3Uri"))):
                if uri.endswith(".png"):
                    path = folder / step / PurePosixPath(uri).name
                    objects.download(clients, uri, path)
                    yield path


def held_out(clients: Clients, package: Record, folder: Path, *, count: int) -> list[Path]:
    """Fetch a few pictures that a version was not trained on, evenly out of all: so of several classes.

    Args:
        clients: where they are.
        package: the version, as DescribeModelPackage has it.
        folder: a picture becomes FOLDER/NUMBER/NAME, as several may have the same name.
        count: of pictures, at most.

    Returns:
        Their paths; none if the version does not say where its pictures are.
    """
    place = at(package, "CustomerMetadataProperties", "ValidationPictures")
    if not place:
        return []
    uris = [uri for uri in objects.keys(clients, str(place)) if uri.lower().endswith(_SUFFIXES)]
    fetched = []
    for number in range(min(count, len(uris))):
        uri = uris[number * len(uris) // min(count, len(uris))]
        path = folder / str(number) / PurePosixPath(uri).name
        objects.download(clients, uri, path)
        fetched.append(path)
    return fetched
