"""Bodies as clients send them, and as nobody should."""

import base64
import errno
import hashlib
import json
import os
import socket
import zlib
from contextlib import closing, suppress
from io import BytesIO
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from tests.server.s3.conftest import SIGNED
from workflows.server.errors import AwsError
from workflows.server.s3.chunked import ChunkDecoder

UNSIGNED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}


def chunked(content, *, size=3, extension="", trailers=()):
    """aws-chunked, the slow way."""
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension.encode(), piece) for piece in pieces)
    return body + f"0{extension}\r\n{''.join(f'{trailer}' for trailer in trailers)}\r\n".encode()


def crc32(content):
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def sized(content):
    return {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(content))}


def stored(client, bucket, key="a"):
    answer = client.get_object(Bucket=bucket, Key=key)
    return answer["Body"].read(), answer.get("ContentEncoding")


@pytest.mark.parametrize(
    ("headers", "extension", "trailers"),
    [
        pytest.param(
            {**UNSIGNED, "x-amz-trailer": "x-amz-checksum-crc32"},
            "",
            [f"x-amz-checksum-crc32:{crc32(b'streamed')}\r\n"],
            id="unsigned-trailer",
        ),
        pytest.param(
            {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
            f";chunk-signature={'0' * 64}",
            [],
            id="signed",
        ),
        pytest.param(
            {
                "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                "x-amz-trailer": "x-amz-checksum-crc32",
            },
            f";chunk-signature={'0' * 64}",
            [f"x-amz-checksum-crc32:{crc32(b'streamed')}\r\n", f"x-amz-trailer-signature:{'0' * 64}\r\n"],
            id="signed-trailer",
        ),
    ],
)
def test_a_streamed_body_is_decoded(s3, client, bucket, headers, extension, trailers):
    body = chunked(b"streamed", extension=extension, trailers=trailers)
    status, answer, _ = s3.put(bucket, "a", body, {**sized(b"streamed"), **headers})
    assert (status, answer["etag"]) == (200, f'"{hashlib.md5(b"streamed").hexdigest()}"')
    assert stored(client, bucket) == (b"streamed", None)


def test_what_boto3_streams_over_tls_is_decoded(s3, client, bucket):
    wrapped = AwsChunkedWrapper(
        BytesIO(b"x" * 200_000),
        checksum_cls=Crc32Checksum,
        checksum_name="x-amz-checksum-crc32",
        chunk_size=65_536,
    )
    body = b"".join(iter(lambda: wrapped.read(10_000), b""))
    headers = {**sized(b"x" * 200_000), **UNSIGNED, "x-amz-trailer": "x-amz-checksum-crc32"}
    status, answer, _ = s3.put(bucket, "a", body, {**headers, "content-encoding": "gzip,aws-chunked"})
    assert (status, answer["x-amz-checksum-crc32"]) == (200, crc32(b"x" * 200_000))
    assert stored(client, bucket) == (b"x" * 200_000, "gzip")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_kept_and_given_back(client, bucket, algorithm):
    name = f"Checksum{algorithm}"
    put = client.put_object(Bucket=bucket, Key="a", Body=b"hello", ChecksumAlgorithm=algorithm)
    got = client.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert got[name] == put[name]
    assert got["Body"].read() == b"hello"
    wrong = client.put_object(Bucket=bucket, Key="b", Body=b"other", ChecksumAlgorithm=algorithm)[name]
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket=bucket, Key="a", Body=b"hello", **{name: wrong})
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"hello"


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        # The catalogue's check values, of "123456789".
        pytest.param("crc32c", 0xE3069283.to_bytes(4, "big"), id="crc32c"),
        pytest.param("crc64nvme", 0xAE8B14860A799888.to_bytes(8, "big"), id="crc64nvme"),
    ],
)
def test_checksums_that_need_a_library_are_verified_where_it_is(s3, client, bucket, algorithm, value):
    pytest.importorskip("awscrt", reason="the AWS common runtime is not installed")
    header = f"x-amz-checksum-{algorithm}"
    status, answer, _ = s3.put(bucket, "a", b"123456789", {header: base64.b64encode(value).decode()})
    assert (status, answer[header]) == (200, base64.b64encode(value).decode())
    status, _, body = s3.put(bucket, "a", b"123456780", {header: base64.b64encode(value).decode()})
    assert (status, b"BadDigest" in body) == (400, True)


def test_without_that_library_a_checksum_is_kept_as_it_was_given(s3, client, bucket):
    value = base64.b64encode(0xE3069283.to_bytes(4, "big")).decode()
    status, answer, _ = s3.put(bucket, "a", b"123456789", {"x-amz-checksum-crc32c": value})
    assert (status, answer["x-amz-checksum-crc32c"]) == (200, value)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest", id="md5"),
        pytest.param({"content-md5": "short"}, "InvalidDigest", id="md5-malformed"),
        pytest.param({"x-amz-content-sha256": "0" * 64}, "XAmzContentSHA256Mismatch", id="signed-sum"),
        pytest.param({"x-amz-content-sha256": "nonsense"}, "InvalidArgument", id="signed-nonsense"),
        pytest.param({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest", id="crc32"),
        pytest.param({"x-amz-checksum-crc32": "AAAA"}, "InvalidRequest", id="crc32-malformed"),
        pytest.param(
            {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x"}, "InvalidRequest", id="two-sums"
        ),
        pytest.param({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest", id="sum-missing"),
        pytest.param({"x-amz-checksum-rot13": "AAAA"}, "NotImplemented", id="unknown-sum"),
        pytest.param({"x-amz-tagging": "a=b&a=c"}, "InvalidTag", id="tags"),
        pytest.param({"content-encoding": "aws-chunked"}, "MissingContentLength", id="no-decoded-length"),
        pytest.param({**UNSIGNED, "x-amz-decoded-content-length": "-4"}, "InvalidArgument", id="odd-length"),
    ],
)
def test_a_body_that_is_not_what_was_promised_is_not_stored(s3, client, bucket, headers, code):
    client.put_object(Bucket=bucket, Key="a", Body=b"before")
    status, _, body = s3.put(bucket, "a", b"body", headers)
    assert f"<Code>{code}</Code>".encode() in body, body
    assert status in (400, 411, 501)
    assert stored(client, bucket) == (b"before", None)
    assert s3.leftovers() == []


MANY_TRAILERS = b"4\r\nbody\r\n0\r\n" + b"".join(b"%d:x\r\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("body", "size", "code"),
    [
        pytest.param(b"4\r\nbody\r\n", 4, "IncompleteBody", id="no-last-chunk"),
        pytest.param(b"4\r\nbo", 4, "IncompleteBody", id="cut-in-a-chunk"),
        pytest.param(b"", 4, "IncompleteBody", id="empty"),
        pytest.param(b"0\r\n\r\n", 4, "IncompleteBody", id="too-short"),
        pytest.param(b"8\r\nbodybody\r\n0\r\n\r\n", 4, "IncompleteBody", id="too-long"),
        pytest.param(b"4\r\nbodybody\r\n0\r\n\r\n", 4, "InvalidRequest", id="chunk-longer-than-its-size"),
        pytest.param(b"zz\r\nbody\r\n0\r\n\r\n", 4, "InvalidRequest", id="no-size"),
        pytest.param(b"-4\r\nbody\r\n0\r\n\r\n", 4, "InvalidRequest", id="negative"),
        pytest.param(b"f" * 17 + b"\r\nbody", 4, "InvalidRequest", id="huge-size"),
        pytest.param(b"4;" + b"x" * 5000, 4, "InvalidRequest", id="endless-line"),
        pytest.param(b"4\r\nbody\r\n0\r\n\r\nmore", 4, "InvalidRequest", id="something-behind"),
        pytest.param(b"4\r\nbody\r\n0\r\nno trailer\r\n\r\n", 4, "InvalidRequest", id="odd-trailer"),
        pytest.param(MANY_TRAILERS, 4, "InvalidRequest", id="many-trailers"),
    ],
)
def test_a_broken_encoding_damages_nothing(s3, client, bucket, body, size, code):
    client.put_object(Bucket=bucket, Key="a", Body=b"before")
    headers = {**UNSIGNED, "x-amz-decoded-content-length": str(size)}
    status, _, answer = s3.put(bucket, "a", body, headers)
    assert (status, f"<Code>{code}</Code>".encode() in answer) == (400, True), answer
    assert stored(client, bucket) == (b"before", None)
    assert s3.leftovers() == []


def test_a_promised_trailer_must_come(s3, bucket):
    headers = {**UNSIGNED, **sized(b"body"), "x-amz-trailer": "x-amz-checksum-crc32"}
    status, _, body = s3.put(bucket, "a", chunked(b"body"), headers)
    assert (status, b"without the trailer" in body) == (400, True)
    wrong = chunked(b"body", trailers=[f"x-amz-checksum-crc32:{crc32(b'other')}\r\n"])
    assert b"BadDigest" in s3.put(bucket, "a", wrong, headers)[2]
    assert s3.leftovers() == []


@given(
    content=st.binary(max_size=60), size=st.integers(1, 70), cuts=st.lists(st.integers(0, 400), max_size=8)
)
def test_it_does_not_matter_where_a_stream_is_cut(content, size, cuts):
    trailers = ["x-amz-checksum-crc32:AAAAAA==\r\n"]
    body = chunked(content, size=size, extension=";chunk-signature=0", trailers=trailers)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    decoder = ChunkDecoder()
    found = [piece for start, end in pairwise(places) for piece in decoder.feed(body[start:end])]
    decoder.finish()
    assert b"".join(found) == content
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([b"4\r\n", b"\r\n", b"0\r\n", b"a:b\r\n"]), max_size=12)
)
def test_no_stream_breaks_the_decoder(pieces):
    decoder = ChunkDecoder()
    try:
        for piece in pieces:
            decoder.feed(piece)
        decoder.finish()
    except AwsError as error:
        assert error.code in ("InvalidRequest", "IncompleteBody")


def talk(s3, data, *, answer=True):
    """Send bytes, end, and return what comes back."""
    parts = urlsplit(s3.url)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b"")) if answer else b""


def head(method, path, *headers):
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: {SIGNED['authorization']}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_connection_that_breaks_leaves_nothing(s3, client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"before")
    talk(s3, head("PUT", f"/{bucket}/a", "content-length: 3000000") + b"x" * 2_000_000, answer=False)
    upload = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    path = f"/{bucket}/a?partNumber=1&uploadId={upload}"
    talk(s3, head("PUT", path, "content-length: 9000000") + b"x" * 6_000_000, answer=False)
    for _ in range(100):
        # The server learns of it when it reads on.
        parts = client.list_parts(Bucket=bucket, Key="a", UploadId=upload)
        if not list((s3.home / "partial").iterdir()) and "Parts" not in parts:
            break
    part = client.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, Body=b"whole")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    assert stored(client, bucket) == (b"before", None)
    client.complete_multipart_upload(
        Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert stored(client, bucket) == (b"whole", None)
    assert s3.leftovers() == []


def test_the_next_request_on_a_connection_is_not_taken_for_the_rest_of_one(s3, bucket):
    with closing(s3.connection()) as connection:
        for _ in range(3):
            connection.request("PUT", f"/{bucket}/a/../b", b"GET /x HT", SIGNED)
            refused = connection.getresponse()
            assert (refused.status, refused.headers["connection"], refused.read()[:5]) == (
                400,
                None,
                b"<?xml",
            )
            connection.request("GET", f"/{bucket}?location", headers=SIGNED)
            assert b"eu-west-1" in connection.getresponse().read()
    # Nobody knows whether a client that waits for a word still sends its body when it gets another one.
    answer = talk(s3, head("PUT", f"/{bucket}/a/../b", "content-length: 9", "expect: 100-continue"))
    assert b"connection: close" in answer.lower()


def test_headers_of_any_size_do_no_harm(s3, client, bucket):
    kept = head("PUT", f"/{bucket}/a", "content-length: 1", f"x-amz-meta-a: {'y' * 60_000}")
    assert b"MetadataTooLarge" in talk(s3, kept + b"x")
    with suppress(OSError):  # it may close the connection before it has read them all
        endless = talk(
            s3, head("PUT", f"/{bucket}/a", "content-length: 1", f"x-amz-meta-a: {'y' * 2_000_000}")
        )
        assert b"HTTP/1.1 400" in endless
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_disk_that_fills_up_leaves_nothing(s3, client, bucket, monkeypatch):
    client.put_object(Bucket=bucket, Key="a", Body=b"before")
    upload = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", refuse)
        for call, named in (
            (client.put_object, {}),
            (client.upload_part, {"UploadId": upload, "PartNumber": 1}),
        ):
            with pytest.raises(ClientError, match="EntityTooLarge.*No space left on device"):
                call(Bucket=bucket, Key="a", Body=b"x" * (6 * 2**20), **named)
    assert stored(client, bucket) == (b"before", None)
    assert "Parts" not in client.list_parts(Bucket=bucket, Key="a", UploadId=upload)
    client.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=upload)
    assert s3.leftovers() == []


def test_without_a_length_nothing_is_stored(s3, bucket):
    body = head("PUT", f"/{bucket}/a", "transfer-encoding: chunked") + b"4\r\nbody\r\n0\r\n\r\n"
    assert b"MissingContentLength" in talk(s3, body)


def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_sent(s3, bucket):
    terabyte = head("PUT", f"/{bucket}/a", f"content-length: {2**52}", "expect: 100-continue")
    assert b"EntityTooLarge" in talk(s3, terabyte)


BOMB = b'<!DOCTYPE a [<!ENTITY b "%s">]><Delete>&b;</Delete>' % (b"x" * 100)
FILE = (
    b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&b;</Key></Object></Delete>'
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<Delete>", id="open"),
        pytest.param(b"<Delete/>", id="no-objects"),
        pytest.param(BOMB, id="entity"),
        pytest.param(FILE, id="file-entity"),
        pytest.param(b"\xff\xfe\x00", id="bytes"),
        pytest.param(b"<a>" * 50_000, id="deep"),
        pytest.param(b"<Delete><Object><Name>a</Name></Object></Delete>", id="unknown-element"),
        pytest.param(b"<Delete><Object></Object></Delete>", id="no-key"),
        pytest.param(b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>", id="too-many"),
        pytest.param(b'{"Objects": []}', id="json"),
    ],
)
def test_xml_that_is_none_or_means_harm_is_refused(s3, client, bucket, body):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    status, _, answer = s3.request("POST", f"/{bucket}?delete", body)
    assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True), answer
    assert b"root:" not in answer
    assert client.head_object(Bucket=bucket, Key="a")["ContentLength"] == 1


def test_xml_that_is_too_large_is_refused(s3, bucket):
    body = head("POST", f"/{bucket}?delete", f"content-length: {9 * 2**20}", "expect: 100-continue")
    assert b"EntityTooLarge" in talk(s3, body)


@given(
    body=st.binary(max_size=200), query=st.sampled_from(["delete", "uploads", "uploadId=x", "tagging", "acl"])
)
def test_no_body_breaks_the_server(s3, body, query):
    for method in ("POST", "PUT"):
        for path in (f"/No_Bucket?{query}", f"/No_Bucket/key?{query}"):
            status, _, answer = s3.request(method, path, body)
            assert 400 <= status < 500 or status == 501, json.dumps(answer.decode())
