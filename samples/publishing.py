"""A drawn data set appears in its folder whole or not at all."""

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import cv2

Picture = TypeVar("Picture")
Drawn = TypeVar("Drawn")


class SampleError(Exception):
    """The samples cannot be drawn; the message says why and what to do."""


def publish(output: Path, folder: str, *, readme: str, write: Callable[[Path], None]) -> bool:
    """Let `write` fill a new folder, which then becomes output/folder, with `readme` as its README.

    Returns:
        False if just these pictures are there already, and nothing had to be drawn.

    Raises:
        SampleError: `output` holds something else.
    """
    finished = output / folder / "README"
    if finished.is_file() and finished.read_text() == readme:
        return False
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise SampleError(f"{output}: is there already and holds something else; name a new or empty folder")
    output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".drawing-", dir=output))
    try:
        write(scratch / folder)
        (scratch / folder / "README").write_text(readme)
        (scratch / folder).rename(output / folder)
    finally:
        shutil.rmtree(scratch)
    return True


def draw_all(draw: Callable[[Picture], Drawn], pictures: Sequence[Picture]) -> list[Drawn]:
    """Draw the pictures on all processors; results come in the order of the pictures."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), cv2.setNumThreads, (1,)) as pool:
        return pool.map(draw, pictures, chunksize=10)


def write_jpeg(path: Path, pixels: cv2.typing.MatLike, *, quality: int) -> None:
    """Write the pixels (blue, green, red, or grey) as a JPEG file."""
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise SampleError(f"{path}: OpenCV could not encode the picture")
    path.write_bytes(data.tobytes())
