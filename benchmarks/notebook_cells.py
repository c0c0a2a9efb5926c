"""What the notebook's cells do to prepare birds with flips, as one process, to compare with.

    python -m benchmarks.notebook_cells FOLDER_WITH_CUB_200_2011 OUTPUT

The same operations in the same order: every picture is decoded for its size, lists are made, im2rec packs
them; then every picture is opened, mirrored and saved with Pillow, found again in the table by its name, all
pictures are decoded for their sizes once more, and im2rec packs originals and mirror images again. MXNet's
im2rec runs as a process of its own, with its default of one.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pandas as pd
from PIL import Image

from benchmarks.preparation_speed import IM2REC, im2rec_path

BOX = ["left", "top", "width", "height"]


def read(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """A table of CUB-200-2011."""
    return pd.read_csv(folder / name, sep=" ", names=columns)


def tables(folder: Path) -> pd.DataFrame:
    """Everything about every picture, but its size."""
    table = read(folder, "images.txt", ["id", "path"])
    for name, columns in (
        ("image_class_labels.txt", ["id", "class_id"]),
        ("bounding_boxes.txt", ["id", *BOX]),
        ("train_test_split.txt", ["id", "is_training"]),
    ):
        table = table.merge(read(folder, name, columns), on="id")
    return table


def sizes(images: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Width and height of every picture, by decoding it."""
    found = []
    for path in table["path"]:
        height, width = cv2.imread(str(images / path)).shape[:2]
        found.append({"picture_width": width, "picture_height": height})
    return pd.concat([table.reset_index(drop=True), pd.DataFrame(found)], axis=1)


def write_lists(table: pd.DataFrame, output: Path) -> None:
    """The lists for training and validation."""
    table = table.assign(header=2, label_width=5)
    numbers = {class_id: float(number) for number, class_id in enumerate(sorted(table["class_id"].unique()))}
    table["class_number"] = table["class_id"].map(numbers)
    table["xmin"] = table["left"] / table["picture_width"]
    table["ymin"] = table["top"] / table["picture_height"]
    table["xmax"] = (table["left"] + table["width"]) / table["picture_width"]
    table["ymax"] = (table["top"] + table["height"]) / table["picture_height"]
    columns = ["header", "label_width", "class_number", "xmin", "ymin", "xmax", "ymax", "path"]
    for name, flag in (("train", 1), ("val", 0)):
        rows = table[table["is_training"] == flag][columns]
        rows.to_csv(output / f"birds_{name}.lst", sep="\t", float_format="%.4f", header=False)


def flips(images: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Mirror every picture beside itself, and describe the mirror images."""
    rows = []
    for path in table["path"]:
        found = table[table["path"] == path].iloc[0]
        image = Image.open(images / path)
        name = f"{path[:-4]}_flip.jpg"
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(images / name)
        left = image.size[0] - found["width"] - found["left"]
        rows.append({**found, "id": found["id"] + len(table), "path": name, "left": left})
    return pd.concat([table, pd.DataFrame(rows)], ignore_index=True)


def im2rec(images: Path, output: Path) -> None:
    """Pack all lists of the output folder."""
    tool = [sys.executable, "-c", IM2REC, str(im2rec_path())]
    arguments = ["--resize", "256", "--pack-label", str(output / "birds"), f"{images}/"]
    subprocess.run([*tool, *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run all cells."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    folder, images = options.data / "CUB_200_2011", options.data / "CUB_200_2011" / "images"
    if options.output.exists():
        shutil.rmtree(options.output)
    options.output.mkdir()
    table = tables(folder)
    write_lists(sizes(images, table), options.output)
    im2rec(images, options.output)
    table = flips(images, table)
    write_lists(sizes(images, table), options.output)
    im2rec(images, options.output)


if __name__ == "__main__":
    main()
