"""The training and validation channels: what they hold, checked before training, and their batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from algorithms.channels import RECORDIO, check_mode, content_type
from algorithms.engine import mx
from algorithms.object_detection.pictures import ITERATOR_OPTIONS, is_picture, to_input
from processing_scripts.contract import JobError
from processing_scripts.vision.images import decode_image
from processing_scripts.vision.recordio import RecordReader, unpack_image_record

_SUPPORTED = f"supported here: channels 'train' and 'validation' with ContentType {RECORDIO} in File mode"

# Mirroring alone. SageMaker's image also rescales and jitters, to an extent that is not documented.
AUGMENTATION: Mapping[str, object] = {"rand_mirror_prob": 0.5}


@dataclass(frozen=True, kw_only=True)
class Records:
    """A channel's RecordIO file after every record's label has been read once."""

    path: Path
    count: int
    objects: int  # in all pictures together
    label_floats: int  # of the widest label
    header_floats: int  # at the beginning of each label, themselves included
    object_floats: int  # for each object: class, xmin, ymin, xmax, ymax and perhaps more

    @property
    def max_objects(self) -> int:
        """The most objects in a picture; at least 1, so that label arrays have a shape."""
        return max((self.label_floats - self.header_floats) // self.object_floats, 1)


def check_channels(config: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse forms of input that this stand-in cannot read.

    Raises:
        JobError: names the channel, what it has and what is supported.
    """
    for name, entry in config.items():
        if name.endswith("_annotation"):
            raise JobError(
                f"channel '{name}': pictures with JSON annotations are not supported; {_SUPPORTED}"
            )
        if name not in ("train", "validation"):
            continue
        if content_type(entry) != RECORDIO:
            raise JobError(f"channel '{name}' has ContentType '{content_type(entry)}'; {_SUPPORTED}")
        check_mode(name, entry, _SUPPORTED)


def scan(path: Path, *, num_classes: int, label_width: int) -> Records:
    """Read every label of a .rec file and check it.

    Raises:
        JobError: names the record and its fault.
    """
    count, objects, widest = 0, 0, 0
    layout: tuple[int, int] | None = None
    for index, (label, image) in enumerate(_labels(path)):
        where = f"{path}: record {index}"
        if len(label) > label_width:
            raise JobError(
                f"{where}: its label has {len(label)} numbers, hyperparameter label_width allows "
                f"{label_width}; "
                f"set label_width to at least 5 times the most objects in a picture, plus 2"
            )
        found = _check_label(label, num_classes, where)
        if layout not in (None, found):
            raise JobError(f"{where}: its label is laid out {found}, those before {layout}; write them alike")
        if not is_picture(image):
            raise JobError(f"{where}: holds no JPEG or PNG picture")
        layout, count, widest = found, index + 1, max(widest, len(label))
        objects += (len(label) - found[0]) // found[1]
    if layout is None or objects == 0:
        raise JobError(f"{path}: holds {count} records and no object to detect")
    return Records(
        path=path,
        count=count,
        objects=objects,
        label_floats=widest,
        header_floats=layout[0],
        object_floats=layout[1],
    )


def _labels(path: Path) -> Iterator[tuple[NDArray[np.float32], bytes]]:
    for index, payload in enumerate(RecordReader(path)):
        try:
            label, _, image = unpack_image_record(payload)
        except ValueError as error:
            raise JobError(f"{path}: record {index}: {error}") from None
        yield label, image


def _check_label(label: NDArray[np.float32], num_classes: int, where: str) -> tuple[int, int]:
    """(header, object) widths of a detection label [A, B, ..., class, xmin, ymin, xmax, ymax, ...]."""
    if len(label) < 2 or not np.isfinite(label).all():
        raise JobError(
            f"{where}: its label {label[:6].tolist()} is not [2, 5, class, xmin, ymin, xmax, ymax, ...]; "
            "write the file with im2rec's --pack-label"
        )
    header, width = int(label[0]), int(label[1])
    if header < 2 or width < 5 or len(label) < header or (len(label) - header) % width:
        raise JobError(
            f"{where}: its label has {len(label)} numbers, which do not fit the header width {header} and "
            f"object "
            f"width {width} that it begins with"
        )
    objects = label[header:].reshape(-1, width)
    bad = objects[(objects[:, 0] < 0) | (objects[:, 0] >= num_classes) | (objects[:, 0] % 1 != 0)]
    if len(bad):
        raise JobError(
            f"{where}: class {bad[0, 0]:g} is not one of 0 to {num_classes - 1} (hyperparameter "
            f"num_classes is "
            f"{num_classes})"
        )
    _check_boxes(objects[:, 1:5], where)
    return header, width


def _check_boxes(boxes: NDArray[np.float32], where: str) -> None:
    # A little beyond the border is harmless rounding; pixels instead of fractions are not.
    outside = ((boxes < -0.1) | (boxes > 1.1)).any(axis=1)
    bad = boxes[outside | (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])]
    if len(bad):
        raise JobError(
            f"{where}: box {[round(float(side), 4) for side in bad[0]]} is not xmin, ymin, xmax, ymax as "
            f"fractions "
            "of the picture"
        )


@dataclass(frozen=True)
class Batch:
    """MXNet arrays `data` [N, 3, S, S] and `label` [N, M, B]; later batches use their memory again."""

    data: mx.nd.NDArray
    label: mx.nd.NDArray


class TrainingData:
    """The training pictures, epoch by epoch, shuffled and augmented.

    The last batch of an epoch is filled up with pictures of the next, which are then left out there, so that
    every picture is seen equally often. Order and augmentation follow from the seed alone, so a resumed
    training sees what an uninterrupted one would have seen.

    Args:
        records: the channel's file.
        batch_size, image_shape: of the inputs [batch_size, 3, image_shape, image_shape].
        seed: of order and augmentation.
    """

    def __init__(self, records: Records, *, batch_size: int, image_shape: int, seed: int) -> None:
        self._records, self._image_shape = records, image_shape
        self._finished = 0  # epochs that the iterator has gone through
        # One iterator for all epochs: a fresh one each time would take a sixth of the training's speed.
        self._iterator = mx.io.ImageDetRecordIter(
            path_imgrec=str(records.path),
            batch_size=batch_size,
            data_shape=(3, image_shape, image_shape),
            label_pad_width=records.label_floats,
            label_pad_value=-1,
            shuffle=True,
            seed=seed,
            shuffle_chunk_seed=seed,
            ctx="cpu",
            verbose=False,
            **ITERATOR_OPTIONS,
            **AUGMENTATION,
        )

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch that was not read yet; epochs before it are passed over.

        Raises:
            JobError: a picture cannot be decoded; the message names its record.
        """
        try:
            # MXNet cannot jump to an epoch's state of its random numbers; decoding is a tenth of training.
            while self._finished < number:
                for _ in self._batches():
                    pass
            yield from self._batches()
        except mx.base.MXNetError:
            raise_undecodable(self._records, self._image_shape)
            raise

    def _batches(self) -> Iterator[Batch]:
        for batch in self._iterator:
            yield Batch(batch.data[0], _objects(batch.label[0], self._records))
        self._iterator.reset()
        self._finished += 1


def raise_undecodable(records: Records, image_shape: int) -> None:
    """Decode every picture and name the first that cannot be; MXNet does not say which record it is.

    Raises:
        JobError: names the record.
    """
    for _ in _examples(records, image_shape):
        pass


def _objects(label: mx.nd.NDArray, records: Records) -> mx.nd.NDArray:
    """[N, M, B] of the iterator's [N, 4 + header + M * B]: it puts sizes and the label's length in front."""
    first = 4 + records.header_floats
    width = records.max_objects * records.object_floats
    return label.slice_axis(axis=1, begin=first, end=first + width).reshape(
        (0, records.max_objects, records.object_floats)
    )


@dataclass(frozen=True)
class Examples:
    """Some validation pictures: inputs float32 [N, 3, S, S], and per picture the truths [M, 5]."""

    inputs: NDArray[np.float32]
    truths: Sequence[NDArray[np.float32]]


def validation_batches(records: Records, *, batch_size: int, image_shape: int) -> Iterator[Examples]:
    """Every picture exactly once, in the file's order; the last batch may be smaller.

    Raises:
        JobError: a picture cannot be decoded; the message names its record.
    """
    examples = _examples(records, image_shape)
    while batch := list(islice(examples, batch_size)):
        yield Examples(np.stack([data for data, _ in batch]), [truths for _, truths in batch])


def _examples(
    records: Records, image_shape: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    for index, (label, image) in enumerate(_labels(records.path)):
        picture = decode_image(image, source=f"{records.path}: record {index}")
        objects = label[records.header_floats :].reshape(-1, records.object_floats)
        yield to_input(picture, image_shape), objects[:, :5]
