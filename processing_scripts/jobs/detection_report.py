"""What prepare_detection reports on the whole data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from processing_scripts import contract
from processing_scripts.datasets.annotations import Entry
from processing_scripts.outputs import OutputTree
from processing_scripts.sharing import Split
from processing_scripts.vision.drawing import GridRow, Mark, Thumbnail, class_colour, draw_grid, readable_name
from processing_scripts.vision.images import decode_image

PICTURE = "report/species.png"
GRID_ROWS, GRID_COLUMNS, GRID_CELL = 10, 6, (200, 150)

# Class name -> pictures in training and validation.
Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the report tells."""

    names: dict[int, str]  # class_id -> name; a class's number is its position
    packed: Split[Entry]  # by all instances
    settings: Mapping[str, object]
    inputs: Mapping[str, str]  # what was read, with digests
    clipped_boxes: int
    skipped: Mapping[str, str]  # path -> fault

    @property
    def counts(self) -> Counts:
        """How many pictures every class has."""
        return {
            name: (
                sum(entry.class_number == number for entry in self.packed.training),
                sum(entry.class_number == number for entry in self.packed.validation),
            )
            for number, name in enumerate(self.names.values())
        }


def report(prepared: Prepared) -> dict[str, object]:
    """What later steps want to know; no times and no paths of this machine."""
    training, validation = prepared.packed.training, prepared.packed.validation
    counts = {
        "num_classes": len(prepared.names),
        "num_training_samples": len(training),
        "num_training_samples_with_flips": 2 * len(training),
        "label_width": max(len(entry.original.label) for entry in chain(training, validation)),
    }
    return {
        # SageMaker takes hyperparameters as strings only.
        "hyperparameters": {name: str(count) for name, count in counts.items()},
        **counts,
        "class_names": list(prepared.names.values()),
        "splits": {"train": len(training), "validation": len(validation)},
        "settings": prepared.settings,
        "skipped": len(prepared.skipped),
        "clipped_boxes": prepared.clipped_boxes,
        "inputs": prepared.inputs,
    }


def details(prepared: Prepared) -> dict[str, object]:
    """What people want to know of classes and pictures."""
    counts = prepared.counts
    return {
        "classes": [
            {"id": number, "class_id": class_id, "name": name}
            | dict(zip(("train", "validation"), counts[name], strict=True))
            for number, (class_id, name) in enumerate(prepared.names.items())
        ],
        "skipped": [{"path": path, "fault": fault} for path, fault in sorted(prepared.skipped.items())],
    }


def draw_species(prepared: Prepared, outputs: OutputTree) -> None:
    """Draw some training pictures of the first classes, with their boxes, into the report folder."""
    counts = prepared.counts
    rows = []
    for number, name in list(enumerate(prepared.names.values()))[:GRID_ROWS]:
        training, held_out = counts[name]
        mine = [entry for entry in prepared.packed.training if entry.class_number == number]
        rows.append(
            GridRow(
                name=readable_name(name),
                note=f"{training} training, {held_out} validation",
                thumbnails=[_thumbnail(entry) for entry in mine[:GRID_COLUMNS]],
            )
        )
    with contract.published(outputs.stage(PICTURE)) as file:
        draw_grid(rows, cell=GRID_CELL).save(file, format="PNG")


def _thumbnail(entry: Entry) -> Thumbnail:
    pixels = decode_image(entry.source.read_bytes(), source=str(entry.source))
    marks = [Mark(corners=row[1:], colour=class_colour(entry.class_number)) for row in entry.original.objects]
    return Thumbnail(pixels=pixels, marks=marks)
