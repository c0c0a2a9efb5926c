import base64
import hashlib
import io
import os
from contextlib import closing

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.server.s3.conftest import ACCOUNT, REGION, make_client
from workflows.server.listen import beside
from workflows.server.s3.app import S3

MIB = 2**20
SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)


def start(client, bucket, key="a", **said):
    return {
        "Bucket": bucket,
        "Key": key,
        "UploadId": client.create_multipart_upload(Bucket=bucket, Key=key, **said)["UploadId"],
    }


def send(client, upload, number, content):
    etag = client.upload_part(**upload, PartNumber=number, Body=content)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def finish(client, upload, parts, **said):
    return client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **said)


def failure(call, *arguments, **named):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    return caught.value.response["Error"]


def expected_etag(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


def read(client, bucket, key="a"):
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_a_large_file_goes_up_and_comes_back(client, bucket, s3, tmp_path):
    content = os.urandom(12 * MIB + 7)
    (tmp_path / "up").write_bytes(content)
    extra = {"Metadata": {"of": "test"}, "ContentType": "application/x-recordio"}
    client.upload_file(str(tmp_path / "up"), bucket, "train.rec", ExtraArgs=extra, Config=SMALL_PARTS)
    client.download_file(bucket, "train.rec", str(tmp_path / "down"), Config=SMALL_PARTS)
    assert (tmp_path / "down").read_bytes() == content
    head = client.head_object(Bucket=bucket, Key="train.rec")
    parts = [content[start : start + 5 * MIB] for start in range(0, len(content), 5 * MIB)]
    assert head["ETag"] == expected_etag(*parts)
    assert {name: head[name] for name in extra} == extra
    assert s3.objects.read(f"s3://{bucket}/train.rec") == content
    assert s3.leftovers() == []


@pytest.mark.parametrize(
    "order",
    [
        pytest.param([1, 2, 3], id="in-order"),
        pytest.param([3, 2, 1], id="backwards"),
        pytest.param([2, 1, 3, 2, 1], id="some-twice"),
        pytest.param([1, 3, 3, 3, 2], id="last-often"),
    ],
)
def test_parts_come_in_any_order_and_the_last_of_a_number_counts(client, bucket, s3, order):
    upload, sizes = start(client, bucket), {1: 5 * MIB, 2: 5 * MIB, 3: 11}
    contents, parts = {}, {}
    for number in order:
        contents[number] = os.urandom(sizes[number])
        parts[number] = send(client, upload, number, contents[number])
    done = finish(client, upload, [parts[number] for number in (1, 2, 3)])
    assert read(client, bucket) == b"".join(contents[number] for number in (1, 2, 3))
    assert done["ETag"] == expected_etag(*(contents[number] for number in (1, 2, 3)))
    assert s3.leftovers() == []


def test_parts_may_differ_in_size_and_numbers_may_be_left_out(client, bucket):
    upload = start(client, bucket)
    contents = {2: os.urandom(5 * MIB), 7: os.urandom(6 * MIB), 9: os.urandom(5 * MIB + 1), 9999: b"end"}
    parts = [send(client, upload, number, content) for number, content in contents.items()]
    finish(client, upload, parts)
    assert read(client, bucket) == b"".join(contents.values())


def test_parts_that_are_not_named_are_not_in_the_object(client, bucket):
    upload = start(client, bucket)
    one, two = os.urandom(5 * MIB), os.urandom(5 * MIB)
    parts = [send(client, upload, 1, one), send(client, upload, 2, two)]
    send(client, upload, 3, b"not wanted")
    finish(client, upload, parts)
    assert read(client, bucket) == one + two


def test_the_parts_of_an_object_can_be_read_by_number(client, bucket):
    upload = start(client, bucket)
    first = os.urandom(5 * MIB)
    finish(client, upload, [send(client, upload, 1, first), send(client, upload, 2, b"second")])
    answer = client.get_object(Bucket=bucket, Key="a", PartNumber=2)
    assert (answer["Body"].read(), answer["PartsCount"]) == (b"second", 2)
    assert client.head_object(Bucket=bucket, Key="a", PartNumber=1)["ContentLength"] == 5 * MIB
    assert failure(client.get_object, Bucket=bucket, Key="a", PartNumber=3)["Code"] == "InvalidPartNumber"


def test_what_cannot_be_completed_goes_on(client, bucket):
    upload = start(client, bucket)
    small, last = send(client, upload, 1, b"small"), send(client, upload, 2, b"last")
    error = failure(finish, client, upload, [small, last])
    assert (error["Code"], error["PartNumber"], error["MinSizeAllowed"]) == (
        "EntityTooSmall",
        "1",
        str(5 * MIB),
    )
    assert failure(finish, client, upload, [last, small])["Code"] == "InvalidPartOrder"
    assert failure(finish, client, upload, [{**last, "ETag": '"0"'}])["Code"] == "InvalidPart"
    assert failure(finish, client, upload, [{**last, "PartNumber": 3}])["Code"] == "InvalidPart"
    assert failure(finish, client, upload, [])["Code"] == "MalformedXML"
    assert failure(finish, client, upload, [last], MpuObjectSize=5)["Code"] == "InvalidRequest"
    assert failure(client.head_object, Bucket=bucket, Key="a")["Code"] == "404"
    finish(client, upload, [last], MpuObjectSize=4)
    assert read(client, bucket) == b"last"


def test_a_condition_counts_when_the_upload_is_completed(client, bucket):
    first, second = start(client, bucket), start(client, bucket)
    parts = {"first": [send(client, first, 1, b"first")], "second": [send(client, second, 1, b"second")]}
    finish(client, first, parts["first"], IfNoneMatch="*")
    assert failure(finish, client, second, parts["second"], IfNoneMatch="*")["Code"] == "PreconditionFailed"
    assert read(client, bucket) == b"first"
    finish(client, second, parts["second"], IfMatch=client.head_object(Bucket=bucket, Key="a")["ETag"])
    assert read(client, bucket) == b"second"


def test_completing_twice_says_the_same_as_long_as_the_object_is_there(client, bucket):
    upload = start(client, bucket)
    parts = [send(client, upload, 1, b"x")]
    assert finish(client, upload, parts)["ETag"] == finish(client, upload, parts)["ETag"]
    client.put_object(Bucket=bucket, Key="a", Body=b"other")
    assert failure(finish, client, upload, parts)["Code"] == "NoSuchUpload"


def test_an_aborted_upload_leaves_nothing(client, bucket, s3):
    upload = start(client, bucket)
    send(client, upload, 1, b"x")
    client.abort_multipart_upload(**upload)
    assert s3.leftovers() == []
    assert failure(send, client, upload, 2, b"y")["Code"] == "NoSuchUpload"
    assert failure(client.list_parts, **upload)["Code"] == "NoSuchUpload"
    assert failure(client.abort_multipart_upload, **upload)["Code"] == "NoSuchUpload"


def test_an_upload_belongs_to_its_key(client, bucket):
    upload = start(client, bucket)
    assert failure(send, client, {**upload, "Key": "other"}, 1, b"x")["Code"] == "NoSuchUpload"
    assert failure(send, client, {**upload, "UploadId": "../../x"}, 1, b"x")["Code"] == "NoSuchUpload"
    for number in (0, 10_001):
        assert failure(send, client, upload, number, b"x")["Code"] == "InvalidArgument"
    client.abort_multipart_upload(**upload)


def test_uploads_and_parts_are_listed_in_pages(client, bucket):
    uploads = [start(client, bucket, key) for key in ("b", "a/1", "a/1", "c")]
    pages = client.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 3}
    )
    listed = [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]]
    assert sorted(listed) == sorted((each["Key"], each["UploadId"]) for each in uploads)
    assert [key for key, _ in listed] == ["a/1", "a/1", "b", "c"]
    below = client.list_multipart_uploads(Bucket=bucket, Prefix="a/")
    assert [each["Key"] for each in below["Uploads"]] == ["a/1", "a/1"]
    for number in (3, 1, 2):
        send(client, uploads[0], number, b"x" * number)
    found = list(client.get_paginator("list_parts").paginate(**uploads[0], PaginationConfig={"PageSize": 2}))
    parts = [part for page in found for part in page["Parts"]]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, 1), (2, 2), (3, 3)]
    for upload in uploads:
        client.abort_multipart_upload(**upload)


def test_parts_can_be_copied_from_objects(client, bucket, s3):
    source = os.urandom(6 * MIB)
    client.put_object(Bucket=bucket, Key="source", Body=source)
    upload, copy = start(client, bucket), {"CopySource": {"Bucket": bucket, "Key": "source"}}
    whole = client.upload_part_copy(**upload, PartNumber=1, **copy)["CopyPartResult"]["ETag"]
    assert whole == f'"{hashlib.md5(source).hexdigest()}"'
    part = client.upload_part_copy(**upload, PartNumber=2, CopySourceRange="bytes=10-19", **copy)
    for wrong in ("bytes=10-", "bytes=-5", f"bytes=0-{6 * MIB}", "10-19"):
        error = failure(client.upload_part_copy, **upload, PartNumber=3, CopySourceRange=wrong, **copy)
        assert error["Code"] == "InvalidArgument"
    finish(
        client,
        upload,
        [{"PartNumber": 1, "ETag": whole}, {"PartNumber": 2, "ETag": part["CopyPartResult"]["ETag"]}],
    )
    assert read(client, bucket) == source + source[10:20]
    assert s3.leftovers() == []


def test_a_large_copy_goes_by_parts(client, bucket):
    content = os.urandom(11 * MIB)
    client.upload_fileobj(io.BytesIO(content), bucket, "source", Config=SMALL_PARTS)
    client.copy({"Bucket": bucket, "Key": "source"}, bucket, "target", Config=SMALL_PARTS)
    assert read(client, bucket, "target") == content


def test_checksums_of_parts_make_one_of_the_whole(client, bucket):
    upload = start(client, bucket, ChecksumAlgorithm="SHA256")
    contents = [os.urandom(5 * MIB), b"end"]
    sums = [
        client.upload_part(**upload, PartNumber=number, Body=content, ChecksumAlgorithm="SHA256")
        for number, content in enumerate(contents, 1)
    ]
    parts = [
        {"PartNumber": number, "ETag": each["ETag"], "ChecksumSHA256": each["ChecksumSHA256"]}
        for number, each in enumerate(sums, 1)
    ]
    wrong = [{**parts[0], "ChecksumSHA256": parts[1]["ChecksumSHA256"]}, parts[1]]
    assert failure(finish, client, upload, wrong)["Code"] == "InvalidPart"
    done = finish(client, upload, parts)
    whole = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).digest()
    assert done["ChecksumSHA256"] == f"{base64.b64encode(whole).decode()}-2"
    head = client.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (done["ChecksumSHA256"], "COMPOSITE")


def test_a_checksum_of_the_whole_content_is_verified(client, bucket):
    upload = start(client, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [send(client, upload, 1, b"123456789")]
    named = {"ChecksumType": "FULL_OBJECT"}
    assert failure(finish, client, upload, parts, ChecksumCRC32="AAAAAA==", **named)["Code"] == "BadDigest"
    # The check value of CRC-32: cbf43926.
    assert finish(client, upload, parts, ChecksumCRC32="y/Q5Jg==", **named)["ChecksumCRC32"] == "y/Q5Jg=="


def test_another_server_of_the_same_machine_goes_on_with_an_upload(client, bucket, s3):
    upload = start(client, bucket, Metadata={"of": "first server"})
    one, two = os.urandom(5 * MIB), b"two"
    parts = [send(client, upload, 1, one)]
    with beside(S3(s3.objects, region=REGION, account=ACCOUNT)) as url, closing(make_client(url)) as other:
        parts.append(send(other, upload, 2, two))
        finish(other, upload, parts)
        assert other.head_object(Bucket=bucket, Key="a")["Metadata"] == {"of": "first server"}
    assert read(client, bucket) == one + two
    assert s3.leftovers() == []
