"""What prepare_detection reports on the whole data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from processing_scripts.datasets.annotations import Annotations, Entry
from processing_scripts.datasets.detection import Chosen
from processing_scripts.datasets.detection_formats import CUB
from processing_scripts.datasets.tables import Integers
from processing_scripts.outputs import OutputTree
from processing_scripts.sharing import Split
from processing_scripts.vision.drawing import (
    GridRow,
    Mark,
    Thumbnail,
    class_colour,
    draw_grid,
    readable_name,
    save_png,
)
from processing_scripts.vision.images import decode_image

PICTURE = "report/species.png"
GRID_ROWS, GRID_COLUMNS, GRID_CELL = 10, 6, (200, 150)

# Class name -> pictures in training and validation.
Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the report tells."""

    chosen: Chosen
    annotations: Annotations
    packed: Split[Entry]  # by all instances
    settings: Mapping[str, object]
    inputs: Mapping[str, str]  # what was read, with digests
    skipped: Mapping[str, str]  # path -> fault

    @property
    def counts(self) -> Counts:
        """How many pictures every class has."""
        return self._by_class(self.annotations.entries.count_pictures)

    @property
    def object_counts(self) -> Counts:
        """How many objects every class has, in pictures for training and in held-out ones."""
        return self._by_class(self.annotations.entries.count_objects)

    def _by_class(self, count: Callable[[Sequence[Entry], int], Integers]) -> Counts:
        names = list(self.chosen.names.values())
        training = count(self.packed.training, len(names)).tolist()
        validation = count(self.packed.validation, len(names)).tolist()
        return dict(zip(names, zip(training, validation, strict=True), strict=True))


def report(prepared: Prepared) -> dict[str, object]:
    """What later steps want to know; no times and no paths of this machine."""
    training, validation = prepared.packed.training, prepared.packed.validation
    names = prepared.chosen.names
    counts = {
        "num_classes": len(names),
        "num_training_samples": len(training),
        "num_training_samples_with_flips": 2 * len(training),
        "label_width": max(map(prepared.annotations.entries.label_width, (training, validation))),
    }
    return {
        # SageMaker takes hyperparameters as strings only.
        "hyperparameters": {name: str(count) for name, count in counts.items()},
        **counts,
        "class_names": list(names.values()),
        "splits": {"train": len(training), "validation": len(validation)},
        **_objects(prepared),
        "settings": prepared.settings,
        "skipped": len(prepared.skipped),
        "clipped_boxes": prepared.annotations.clipped_boxes,
        "inputs": prepared.inputs,
    }


def _objects(prepared: Prepared) -> dict[str, object]:
    """How many objects there are; of CUB, which has one in each picture, there is nothing to say."""
    if prepared.chosen.data.format == CUB:
        return {}
    training, validation = (sum(part) for part in zip(*prepared.object_counts.values(), strict=True))
    return {
        "objects": {"train": training, "validation": validation},
        "left_out": dict(prepared.chosen.left_out),
    }


def details(prepared: Prepared) -> dict[str, object]:
    """What people want to know of classes and pictures."""
    counts, object_counts = prepared.counts, prepared.object_counts
    classes = []
    for number, (class_id, name) in enumerate(prepared.chosen.names.items()):
        training, validation = counts[name]
        described: dict[str, object] = {"id": number, "class_id": class_id, "name": name}
        described |= {"train": training, "validation": validation}
        if prepared.chosen.data.format != CUB:
            described["train_objects"], described["validation_objects"] = object_counts[name]
        classes.append(described)
    return {
        "classes": classes,
        "skipped": [{"path": path, "fault": fault} for path, fault in sorted(prepared.skipped.items())],
    }


def draw_species(prepared: Prepared, outputs: OutputTree) -> None:
    """Draw some training pictures of the first classes, with their boxes, into the report folder."""
    counts = prepared.counts
    rows = []
    for number, name in list(enumerate(prepared.chosen.names.values()))[:GRID_ROWS]:
        training, held_out = counts[name]
        mine = prepared.annotations.entries.with_class(prepared.packed.training, number, GRID_COLUMNS)
        rows.append(
            GridRow(
                name=readable_name(name),
                note=f"{training} training, {held_out} validation",
                thumbnails=[_thumbnail(entry) for entry in mine],
            )
        )
    save_png(draw_grid(rows, cell=GRID_CELL), outputs.stage(PICTURE))


def _thumbnail(entry: Entry) -> Thumbnail:
    pixels = decode_image(entry.source.read_bytes(), source=str(entry.source))
    marks = [Mark(corners=row[1:], colour=class_colour(int(row[0]))) for row in entry.original.objects]
    return Thumbnail(pixels=pixels, marks=marks)
