"""Splitting objects into records and putting these into requests, against MXNet's own writer and by hand."""

import gzip
import io
from itertools import pairwise

import mxnet as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.local.transform.batching import Entry, one_by_one, together
from workflows.local.transform.splitting import (
    RECORD_IO_MAGIC,
    SPLITTERS,
    Record,
    SplitError,
    crc32c,
    masked_crc32c,
)

LIMIT = 1000
# Payloads that put the magic number at aligned, unaligned and overlapping places, again and again.
pieces = st.sampled_from([RECORD_IO_MAGIC, RECORD_IO_MAGIC[:2], b"\x00", b"ab", b"abcd", b"\n"]) | st.binary(
    max_size=9
)
payloads = st.lists(st.lists(pieces, max_size=12).map(b"".join), max_size=6)


def split(kind, content, limit=LIMIT):
    return list(SPLITTERS[kind](io.BytesIO(content), limit))


def record_io(path, records):
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for payload in records:
        writer.write(payload)
    writer.close()
    return path.read_bytes()


def tf_records(records):
    return b"".join(
        head
        + masked_crc32c(head).to_bytes(4, "little")
        + payload
        + masked_crc32c(payload).to_bytes(4, "little")
        for payload in records
        for head in [len(payload).to_bytes(8, "little")]
    )


@settings(max_examples=150, deadline=None)
@given(records=payloads)
def test_what_mxnet_writes_is_split_into_its_records(tmp_path_factory, records):
    content = record_io(tmp_path_factory.mktemp("rec") / "a.rec", records)
    found = split("RecordIO", content)
    assert [record.payload for record in found] == records
    assert b"".join(record.framed for record in found) == content


@settings(max_examples=100, deadline=None)
@given(records=payloads, cut=st.integers(1, 30))
def test_a_cut_off_file_gives_whole_records_or_an_error_and_never_a_part(tmp_path_factory, records, cut):
    content = record_io(tmp_path_factory.mktemp("rec") / "a.rec", records)
    stream, found = io.BytesIO(content[:-cut]), []
    try:
        found += SPLITTERS["RecordIO"](stream, LIMIT)
        whole = len(b"".join(record.framed for record in found))
        assert whole == len(content[:-cut])
    except SplitError:
        pass
    assert [record.payload for record in found] == records[: len(found)]


@given(records=payloads)
def test_tfrecords_are_split_into_their_records(records):
    content = tf_records(records)
    found = split("TFRecord", content)
    assert [record.payload for record in found] == records
    assert b"".join(record.framed for record in found) == content


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # The check value of CRC-32C, and RFC 3720, appendix B.4.
        pytest.param(b"123456789", 0xE3069283, id="check-value"),
        pytest.param(bytes(32), 0x8A9136AA, id="zeros"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="ones"),
    ],
)
def test_crc32c_has_the_published_values(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        pytest.param("RecordIO", b"0123456789", "the magic number is missing", id="no-magic"),
        pytest.param("RecordIO", RECORD_IO_MAGIC, "the magic number is missing", id="half-a-header"),
        pytest.param(
            "RecordIO", RECORD_IO_MAGIC + b"\x05\0\0\0abc", "the last record is cut off", id="cut-off"
        ),
        pytest.param("RecordIO", RECORD_IO_MAGIC + b"\0\0\0\x60", "before its beginning", id="an-end-first"),
        pytest.param("RecordIO", RECORD_IO_MAGIC + b"\0\0\0\x20", "a record has no end", id="no-end"),
        pytest.param(
            "RecordIO", (RECORD_IO_MAGIC + b"\0\0\0\x20") * 2, "a record has no end", id="two-beginnings"
        ),
        pytest.param(
            "RecordIO", RECORD_IO_MAGIC + b"\xff\xff\xff\x1f", "Too much data for max payload size", id="bomb"
        ),
        pytest.param("TFRecord", bytes(12), "checksum of a record's length", id="wrong-checksum"),
        pytest.param("TFRecord", b"abc", "checksum of a record's length", id="half-a-length"),
        pytest.param("TFRecord", tf_records([b"abc"])[:-5], "the last record is cut off", id="tf-cut-off"),
        pytest.param(
            "TFRecord", tf_records([bytes(1001)]), "Too much data for max payload size", id="tf-large"
        ),
        pytest.param("Line", b"x" * 1001, "Too much data for max payload size", id="long-line"),
        pytest.param("None", b"x" * 1001, "Too much data for max payload size", id="large-object"),
    ],
)
def test_damaged_and_oversized_objects_are_told(kind, content, message):
    with pytest.raises(SplitError) as caught:
        split(kind, content)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a", [(b"a", b"a")], id="no-end-of-line"),
        pytest.param(b"a\nb\n", [(b"a\n", b"a"), (b"b\n", b"b")], id="lines"),
        pytest.param(b"a\r\nb", [(b"a\r\n", b"a"), (b"b", b"b")], id="windows"),
        pytest.param(
            b"a\n\nb\n", [(b"a\n", b"a"), (b"\n", b""), (b"b\n", b"b")], id="empty-line-is-a-record"
        ),
        pytest.param(b"x" * 1000 + b"\r\n", [(b"x" * 1000 + b"\r\n", b"x" * 1000)], id="as-long-as-allowed"),
    ],
)
def test_lines_are_split_at_their_ends(content, expected):
    assert [(record.framed, record.payload) for record in split("Line", content)] == expected


def test_lines_of_a_packed_object_are_the_same():
    content = b"first\nsecond"
    with gzip.open(io.BytesIO(gzip.compress(content))) as stream:
        assert [record.payload for record in SPLITTERS["Line"](stream, LIMIT)] == [b"first", b"second"]


def test_no_more_is_read_than_one_record():
    stream = io.BytesIO(b"a\nb\nc\n")
    records = SPLITTERS["Line"](stream, LIMIT)
    next(records)
    assert stream.tell() == 2


def entries(framed):
    return [Entry(original=Record(text, text), sent=Record(text, text.strip())) for text in framed]


texts = st.lists(st.binary(min_size=1, max_size=10).map(lambda text: text + b"\n"), max_size=20)


@given(framed=texts, limit=st.integers(11, 40))
def test_batches_hold_every_record_once_in_order_and_as_many_as_fit(framed, limit):
    found = list(together(entries(framed), limit))
    assert b"".join(batch.body for batch in found) == b"".join(framed)
    assert [text for batch in found for text in batch.originals] == framed
    assert all(len(batch.body) <= limit for batch in found)
    # The first record of each batch did not fit into the one before.
    for before, after in pairwise(found):
        assert len(before.body) + len(after.originals[0]) > limit


@given(framed=texts)
def test_single_records_are_sent_without_their_frame(framed):
    found = list(one_by_one(entries(framed), LIMIT))
    assert [batch.body for batch in found] == [text.strip() for text in framed]
    assert [batch.originals for batch in found] == [(text,) for text in framed]


@pytest.mark.parametrize(
    "batches", [pytest.param(together, id="multi"), pytest.param(one_by_one, id="single")]
)
def test_a_record_that_fits_into_no_request_is_told(batches):
    with pytest.raises(SplitError, match="Too much data for max payload size: 11 bytes"):
        list(batches(entries([b"0123456789a"]), 10))
