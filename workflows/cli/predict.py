"""`workflows predict`."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import click

from workflows.aws import endpoints
from workflows.aws.clients import Clients
from workflows.cli.common import json_option, print_json
from workflows.cli.place import connect, on_option
from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.predictions import detections, numbers, padded

Answer = tuple[Path, JSON]  # a picture, and what the endpoint said in JSON


class Result(TypedDict):
    """What was found in one picture."""

    image: str
    found: list[dict[str, object]]


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
@on_option
@json_option
def predict_command(
    endpoint: str,
    pictures: tuple[Path, ...],
    threshold: float,
    output: Path | None,
    on: str | None,
    as_json: bool,
) -> None:
    """Ask an endpoint about pictures, print what it finds, and draw it into a PNG file."""
    for picture in pictures:
        if not picture.is_file():
            raise WorkflowError(f"{picture}: no such file")
    with connect(on) as place:
        target = output or place.pictures / f"{endpoint}-{pictures[0].stem}.png"
        results = predict(place.clients, endpoint, pictures, threshold=threshold, output=target)
    if as_json:
        print_json({"endpoint": endpoint, "picture": str(target), "images": results})
        return
    for result in results:
        click.echo(f"{result['image']}: {len(result['found'])} found")
        for entry in result["found"]:
            click.echo("  " + "  ".join(str(value) for value in entry.values()))
    click.echo(str(target))


def predict(
    clients: Clients, endpoint: str, pictures: Sequence[Path], *, threshold: float, output: Path
) -> list[Result]:
    """Ask an endpoint about pictures, and draw what it finds into one picture.

    Args:
        clients: where the endpoint is.
        endpoint: its name.
        pictures: JPEG or PNG files.
        threshold: the lowest score of a detection that counts.
        output: PNG or JPEG file to write.

    Returns:
        For each picture what was found: names, scores and boxes in pixels (left, top, right, bottom) of a
        detector; labels and probabilities of a classifier.

    Raises:
        NotFound: no endpoint has this name.
        WorkflowError: an answer, or a picture, cannot be used.
    """
    names = endpoints.class_names(clients, endpoints.get(clients, endpoint))
    answers = [(picture, _ask(clients, endpoint, picture)) for picture in pictures]
    if all(isinstance(answer, list) for _, answer in answers):
        return _classified(answers, names, output)
    return _detected(answers, names, threshold, output)


def _detected(
    answers: Sequence[Answer], names: Sequence[str], threshold: float, target: Path
) -> list[Result]:
    from workflows.views.pictures import Scored, draw_detection_grid

    scored = [
        Scored(image=picture, detections=detections(answer, where=str(picture)))
        for picture, answer in answers
    ]
    classes = {int(row[0]) for entry in scored for row in entry.detections}
    found = draw_detection_grid(
        scored, class_names=padded(names, max(classes, default=0) + 1), threshold=threshold, output=target
    )
    return [
        {
            "image": str(entry.image),
            "found": [
                {"name": one.name, "score": round(one.score, 4), "box": list(one.box)} for one in drawn
            ],
        }
        for entry, drawn in zip(scored, found, strict=True)
    ]


def _classified(answers: Sequence[Answer], names: Sequence[str], target: Path) -> list[Result]:
    from workflows.views.labels import Classified, draw_label_grid

    classified = [Classified(image=picture, probabilities=numbers(answer)) for picture, answer in answers]
    widest = max(len(entry.probabilities) for entry in classified)
    found = draw_label_grid(classified, class_names=padded(names, widest), output=target)
    return [
        {
            "image": str(entry.image),
            "found": [{"label": one.name, "probability": round(one.probability, 4)} for one in labels],
        }
        for entry, labels in zip(classified, found, strict=True)
    ]


def _ask(clients: Clients, endpoint: str, picture: Path) -> JSON:
    kind = mimetypes.guess_type(picture.name)[0] or "application/x-image"
    return endpoints.ask(clients, endpoint, picture, content_type=kind)
