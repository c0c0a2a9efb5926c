"""Pictures of all kinds, and MXNet's own im2rec to compare with."""

import runpy
import sys
import warnings
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
from PIL import Image

from processing_scripts.vision.recordio import RecordReader, unpack_image_record

MXNET_TOOL = Path(mx.__file__).parent / "tools" / "im2rec.py"
SUFFIXES = [".jpeg", ".jpg", ".png"]


def photograph(width: int, height: int, seed: int) -> np.ndarray:
    """Smooth shapes with some grain, [height, width, 3]."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(pixels + generator.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)


def picture(width=90, height=60, seed=0, mode="RGB") -> Image.Image:
    return Image.fromarray(photograph(width, height, seed)).convert(mode)


def draw_tree(root: Path) -> Path:
    """Folders in folders, with pictures of all kinds and other files."""
    for folder in ("b/inner", "a pair", "c", "empty"):
        (root / folder).mkdir(parents=True)
    picture(seed=1).save(root / "top.jpg", quality=90)
    picture(60, 90, 2).save(root / "a pair" / "upright one.JPG", quality=80)
    picture(64, 64, 3).save(root / "a pair" / "Größe ñ 鳥.jpeg", progressive=True)
    picture(90, 60, 4, "L").save(root / "b" / "grey.jpg")
    picture(90, 60, 5, "CMYK").save(root / "b" / "inks.jpg")
    picture(90, 60, 6, "RGBA").save(root / "b" / "inner" / "transparent.png")
    picture(90, 60, 7).quantize(64).save(root / "b" / "inner" / "palette.png")
    deep = (photograph(70, 50, 8)[..., 0].astype(np.uint16)) << 8
    Image.fromarray(deep).save(root / "c" / "sixteen bits.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(90, 60, 9).save(root / "c" / "turned.jpg", exif=exif)
    (root / "c" / "notes.txt").write_text("no picture")
    return root


def mxnet_im2rec(monkeypatch, *arguments) -> None:
    """Run MXNet's tool in this process."""
    monkeypatch.setattr(sys, "argv", ["im2rec.py", *map(str, arguments)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of numpy's tostring()
        found = runpy.run_path(str(MXNET_TOOL), run_name="__main__")
    if "record" in found:
        found["record"].close()  # which the tool leaves to the end of its process


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def records_of(rec: Path):
    """Label, id and encoded picture of every record."""
    return [unpack_image_record(payload) for payload in RecordReader(rec)]


def write_list(path: Path, names, *, label="0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{index}\t{label}\t{name}\n" for index, name in enumerate(names)))
    return path
