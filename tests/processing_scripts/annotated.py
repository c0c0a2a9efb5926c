"""One small annotated data set in each format that prepare_detection reads."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

TRAIN, VALIDATION = "train", "val"


@dataclass(frozen=True)
class Box:
    """An object, in whole pixels."""

    name: str
    left: int
    top: int
    width: int
    height: int
    is_difficult: bool = False
    is_crowd: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture to draw, and what is in it."""

    path: str
    boxes: tuple[Box, ...] = ()
    split: str = TRAIN
    size: tuple[int, int] = (200, 100)


# Sorted by path, because VOC has no other order.
FARM = (
    Picture("a b.jpg", (Box("cow", 20, 10, 50, 40), Box("hen", 100, 50, 100, 50))),
    Picture("bird.jpg", (Box("hen", 0, 0, 200, 100),), VALIDATION),
    Picture("köh.png", (Box("cow", 60, 20, 20, 10), Box("cow", 0, 0, 10, 10)), VALIDATION),
    Picture("z.jpg", (Box("hen", 150, 60, 40, 40), Box("cow", 4, 4, 8, 8), Box("hen", 1, 2, 3, 4))),
)
# Names as the class ids of COCO and CUB, and as their order in the other formats.
CLASSES = ("cow", "hen")


def draw(folder: Path, pictures) -> None:
    for picture in pictures:
        path = folder / picture.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Coarse noise, so that a picture and its mirror image differ.
        coarse = np.random.default_rng(list(picture.path.encode())).integers(0, 256, (5, 10, 3), np.uint8)
        Image.fromarray(coarse).resize(picture.size).save(path, quality=95)


def write_coco(folder: Path, pictures=FARM, *, in_one_file=False, classes=CLASSES) -> None:
    """annotations/instances_SPLIT2017.json and SPLIT2017/, or one file beside the pictures."""
    splits = [""] if in_one_file else [TRAIN, VALIDATION]
    for split in splits:
        mine = [picture for picture in pictures if split in ("", picture.split)]
        draw(folder / f"{split}2017" if split else folder, mine)
        document = coco_document(mine, classes)
        name = f"annotations/instances_{split}2017.json" if split else "farm.json"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(document))


def coco_document(pictures, classes=CLASSES):
    images, annotations = [], []
    for image, picture in enumerate(pictures, start=1):
        width, height = picture.size
        images.append({"id": image, "file_name": picture.path, "width": width, "height": height})
        for box in picture.boxes:
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": image,
                    "category_id": 1 + classes.index(box.name),
                    "bbox": [box.left, box.top, box.width, box.height],
                    "iscrowd": int(box.is_crowd),
                    "segmentation": [[1, 2, 3, 4, 5, 6]],
                    "area": box.width * box.height,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def write_voc(folder: Path, pictures=FARM, *, with_lists=True) -> None:
    draw(folder / "JPEGImages", pictures)
    (folder / "Annotations").mkdir()
    for picture in pictures:
        (folder / "Annotations" / f"{Path(picture.path).stem}.xml").write_text(voc_xml(picture))
    if with_lists:
        lists = folder / "ImageSets" / "Main"
        lists.mkdir(parents=True)
        for split in (TRAIN, VALIDATION):
            names = [Path(picture.path).stem for picture in pictures if picture.split == split]
            (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def voc_xml(picture: Picture) -> str:
    """Pixels are counted from 1, and the last ones belong to the box."""
    objects = "".join(
        f"<object><name>{escape(box.name)}</name><difficult>{int(box.is_difficult)}</difficult><bndbox>"
        f"<xmin>{box.left + 1}</xmin><ymin>{box.top + 1}</ymin>"
        f"<xmax>{box.left + box.width}</xmax><ymax>{box.top + box.height}</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
        for box in picture.boxes
    )
    width, height = picture.size
    return (
        f"<annotation><filename>{escape(picture.path)}</filename>"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}</annotation>"
    )


def write_csv(folder: Path, pictures=FARM, *, with_split=True) -> None:
    draw(folder, pictures)
    rows = ["path,class,xmin,ymin,xmax,ymax,difficult,crowd" + (",split" if with_split else "")]
    for picture in pictures:
        split = f",{picture.split}" if with_split else ""
        rows += [
            f"{picture.path},{box.name},{box.left},{box.top},{box.left + box.width},{box.top + box.height},"
            f"{int(box.is_difficult)},{int(box.is_crowd)}{split}"
            for box in picture.boxes
        ] or [f"{picture.path},,,,,,,{split}"]
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")


def write_cub(folder: Path, pictures=FARM) -> None:
    """CUB has one object in each picture."""
    draw(folder / "images", pictures)
    numbered = list(enumerate(pictures, start=1))
    files = {
        "classes.txt": [f"{number} {name}" for number, name in enumerate(CLASSES, start=1)],
        "images.txt": [f"{number} {picture.path}" for number, picture in numbered],
        "image_class_labels.txt": [
            f"{number} {1 + CLASSES.index(picture.boxes[0].name)}" for number, picture in numbered
        ],
        "bounding_boxes.txt": [
            f"{number} {box.left} {box.top} {box.width} {box.height}"
            for number, picture in numbered
            for box in picture.boxes
        ],
        "train_test_split.txt": [f"{number} {int(picture.split == TRAIN)}" for number, picture in numbered],
    }
    for name, rows in files.items():
        (folder / name).write_text("".join(f"{row}\n" for row in rows))


def single(pictures):
    """The pictures with the first of their objects alone."""
    return [replace(picture, boxes=picture.boxes[:1]) for picture in pictures]
