"""Paths, parameters, headers and bodies that no client of S3 sends."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.server.fuzz.asking import S3_SIGNED, check_xml, fuzzed
from tests.server.fuzz.conftest import CONTENT

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")
PATHS = (
    "/../outside",
    "/../../outside",
    "/toys/../../outside",
    "/toys/../control/a/b",
    "/toys/./a",
    "/toys/%2e%2e/%2e%2e/outside",
    "/toys/%2e%2e%2f%2e%2e%2foutside",
    "/%2e%2e/outside",
    "/%2e%2e%2foutside",
    "/..%2foutside",
    "/..",
    "/.",
    "/toys/..",
    "/toys/a/..",
    "/toys/..%5c..%5coutside",
    "/toys/..\\..\\outside",
    "/toys/%252e%252e/outside",
    "/toys/%c0%ae%c0%ae/outside",
    "/toys/%u002e%u002e/outside",
    "/toys/a%00b",
    "/toys%00/a",
    "/toys/%ff",
    "/toys/%",
    "/toys/%zz",
    "/toys//etc/passwd",
    "//etc/passwd",
    "///",
    "/toys//",
    "/toys/a/",
    "/toys/a//b///c",
    "/toys/@empty/@marker",
    "/toys/@@empty",
    "/toys/e%cc%81",
    "/toys/%c3%a9",
    "/toys/" + "a" * 255,
    "/toys/" + "a" * 256,
    "/toys/" + "a/" * 512,
    "/toys/" + "a" * 1025,
    "/toys/" + "a" * 30_000,
    "/toys/~",
    "/toys/$HOME/*?a=b",
    "/toys/a;version=1",
    "/TOYS/a",
    "/to%79s/a",
    "/" + "b" * 64 + "/a",
    "/127.0.0.1/a",
    "/partial/a",
    "/uploads/a",
    "/toys/a?uploadId=../../../outside&partNumber=1",
    "/toys/a?uploadId=%00&partNumber=1",
    "/toys/a?partNumber=0&uploadId=a",
    "/toys/a?partNumber=-1&uploadId=a",
    "/toys/a?partNumber=99999999999999999999&uploadId=a",
    "/toys/a?versionId=../../outside",
    "/toys?prefix=../../",
    "/toys?list-type=2&prefix=../&delimiter=/",
    "/toys?list-type=2&continuation-token=Li4vLi4v",
    "/toys?list-type=2&continuation-token=%ff",
    "/toys?list-type=2&max-keys=-1",
    "/toys?list-type=2&max-keys=99999999999999999999",
    "/toys?list-type=2&start-after=%00",
    "/toys?list-type=2&encoding-type=x",
    "/toys?uploads&key-marker=%00&upload-id-marker=%ff",
    "/toys?" + "a&" * 20_000,
    "/toys?a=%ff",
    "/toys?\xe9",
    "http://example.com/toys/a",
    "*",
)


@pytest.fixture(scope="module", autouse=True)
def bucket(target):
    assert target.s3("PUT", "/toys").status == 200


@pytest.mark.parametrize("path", PATHS, ids=[path[:40] for path in PATHS])
def test_no_path_leaves_the_tree(target, path):
    for method in METHODS:
        check_xml(target.s3(method, path, b"x" if method == "PUT" else b""), method=method)


parts = st.sampled_from(
    ["..", ".", "%2e", "%2f", "/", "\\", "%5c", "%00", "a", "@empty", "%c3%a9", "%ff", ""]
)


@given(method=st.sampled_from(METHODS), path=st.lists(parts, max_size=8))
@fuzzed(150)
def test_no_path_of_such_parts_leaves_the_tree(target, method, path):
    check_xml(target.s3(method, "/toys/" + "".join(path), b"x"), method=method)


names = st.sampled_from(
    [
        "uploads",
        "uploadId",
        "partNumber",
        "versionId",
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "tagging",
        "acl",
        "delete",
        "attributes",
        "max-parts",
        "part-number-marker",
        "continuation-token",
        "X-Amz-Algorithm",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "response-content-type",
        "Expires",
    ]
)
texts = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "-1",
        "10000",
        "10001",
        "9" * 30,
        "%00",
        "%ff",
        "%0d%0aX-Injected:%201",
        "a",
        "../..",
        "url",
        "20260101T000000Z",
        "99999999T999999Z",
        "AWS4-HMAC-SHA256",
        "a/b/c",
        "%e2%80%ae",
        "1e9",
        "NaN",
        "²",
    ]
)


@given(
    method=st.sampled_from(METHODS),
    place=st.sampled_from(["/", "/toys", "/toys/a", "/nowhere/a"]),
    query=st.lists(st.tuples(names, texts), max_size=4),
    signed=st.booleans(),
)
@fuzzed(200)
def test_any_parameters_get_an_answer_of_s3(target, method, place, query, signed):
    path = f"{place}?{'&'.join(f'{name}={text}' for name, text in query)}"
    headers = {"authorization": S3_SIGNED} if signed else {}
    answer = target.ask(method, path, b"", headers)
    check_xml(answer, method=method)
    assert answer.headers["X-Injected"] is None


HEADERS = (
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "content-md5",
    "content-encoding",
    "content-type",
    "expires",
    "x-amz-content-sha256",
    "x-amz-decoded-content-length",
    "x-amz-checksum-crc32",
    "x-amz-checksum-algorithm",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-metadata-directive",
    "x-amz-meta-a",
    "x-amz-tagging",
    "x-amz-acl",
    "x-amz-storage-class",
    "x-amz-date",
    "x-amz-expected-bucket-owner",
    "x-amz-write-offset-bytes",
    "x-amz-mp-object-size",
    "host",
)
VALUES = (
    "",
    "0",
    "-1",
    "9" * 30,
    "bytes=0-",
    "bytes=-0",
    "bytes=5-1",
    "bytes=0-0,2-3",
    "bytes=" + "9" * 5000 + "-",
    "bytes=a-b",
    "items=0-1",
    "*",
    '"',
    '"a", W/"b", *',
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 99 Foo 99999 99:99:99 GMT",
    "1",
    "aws-chunked",
    "aws-chunked," * 100,
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "UNSIGNED-PAYLOAD",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "AAAAAA==",
    "crc32",
    "x-amz-checksum-crc32",
    "/toys/../control/a/b",
    "control/a/b",
    "/control/%2e%2e/%2e%2e/outside",
    "toys/%00",
    "toys/%ff",
    "toys",
    "COPY",
    "REPLACE",
    "a=b&a=c",
    "%ff=%ff",
    "\xe9\xff",
    "a" * 5000,
    "[::1",
    "a/b?c#d",
    "toys.localhost",
    "..localhost",
    "a@b:c",
)


@given(
    method=st.sampled_from(("GET", "HEAD", "PUT", "POST", "DELETE")),
    path=st.sampled_from(["/toys/a", "/toys/b?uploads", "/toys/a?tagging", "/toys?delete"]),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), max_size=4),
    body=st.sampled_from([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n"]),
)
@example(method="GET", path="/toys/a", headers={"host": "[::1"}, body=b"")
@example(method="PUT", path="/toys/a", headers={"host": "toys.localhost"}, body=b"abc")
@fuzzed(250)
def test_any_headers_get_an_answer_of_s3(target, method, path, headers, body):
    sent = {name: text.encode("latin-1") for name, text in headers.items()}
    check_xml(target.ask(method, path, body, {"authorization": S3_SIGNED, **sent}), method=method)


def upload_of(target, key):
    answer = target.s3("POST", f"/toys/{key}?uploads")
    assert answer.status == 200, answer
    return re.search(rb"<UploadId>([^<]+)<", answer.body)[1].decode()


def put_part(target, key, upload, number, content):
    return target.s3("PUT", f"/toys/{key}?partNumber={number}&uploadId={upload}", content)


def part(number, etag):
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"


def complete(target, key, upload, body):
    return target.s3("POST", f"/toys/{key}?uploadId={upload}", body)


@pytest.fixture
def upload(target):
    """An upload with two parts, the first one too small; and their ETags."""
    upload = upload_of(target, "many")
    tags = [put_part(target, "many", upload, number, b"part").headers["etag"] for number in (1, 2)]
    yield upload, tags
    target.s3("DELETE", f"/toys/many?uploadId={upload}")


COMPLETIONS = {
    "nothing": "",
    "no parts": "<CompleteMultipartUpload/>",
    "too small a part": "<CompleteMultipartUpload>{one}{two}</CompleteMultipartUpload>",
    "the wrong order": "<CompleteMultipartUpload>{two}{one}</CompleteMultipartUpload>",
    "a part twice": "<CompleteMultipartUpload>{one}{one}</CompleteMultipartUpload>",
    "a part that is not there": "<CompleteMultipartUpload>{one}{three}</CompleteMultipartUpload>",
    "another ETag": "<CompleteMultipartUpload>{forged}</CompleteMultipartUpload>",
    "part 0": "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber></Part></CompleteMultipartUpload>",
    "a part beyond all numbers": "<CompleteMultipartUpload><Part><PartNumber>"
    + "9" * 5000
    + "</PartNumber></Part>"
    "</CompleteMultipartUpload>",
    "no number": "<CompleteMultipartUpload><Part><PartNumber>one</PartNumber></Part>"
    "</CompleteMultipartUpload>",
    "half": "<CompleteMultipartUpload>{one}",
    "another document": "<Delete><Object><Key>a</Key></Object></Delete>",
    "an unknown element": "<CompleteMultipartUpload><Port/></CompleteMultipartUpload>",
    "20,000 parts": "<CompleteMultipartUpload>" + "{one}" * 20_000 + "</CompleteMultipartUpload>",
    "deep": "<a>" * 100_000,
    "deep and whole": "<CompleteMultipartUpload>"
    + "<Part>" * 50_000
    + "</Part>" * 50_000
    + "</CompleteMultipartUpload>",
    "a bomb": '<!DOCTYPE a [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    "<CompleteMultipartUpload>&c;</CompleteMultipartUpload>",
    "a file": '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    "<CompleteMultipartUpload><Part><ETag>&a;</ETag></Part></CompleteMultipartUpload>",
    "a parameter entity": '<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1:1/a">%a;]><CompleteMultipartUpload/>',
    "another encoding": '<?xml version="1.0" encoding="nothing"?><CompleteMultipartUpload/>',
    "a long encoding": '<?xml version="1.0" encoding="' + "a" * 5000 + '"?><CompleteMultipartUpload/>',
    "many attributes": "<CompleteMultipartUpload " + " ".join(f'a{n}="b"' for n in range(5000)) + "/>",
}


@pytest.mark.parametrize("body", COMPLETIONS.values(), ids=COMPLETIONS.keys())
def test_an_upload_is_not_completed_by_a_broken_list(target, upload, body):
    name, (one, two) = upload
    forged = part(1, '"0123456789abcdef0123456789abcdef"')
    for text, tag in (
        ("{one}", part(1, one)),
        ("{two}", part(2, two)),
        ("{three}", part(3, two)),
        ("{forged}", forged),
    ):
        body = body.replace(text, tag)
    answer = complete(target, "many", name, body.encode())
    check_xml(answer)
    assert 400 <= answer.status < 500
    assert target.s3("HEAD", "/toys/many").status == 404
    assert target.s3("GET", f"/toys/many?uploadId={name}").body.count(b"<Part>") == 2


def test_a_list_in_another_encoding_is_read(target, upload):
    name, (one, _) = upload
    list_of_parts = f"<CompleteMultipartUpload>{part(1, one)}</CompleteMultipartUpload>"
    body = f'<?xml version="1.0" encoding="utf-16"?>{list_of_parts}'
    assert complete(target, "many", name, body.encode("utf-16")).status == 200
    assert target.s3("GET", "/toys/many").body == b"part"
    target.s3("DELETE", "/toys/many")


def test_parts_belong_to_their_upload_and_key(target, upload):
    name, (one, _) = upload
    other = upload_of(target, "other")
    body = f"<CompleteMultipartUpload>{part(1, one)}</CompleteMultipartUpload>".encode()
    for key, each in (("other", other), ("other", name), ("many", other)):
        answer = complete(target, key, each, body)
        check_xml(answer)
        assert answer.status in (400, 404)
        assert target.s3("HEAD", f"/toys/{key}").status == 404
    assert target.s3("DELETE", f"/toys/other?uploadId={other}").status == 204
    for answer in (put_part(target, "other", other, 1, b"late"), complete(target, "other", other, body)):
        check_xml(answer)
        assert answer.status == 404


@given(number=st.sampled_from(["0", "-1", "10001", "9" * 30, "1.5", "one", "", "%00", "+1", "1_0", "%D9%A1"]))
@fuzzed(11)
def test_a_part_has_a_number_from_1_to_10000(target, number):
    answer = put_part(target, "many", "a", number, b"part")
    check_xml(answer)
    assert answer.status in (400, 404)


DELETIONS = {
    "nothing": b"",
    "no objects": b"<Delete/>",
    "no key": b"<Delete><Object/></Delete>",
    "an empty key": b"<Delete><Object><Key/></Object></Delete>",
    "out of the tree": b"<Delete><Object><Key>../control/a/b</Key></Object></Delete>",
    "a NUL": b"<Delete><Object><Key>&#0;</Key></Object></Delete>",
    "half a pair": b"<Delete><Object><Key>&#xd800;</Key></Object></Delete>",
    "1,001 objects": b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>",
    "a long key": b"<Delete><Object><Key>" + b"a" * 5000 + b"</Key></Object></Delete>",
    "a bomb": b'<!DOCTYPE a [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
}


@pytest.mark.parametrize("body", DELETIONS.values(), ids=DELETIONS.keys())
def test_a_broken_list_of_objects_deletes_nothing(target, body):
    target.s3("PUT", "/toys/kept", b"kept")
    check_xml(target.s3("POST", "/toys?delete", body))
    assert target.s3("GET", "/toys/kept").body == b"kept"
    assert target.s3("GET", "/control/a/b").body == CONTENT


chunks = st.lists(
    st.sampled_from(
        [
            b"3\r\nabc\r\n",
            b"0\r\n",
            b"\r\n",
            b"3\r\nab",
            b"-1\r\n",
            b"g\r\n",
            b"ffffffffffffffff\r\n",
            b"3;a=b\r\nabc\r\n",
            b"x-amz-checksum-crc32:AAAAAA==\r\n",
            b"a" * 2000,
            b"\0",
            b"00000000000000000003\r\nabc\r\n",
            b"3\nabc\n",
        ]
    ),
    max_size=6,
)


@given(pieces=chunks, size=st.sampled_from(["0", "3", "6", "-1", "9" * 30, "a", ""]))
@fuzzed(120)
def test_broken_chunks_make_no_object(target, pieces, size):
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": size}
    headers["x-amz-content-sha256"] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    target.s3("DELETE", "/toys/chunked")
    answer = target.ask("PUT", "/toys/chunked", b"".join(pieces), {"authorization": S3_SIGNED, **headers})
    check_xml(answer)
    found = target.s3("GET", "/toys/chunked")
    assert found.status == (200 if answer.status == 200 else 404)
    assert answer.status != 200 or found.body == b"abc" * (int(size) // 3)
