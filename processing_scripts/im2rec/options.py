"""The command line of im2rec: that of MXNet's tool, and what it lacks."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.arguments import JobParser, positive, share, whole_number
from processing_scripts.packing import JPG, PNG
from processing_scripts.vision.images import Colour


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that can be asked for."""

    prefix: Path  # absolute
    root: Path  # absolute
    makes_lists: bool
    suffixes: tuple[str, ...]
    chunks: int
    train_ratio: float
    test_ratio: float
    is_recursive: bool
    is_shuffled: bool
    passes_through: bool
    resize: int  # pixels of the shorter side; 0 keeps the size
    is_cropped: bool
    quality: int
    workers: int
    colour: Colour
    encoding: str  # .jpg or .png
    packs_labels: bool
    keeps_unchanged: bool
    is_turned: bool
    max_unreadable_share: float
    is_fresh: bool
    timings: Path | None


def parse(arguments: Sequence[str] | None, description: str | None) -> Options:
    """Read the command line.

    Raises:
        JobError: an argument is wrong.
    """
    parser = _parser(description)
    parsed = parser.parse_args(arguments)
    if parsed.train_ratio + parsed.test_ratio > 1:
        parser.error(f"--train-ratio {parsed.train_ratio:g} and --test-ratio {parsed.test_ratio:g} exceed 1")
    if parsed.encoding == JPG and not 1 <= parsed.quality <= 100:
        parser.error(f"--quality {parsed.quality} is not between 1 and 100")
    if parsed.pass_through and parsed.keep_unchanged:
        parser.error("--pass-through changes no picture; leave --keep-unchanged out")
    return Options(
        prefix=Path(os.path.abspath(parsed.prefix)),  # noqa: PTH100 (resolve() would follow links)
        root=Path(os.path.abspath(parsed.root)),  # noqa: PTH100
        makes_lists=parsed.list,
        suffixes=tuple(suffix.lower() for suffix in parsed.exts),
        chunks=parsed.chunks,
        train_ratio=parsed.train_ratio,
        test_ratio=parsed.test_ratio,
        is_recursive=parsed.recursive,
        is_shuffled=parsed.shuffle,
        passes_through=parsed.pass_through,
        resize=parsed.resize,
        is_cropped=parsed.center_crop,
        quality=parsed.quality,
        workers=parsed.num_thread,
        colour=Colour(parsed.color),
        encoding=parsed.encoding,
        packs_labels=parsed.pack_label,
        keeps_unchanged=parsed.keep_unchanged,
        is_turned=not parsed.ignore_orientation,
        max_unreadable_share=parsed.max_unreadable_share,
        is_fresh=parsed.fresh,
        timings=parsed.timings,
    )


def _parser(description: str | None) -> JobParser:
    parser = JobParser(
        prog="im2rec", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prefix", help="of lists and record files, or a folder with lists")
    parser.add_argument("root", help="folder of the pictures")
    lists = parser.add_argument_group("lists")
    lists.add_argument("--list", action="store_true", help="write PREFIX.lst instead of packing it")
    lists.add_argument("--exts", nargs="+", default=[".jpeg", ".jpg", ".png"], metavar="SUFFIX")
    lists.add_argument("--chunks", type=positive, default=1, help="PREFIX_0.lst, PREFIX_1.lst ...")
    lists.add_argument("--train-ratio", type=share, default=1.0, help="below 1: PREFIX_train.lst and others")
    lists.add_argument("--test-ratio", type=share, default=0.0)
    lists.add_argument("--recursive", action="store_true", help="a label for each folder below the root")
    lists.add_argument("--no-shuffle", dest="shuffle", action="store_false")
    records = parser.add_argument_group("records")
    records.add_argument("--pass-through", action="store_true", help="pack the files as they are")
    records.add_argument("--resize", type=whole_number, default=0, help="pixels of the shorter side, or 0")
    records.add_argument("--center-crop", action="store_true", help="to a square, before --resize")
    records.add_argument("--quality", type=int, default=95, help="JPEG 1 to 100; PNG compression up to 9")
    records.add_argument(
        "--num-thread", type=positive, default=len(os.sched_getaffinity(0)), help="processes; all cores"
    )
    records.add_argument(
        "--color", type=int, default=1, choices=(-1, 0, 1), help="1 colour, 0 grey, -1 as is"
    )
    records.add_argument("--encoding", default=JPG, choices=(JPG, PNG))
    records.add_argument("--pack-label", action="store_true", help="all labels of a row, not the first only")
    more = parser.add_argument_group("what MXNet's tool does not have")
    more.add_argument(
        "--keep-unchanged", action="store_true", help="pack files that need no change as they are"
    )
    more.add_argument(
        "--ignore-orientation", action="store_true", help="do not turn pictures as their Exif data say"
    )
    more.add_argument(
        "--max-unreadable-share", type=share, default=0.0, help="of rows that may be left out; 1: all"
    )
    more.add_argument("--fresh", action="store_true", help="do not go on where a killed run stopped")
    more.add_argument("--timings", type=Path, metavar="FILE", help="where the time went, as JSON by list")
    return parser
