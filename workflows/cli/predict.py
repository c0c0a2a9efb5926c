"""`workflows predict`."""

import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path

import click

from workflows.cli.common import (
    image_table,
    json_option,
    open_store,
    print_json,
    settings,
    stand_in_environment,
)
from workflows.definition.errors import WorkflowError
from workflows.local.hosting import Hosts, container_of
from workflows.local.records import MODEL_PACKAGE
from workflows.local.store import Store

_OK = 200
_COLUMNS = 6  # class, score, xmin, ymin, xmax, ymax


@click.command("predict")
@click.argument("endpoint")
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE…", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.4,
    show_default=True,
    help="Show what scores at least this.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to draw the answer.")
@json_option
def predict_command(
    endpoint: str, pictures: tuple[Path, ...], threshold: float, output: Path | None, as_json: bool
) -> None:
    """Ask an endpoint about pictures, print what it finds, and draw it into a PNG file."""
    chosen = settings()
    store = open_store(chosen)
    for picture in pictures:
        if not picture.is_file():
            raise WorkflowError(f"{picture}: no such file")
    with Hosts(store, images=image_table(chosen), environment=stand_in_environment(chosen)) as hosts:
        answers = [_ask(hosts, endpoint, picture) for picture in pictures]
    from workflows.views.pictures import Scored, draw_detection_grid

    target = output or store.home / "pictures" / f"{endpoint}-{pictures[0].stem}.png"
    found = draw_detection_grid(
        [Scored(image=picture, detections=rows) for picture, rows in zip(pictures, answers, strict=True)],
        class_names=class_names(store, endpoint),
        threshold=threshold,
        output=target,
    )
    if as_json:
        results = [
            {"image": str(picture), "detections": [vars(entry) for entry in entries]}
            for picture, entries in zip(pictures, found, strict=True)
        ]
        print_json({"endpoint": endpoint, "threshold": threshold, "picture": str(target), "images": results})
        return
    for picture, entries in zip(pictures, found, strict=True):
        click.echo(f"{picture}: {len(entries)} found")
        for entry in entries:
            click.echo(f"  {entry.name} {entry.score:.3f}  at {entry.box}")
    click.echo(str(target))


def class_names(store: Store, endpoint: str) -> list[str]:
    """The names of an endpoint's classes, from the data report of the version with the same artifact.

    Empty if no version in the registry has it: classes then go by their numbers.
    """
    artifact = container_of(store, endpoint).text("ModelDataUrl")
    for package in reversed(store.all(MODEL_PACKAGE)):
        properties = package.get("CustomerMetadataProperties")
        report = properties.get("DataReport") if isinstance(properties, dict) else None
        if report and artifact in json.dumps(package.get("InferenceSpecification")):
            names = json.loads(store.objects.read(str(report))).get("class_names", [])
            return [str(name) for name in names]
    return []


def _ask(hosts: Hosts, endpoint: str, picture: Path) -> Sequence[Sequence[float]]:
    kind = mimetypes.guess_type(picture.name)[0] or "application/x-image"
    answer = hosts.invoke(endpoint, picture.read_bytes(), {"Content-Type": kind})
    if answer.status != _OK:
        raise WorkflowError(
            f"{picture}: the endpoint answered {answer.status}: {answer.body.decode(errors='replace')}"
        )
    document = json.loads(answer.body)
    rows = document.get("prediction") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == _COLUMNS for row in rows):
        raise WorkflowError(f"{picture}: endpoint '{endpoint}' does not answer with detections")
    return [[float(value) for value in row] for row in rows]
