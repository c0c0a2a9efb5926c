import random
import struct
import zlib

import cv2
import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing_scripts.vision.recordio import (
    MAGIC,
    IndexedRecordWriter,
    RecordError,
    RecordReader,
    RecordWriter,
    frame,
    pack_image_record,
    unpack_image_record,
)

DETECTION_LABEL = [2, 5, 0, 0.1, 0.2, 0.5, 0.6]
# Payloads that put the magic number at aligned, unaligned and overlapping places, again and again.
pieces = st.sampled_from([MAGIC, MAGIC[:2], MAGIC[2:], b"\x00", b"ab", b"abcd"]) | st.binary(max_size=9)
payloads = st.lists(pieces, max_size=12).map(b"".join)


def write(path, records):
    with RecordWriter(path) as writer:
        return [writer.write(payload) for payload in records]


def split_slowly(payload):
    """Part by part, one aligned word after the other, as the format's text has it."""
    parts, part = [], b""
    for start in range(0, len(payload) - len(payload) % 4, 4):
        word = payload[start : start + 4]
        if word == MAGIC:
            parts.append(part)
            part = b""
        else:
            part += word
    return [*parts, part + payload[len(payload) - len(payload) % 4 :]]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b"hello", "0a23d7ce 05000000 68656c6c6f 000000", id="padded"),
        pytest.param(
            b"ABCD" + MAGIC + b"EF", "0a23d7ce 04000020 41424344 0a23d7ce 02000060 4546 0000", id="split"
        ),
        pytest.param(MAGIC, "0a23d7ce 00000020 0a23d7ce 00000060", id="magic-only"),
        pytest.param(b"", "0a23d7ce 00000000", id="empty"),
        pytest.param(
            b"A" + MAGIC + b"BCD", "0a23d7ce 08000000 41 0a23d7ce 424344", id="unaligned-magic-stays"
        ),
        pytest.param(
            MAGIC + MAGIC,
            "0a23d7ce 00000020 0a23d7ce 00000040 0a23d7ce 00000060",
            id="two-magics-three-parts",
        ),
    ],
)
def test_a_payload_is_framed_as_in_the_format(payload, expected):
    assert frame(payload).hex() == expected.replace(" ", "")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        pytest.param(
            3.0,
            "0a23d7ce 1a000000 00000000 00004040 0700000000000000 0000000000000000 ffd8 0000",
            id="scalar",
        ),
        pytest.param(
            DETECTION_LABEL,
            "0a23d7ce 36000000 07000000 00000000 0700000000000000 0000000000000000"
            "00000040 0000a040 00000000 cdcccc3d cdcc4c3e 0000003f 9a99193f ffd8 0000",
            id="array",
        ),
    ],
)
def test_an_image_record_is_laid_out_as_in_the_format(label, expected):
    assert frame(pack_image_record(label, 7, b"\xff\xd8")).hex() == expected.replace(" ", "")


@given(payloads)
def test_splitting_agrees_with_the_slow_reference(payload):
    parts = split_slowly(payload)
    flags = [0] if len(parts) == 1 else [1, *[2] * (len(parts) - 2), 3]
    expected = b"".join(
        MAGIC + struct.pack("<I", flag << 29 | len(part)) + part + bytes(-len(part) % 4)
        for flag, part in zip(flags, parts, strict=True)
    )
    assert frame(payload) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(payloads, max_size=6))
def test_records_come_back_as_they_were_written_and_mxnet_agrees(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("rec") / "a.rec"
    offsets = write(path, records)
    assert list(RecordReader(path)) == records
    assert [path.read_bytes()[offset : offset + 4] for offset in offsets] == [MAGIC] * len(records)
    reader = mx.recordio.MXRecordIO(str(path), "r")
    for payload in records:
        # MXNet returns None for an empty record, as at the end of the file.
        assert (reader.read() or b"") == payload
    assert reader.read() is None
    reader.close()


@settings(deadline=None, max_examples=60)
@given(st.lists(payloads.filter(bool), max_size=6))
def test_mxnet_writes_the_same_bytes(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("rec")
    write(folder / "ours.rec", records)
    writer = mx.recordio.MXRecordIO(str(folder / "theirs.rec"), "w")
    for payload in records:
        writer.write(payload)
    writer.close()
    assert (folder / "ours.rec").read_bytes() == (folder / "theirs.rec").read_bytes()
    assert list(RecordReader(folder / "theirs.rec")) == records


def test_index_and_records_are_those_of_mxnet_byte_for_byte(tmp_path):
    rng = random.Random(4)
    records = {key: rng.randbytes(rng.randrange(1, 90)) + MAGIC * rng.randrange(3) for key in (7, 3, 11, 450)}
    with IndexedRecordWriter(tmp_path / "a.rec", tmp_path / "a.idx") as writer:
        for key, payload in records.items():
            writer.write(key, payload)
    theirs = mx.recordio.MXIndexedRecordIO(str(tmp_path / "b.idx"), str(tmp_path / "b.rec"), "w")
    for key, payload in records.items():
        theirs.write_idx(key, payload)
    theirs.close()
    assert (tmp_path / "a.idx").read_bytes() == (tmp_path / "b.idx").read_bytes()
    assert (tmp_path / "a.rec").read_bytes() == (tmp_path / "b.rec").read_bytes()
    reader = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "r")
    assert [reader.read_idx(key) for key in (450, 3, 7)] == [records[key] for key in (450, 3, 7)]
    reader.close()


labels = st.floats(width=32, allow_nan=False) | st.lists(
    st.floats(width=32, allow_nan=False), min_size=1, max_size=12
)


@pytest.mark.filterwarnings("ignore:tostring:DeprecationWarning")  # from MXNet's own pack()
@given(labels, st.integers(0, 2**64 - 1), st.binary(max_size=40))
def test_image_records_come_back_and_mxnet_agrees(label, record_id, image):
    payload = pack_image_record(label, record_id, image)
    got_label, got_id, got_image = unpack_image_record(payload)
    expected = np.atleast_1d(np.array(label, dtype=np.float32))
    np.testing.assert_array_equal(got_label, expected)
    assert got_label.dtype == np.float32
    assert (got_id, got_image) == (record_id, image)
    header, their_image = mx.recordio.unpack(payload)
    np.testing.assert_array_equal(np.atleast_1d(header.label), expected)
    assert (header.id, their_image) == (record_id, image)
    assert payload == mx.recordio.pack(mx.recordio.IRHeader(0, label, record_id, 0), image)


def test_mxnet_trains_from_our_detection_records(tmp_path):
    with RecordWriter(tmp_path / "train.rec") as writer:
        for number in range(3):
            pixels = np.full((40, 60, 3), 60 * number + 30, np.uint8)
            label = [2, 5, number, 0.1, 0.2, 0.5, 0.5 + number / 10]
            image = cv2.imencode(".jpg", pixels)[1].tobytes()
            writer.write(pack_image_record(label, number, image))
    batches = mx.io.ImageDetRecordIter(
        path_imgrec=str(tmp_path / "train.rec"), data_shape=(3, 30, 30), batch_size=3, label_pad_width=12,
        mean_pixels=[0, 0, 0], preprocess_threads=1, verbose=False,
    )  # fmt: skip
    batch = next(batches)
    assert batch.label[0].shape == (3, 16)
    for number, row in enumerate(batch.label[0].asnumpy()):
        # channels, rows, columns, number of label values, the label, then padding
        np.testing.assert_allclose(row[:4], [3, 30, 30, 7])
        np.testing.assert_allclose(row[4:11], [2, 5, number, 0.1, 0.2, 0.5, 0.5 + number / 10], rtol=1e-6)
        np.testing.assert_allclose(row[11:], -1)
        assert abs(float(batch.data[0][number].mean().asscalar()) - (60 * number + 30)) < 2


def test_nothing_is_left_when_writing_fails(tmp_path):
    (tmp_path / "a.rec").write_bytes(b"the run before")

    def interrupted():
        with IndexedRecordWriter(tmp_path / "a.rec", tmp_path / "a.idx") as writer:
            writer.write(1, b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["a.rec"]
    assert (tmp_path / "a.rec").read_bytes() == b"the run before"


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    with RecordWriter(tmp_path / "new" / "a.rec") as writer:
        writer.write(b"one")
        assert not (tmp_path / "new" / "a.rec").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.rec"]


WHOLE = frame(b"first record")
SPLIT = frame(b"ABCD" + MAGIC + b"EF")


@pytest.mark.parametrize(
    ("content", "offset", "fault"),
    [
        pytest.param(WHOLE + b"\x0a\x23", 20, "the file ends inside a record header", id="cut-in-header"),
        pytest.param(WHOLE + WHOLE[:-2], 20, "the file ends inside a part of 12 bytes", id="cut-in-payload"),
        pytest.param(
            WHOLE + frame(b"x")[:-1], 20, "the file ends inside a part of 1 bytes", id="cut-in-padding"
        ),
        pytest.param(b"RIFF" + WHOLE, 0, "begins with 52494646 instead of 0a23d7ce", id="other-format"),
        pytest.param(SPLIT[:12], 0, "the file ends inside a record header", id="last-part-missing"),
        pytest.param(SPLIT[:12] + WHOLE, 0, "its last part is missing", id="interrupted-split"),
        pytest.param(WHOLE + SPLIT[12:], 20, "begins with a later part", id="starts-in-the-middle"),
        pytest.param(
            MAGIC + b"\xff\xff\xff\x1f", 0, "the file ends inside a part of 536870911 bytes", id="huge-length"
        ),
        pytest.param(MAGIC + b"\x00\x00\x00\x80", 0, "has the unknown flag 4", id="unknown-flag"),
    ],
)
def test_damage_is_named_with_file_and_offset(tmp_path, content, offset, fault):
    path = tmp_path / "damaged.rec"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"damaged\.rec") as raised:
        list(RecordReader(path))
    assert raised.value.offset == offset
    assert raised.value.file == path
    assert fault in str(raised.value)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / f"any-{zlib.crc32(content)}.rec"
    path.write_bytes(content)
    try:
        records = list(RecordReader(path))
    except RecordError:
        records = None
    path.unlink()
    if records is not None:
        assert b"".join(map(frame, records))[:8] == content[:8]


@pytest.mark.parametrize(
    ("label", "record_id", "fault"),
    [
        pytest.param([], 1, "the label is empty", id="no-label"),
        pytest.param(1.0, -1, "not an unsigned 64-bit number", id="negative-id"),
        pytest.param(1.0, 2**64, "not an unsigned 64-bit number", id="id-too-large"),
    ],
)
def test_records_that_the_format_cannot_hold_are_refused(label, record_id, fault):
    with pytest.raises(ValueError, match=fault):
        pack_image_record(label, record_id, b"")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        pytest.param(b"short", "at least 24 bytes", id="no-header"),
        pytest.param(
            pack_image_record([1, 2, 3], 5, b"")[:-1], "record 5: says 3 label numbers", id="label-cut"
        ),
    ],
)
def test_payloads_that_are_no_image_record_are_refused(payload, fault):
    with pytest.raises(ValueError, match=fault):
        unpack_image_record(payload)
