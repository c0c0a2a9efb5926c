"""What prepare_classification reports, whatever its input was."""

from dataclasses import dataclass
from pathlib import Path

from processing_scripts.outputs import OutputTree
from processing_scripts.vision.drawing import GridRow, Thumbnail, draw_grid, readable_name, save_png
from processing_scripts.vision.images import decode_image

PICTURE = "report/classes.png"
GRID_ROWS, GRID_COLUMNS, GRID_CELL = 12, 6, (150, 150)


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """One class in the report; its label is its position."""

    name: str
    folder: str | None  # of its held-out pictures in validation_images, if they have one of their own
    train: int
    validation: int


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the report tells, whatever the input was."""

    source: str
    classes: list[ClassCount]
    examples: list[tuple[int, Path]]  # label and file of every held-out picture
    settings: dict[str, object]
    inputs: dict[str, object]
    skipped: dict[str, str]  # path -> fault
    strays: tuple[str, ...]
    training: int  # pictures
    validation: int
    has_many: bool = False  # whether a picture may have several classes


def report(prepared: Prepared) -> dict[str, object]:
    """What later steps want to know; no times and no paths of this machine."""
    counts = {"num_classes": len(prepared.classes), "num_training_samples": prepared.training}
    # Said where it is so alone: the hyperparameter's default is 0.
    many = {"multi_label": 1} if prepared.has_many else {}
    return {
        # SageMaker takes hyperparameters as strings only.
        "hyperparameters": {name: str(value) for name, value in {**counts, **many}.items()},
        **counts,
        **many,
        "class_names": [single.name for single in prepared.classes],
        "splits": {"train": prepared.training, "validation": prepared.validation},
        "source": prepared.source,
        "settings": prepared.settings,
        "skipped": len(prepared.skipped),
        "strays": len(prepared.strays),
        "inputs": prepared.inputs,
    }


def details(prepared: Prepared) -> dict[str, object]:
    """What people want to know of classes and pictures."""
    return {
        "classes": [
            {"id": label, "name": single.name}
            | ({"folder": single.folder} if single.folder is not None else {})
            | {"train": single.train, "validation": single.validation}
            for label, single in enumerate(prepared.classes)
        ],
        "skipped": [{"path": path, "fault": fault} for path, fault in sorted(prepared.skipped.items())],
        "strays": list(prepared.strays),
    }


def draw_classes(prepared: Prepared, outputs: OutputTree) -> None:
    """Draw some held-out pictures of the first classes into the report folder."""
    rows = []
    for label, single in list(enumerate(prepared.classes))[:GRID_ROWS]:
        mine = [path for of_class, path in prepared.examples if of_class == label][:GRID_COLUMNS]
        rows.append(
            GridRow(
                name=readable_name(single.name),
                note=f"{single.train} training, {single.validation} validation",
                thumbnails=[
                    Thumbnail(pixels=decode_image(path.read_bytes(), source=str(path))) for path in mine
                ],
            )
        )
    save_png(draw_grid(rows, cell=GRID_CELL), outputs.stage(PICTURE))
