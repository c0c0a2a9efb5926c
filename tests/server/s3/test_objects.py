import errno
import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError


def failure(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


def test_an_object_comes_back_with_all_that_was_said_of_it(client, bucket):
    said = {
        "ContentType": "image/jpeg",
        "CacheControl": "no-cache",
        "ContentDisposition": 'attachment; filename="a.jpg"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"camera": "north", "count": "3"},
    }
    put = client.put_object(Bucket=bucket, Key="birds/a b+c.jpg", Body=b"jpeg", **said)
    assert put["ETag"] == f'"{hashlib.md5(b"jpeg").hexdigest()}"'
    for answer in (
        client.get_object(Bucket=bucket, Key="birds/a b+c.jpg"),
        client.head_object(Bucket=bucket, Key="birds/a b+c.jpg"),
    ):
        assert {name: answer[name] for name in said} == said
        assert answer["ContentLength"] == 4
        assert answer["ETag"] == put["ETag"]
        assert abs(answer["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)


def test_without_a_type_it_is_just_bytes(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"")
    answer = client.get_object(Bucket=bucket, Key="a")
    assert answer["ContentType"] == "binary/octet-stream"
    assert answer["Body"].read() == b""


def test_an_object_of_a_job_has_the_md5_of_its_content(client, bucket, s3, tmp_path):
    (tmp_path / "metrics.json").write_text('{"mAP": 0.5}')
    s3.objects.adopt_file(tmp_path / "metrics.json", f"s3://{bucket}/out/metrics.json")
    expected = f'"{hashlib.md5(b"""{"mAP": 0.5}""").hexdigest()}"'
    [listed] = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["ETag"] == expected
    assert client.head_object(Bucket=bucket, Key="out/metrics.json")["ETag"] == expected
    (tmp_path / "again").write_text('{"mAP": 0.6}')
    s3.objects.adopt_file(tmp_path / "again", f"s3://{bucket}/out/metrics.json")
    assert client.head_object(Bucket=bucket, Key="out/metrics.json")["ETag"] != expected


def test_a_large_object_of_a_job_has_an_etag_that_nobody_takes_for_a_checksum(client, bucket, s3, tmp_path):
    with open(tmp_path / "model", "wb") as file:
        file.truncate(9 * 2**20)
    s3.objects.adopt_file(tmp_path / "model", f"s3://{bucket}/model")
    [listed] = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["ETag"].endswith('-2"')
    assert client.head_object(Bucket=bucket, Key="model")["ETag"] == listed["ETag"]
    assert client.get_object(Bucket=bucket, Key="model", IfMatch=listed["ETag"])["ContentLength"] == 9 * 2**20


def test_what_was_said_of_an_object_does_not_speak_of_the_one_in_its_place(client, bucket, s3, tmp_path):
    client.put_object(Bucket=bucket, Key="a", Body=b"old", ContentType="text/plain", Metadata={"of": "old"})
    (tmp_path / "new").write_text("new")
    s3.objects.adopt_file(tmp_path / "new", f"s3://{bucket}/a")
    answer = client.get_object(Bucket=bucket, Key="a")
    assert answer["Body"].read() == b"new"
    assert (answer["Metadata"], answer["ContentType"]) == ({}, "binary/octet-stream")


def test_a_job_sees_what_was_uploaded(client, bucket, s3, tmp_path):
    client.put_object(Bucket=bucket, Key="in/a.txt", Body=b"1")
    client.put_object(Bucket=bucket, Key="in/", Body=b"")
    assert s3.objects.download(f"s3://{bucket}/in/", tmp_path / "job") == 1
    assert (tmp_path / "job" / "a.txt").read_bytes() == b"1"


def test_a_reader_goes_on_with_the_object_that_it_began(client, bucket):
    first, second = os.urandom(3 * 2**20), os.urandom(3 * 2**20)
    client.put_object(Bucket=bucket, Key="a", Body=first)
    body = client.get_object(Bucket=bucket, Key="a")["Body"]
    head = body.read(10)
    client.put_object(Bucket=bucket, Key="a", Body=second)
    assert head + body.read() == first


@pytest.mark.parametrize(
    ("header", "content", "shown"),
    [
        pytest.param("bytes=2-4", b"234", "bytes 2-4/7", id="middle"),
        pytest.param("bytes=0-0", b"0", "bytes 0-0/7", id="one"),
        pytest.param("bytes=5-", b"56", "bytes 5-6/7", id="to-the-end"),
        pytest.param("bytes=5-99", b"56", "bytes 5-6/7", id="beyond-the-end"),
        pytest.param("bytes=-3", b"456", "bytes 4-6/7", id="last"),
        pytest.param("bytes=-99", b"0123456", "bytes 0-6/7", id="more-than-all"),
        pytest.param("bytes=4-2", b"0123456", None, id="backwards"),
        pytest.param("bytes=0-1,4-5", b"0123456", None, id="several"),
        pytest.param("lines=1-2", b"0123456", None, id="other-unit"),
        pytest.param("bytes=-", b"0123456", None, id="nothing"),
    ],
)
def test_a_range_is_a_part_and_what_is_no_range_is_ignored(client, bucket, header, content, shown):
    client.put_object(Bucket=bucket, Key="a", Body=b"0123456")
    answer = client.get_object(Bucket=bucket, Key="a", Range=header)
    assert (answer["Body"].read(), answer.get("ContentRange")) == (content, shown)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == (206 if shown else 200)


def test_a_range_outside_is_refused(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"0123456")
    for header in ("bytes=7-", "bytes=-0"):
        error = failure(client.get_object, Bucket=bucket, Key="a", Range=header)
        assert (error["Code"], error["ActualObjectSize"]) == ("InvalidRange", "7")
    assert failure(client.head_object, Bucket=bucket, Key="a", Range="bytes=7-")["Code"] == "416"


def test_conditions_of_readers(client, bucket):
    etag = client.put_object(Bucket=bucket, Key="a", Body=b"x")["ETag"]
    now = client.head_object(Bucket=bucket, Key="a")["LastModified"]
    client.get_object(Bucket=bucket, Key="a", IfMatch=etag, IfUnmodifiedSince=now - timedelta(days=1))
    assert (
        failure(client.get_object, Bucket=bucket, Key="a", IfMatch='"other"')["Code"] == "PreconditionFailed"
    )
    assert failure(client.get_object, Bucket=bucket, Key="a", IfNoneMatch=etag)["Code"] == "304"
    assert failure(client.head_object, Bucket=bucket, Key="a", IfModifiedSince=now)["Code"] == "304"
    client.get_object(Bucket=bucket, Key="a", IfModifiedSince=now - timedelta(seconds=1))
    client.get_object(Bucket=bucket, Key="a", IfNoneMatch='"other"', IfModifiedSince=now)
    late = failure(client.get_object, Bucket=bucket, Key="a", IfUnmodifiedSince=now - timedelta(days=1))
    assert (late["Code"], late["Condition"]) == ("PreconditionFailed", "If-Unmodified-Since")


def test_conditions_of_writers(client, bucket):
    first = client.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
    assert failure(client.put_object, Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")["Code"] == (
        "PreconditionFailed"
    )
    client.put_object(Bucket=bucket, Key="a", Body=b"3", IfMatch=first)
    assert failure(client.put_object, Bucket=bucket, Key="a", Body=b"4", IfMatch=first)["Code"] == (
        "PreconditionFailed"
    )
    assert (
        failure(client.put_object, Bucket=bucket, Key="none", Body=b"", IfMatch=first)["Code"] == "NoSuchKey"
    )
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"3"


def test_an_object_that_cannot_take_its_place_leaves_the_one_that_is_there(client, bucket, s3, monkeypatch):
    client.put_object(Bucket=bucket, Key="a", Body=b"before", Metadata={"of": "before"})

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        error = failure(client.put_object, Bucket=bucket, Key="a", Body=b"after")
    assert (error["Code"], "Input/output error" in error["Message"]) == ("InternalError", True)
    answer = client.get_object(Bucket=bucket, Key="a")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"before", {"of": "before"})
    assert s3.leftovers() == []


def test_deleting_is_forgiving_and_leaves_no_folders(client, bucket, s3):
    client.put_object(Bucket=bucket, Key="deep/in/a", Body=b"x")
    client.delete_object(Bucket=bucket, Key="deep/in/never")
    client.delete_object(Bucket=bucket, Key="deep/in")
    assert client.head_object(Bucket=bucket, Key="deep/in/a")["ContentLength"] == 1
    client.delete_object(Bucket=bucket, Key="deep/in/a")
    assert list((s3.objects.root / bucket).iterdir()) == []
    client.put_object(Bucket=bucket, Key="deep", Body=b"now an object")


def test_many_are_deleted_at_once_each_for_itself(client, bucket):
    for key in ("a", "b & c", "d"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    wanted = [{"Key": "a"}, {"Key": "b & c"}, {"Key": "never"}, {"Key": "x/../y"}]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [each["Key"] for each in answer["Deleted"]] == ["a", "b & c", "never"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [("x/../y", "InvalidArgument")]
    quiet = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "d"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tags_are_kept(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"x", Tagging="set=train&label=a%20b")
    tags = client.get_object_tagging(Bucket=bucket, Key="a")["TagSet"]
    assert tags == [{"Key": "set", "Value": "train"}, {"Key": "label", "Value": "a b"}]
    assert client.head_object(Bucket=bucket, Key="a")["TagCount"] == 2
    client.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "set", "Value": "test"}]})
    assert client.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "set", "Value": "test"}]
    client.delete_object_tagging(Bucket=bucket, Key="a")
    assert client.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []
    many = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    assert failure(client.put_object_tagging, Bucket=bucket, Key="a", Tagging=many)["Code"] == "BadRequest"


def test_attributes_of_an_object(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"hello", ChecksumAlgorithm="SHA256")
    answer = client.get_object_attributes(
        Bucket=bucket, Key="a", ObjectAttributes=["ETag", "ObjectSize", "Checksum"]
    )
    assert answer["ETag"] == hashlib.md5(b"hello").hexdigest()
    assert answer["ObjectSize"] == 5
    assert answer["Checksum"]["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        pytest.param(
            {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0" * 32}, "NotImplemented", id="key"
        ),
        pytest.param({"ObjectLockLegalHoldStatus": "ON"}, "NotImplemented", id="lock"),
        pytest.param({"ACL": "public-read"}, "AccessControlListNotSupported", id="acl"),
        pytest.param({"StorageClass": "COLD"}, "InvalidStorageClass", id="class"),
        pytest.param({"Metadata": {"x": "y" * 3000}}, "MetadataTooLarge", id="metadata"),
    ],
)
def test_what_would_not_be_kept_is_refused(client, bucket, extra, code):
    assert failure(client.put_object, Bucket=bucket, Key="a", Body=b"x", **extra)["Code"] == code
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_encryption_that_aws_would_do_by_itself_is_no_obstacle(client, bucket):
    client.put_object(
        Bucket=bucket,
        Key="a",
        Body=b"x",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="alias/x",
        ACL="private",
    )
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_there_is_one_version(client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    [version] = client.list_object_versions(Bucket=bucket)["Versions"]
    assert (version["Key"], version["VersionId"], version["IsLatest"]) == ("a", "null", True)
    assert failure(client.get_object, Bucket=bucket, Key="a", VersionId="other")["Code"] == "NoSuchVersion"
    client.delete_object(Bucket=bucket, Key="a", VersionId="null")
    error = failure(client.get_object, Bucket=bucket, Key="a")
    assert (error["Code"], error["Key"]) == ("NoSuchKey", "a")


def test_errors_have_the_shape_that_clients_read(s3, bucket):
    status, headers, body = s3.request("GET", f"/{bucket}/none%3Cb%3E")
    assert status == 404
    assert headers["content-type"] == "application/xml"
    assert headers["x-amz-request-id"].encode() in body
    assert f"<Resource>/{bucket}/none&lt;b&gt;</Resource>".encode() in body
    assert s3.request("PATCH", f"/{bucket}/a")[0] == 405


def test_a_page_in_an_object_cannot_act_in_a_browser(client, bucket, s3):
    client.put_object(Bucket=bucket, Key="a.html", Body=b"<script>", ContentType="text/html")
    _, headers, _ = s3.request("GET", f"/{bucket}/a.html")
    assert headers["content-security-policy"] == "sandbox"
