import pytest
from botocore.exceptions import ClientError


def failure(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def source(client, bucket):
    client.put_object(
        Bucket=bucket,
        Key="from a+b/é",
        Body=b"content",
        ContentType="text/plain",
        Metadata={"of": "source"},
        Tagging="a=b",
    )
    return {"Bucket": bucket, "Key": "from a+b/é"}


def test_a_copy_is_all_that_the_source_is(client, bucket, source):
    copied = client.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    answer = client.get_object(Bucket=bucket, Key="copy")
    assert answer["Body"].read() == b"content"
    assert (answer["ContentType"], answer["Metadata"]) == ("text/plain", {"of": "source"})
    assert (answer["ETag"], answer["TagCount"]) == (copied["ETag"], 1)


def test_a_copy_costs_no_disk_and_does_not_change_with_the_source(client, bucket, source, s3):
    client.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    paths = [s3.objects.path(f"s3://{bucket}/{key}") for key in ("copy", source["Key"])]
    assert paths[0].samefile(paths[1])
    client.put_object(Bucket=bucket, Key=source["Key"], Body=b"changed")
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"content"
    client.delete_object(**source)
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"content"


def test_what_is_said_of_a_copy_can_be_replaced(client, bucket, source):
    client.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"of": "copy"},
        TaggingDirective="REPLACE",
        Tagging="c=d",
    )
    answer = client.head_object(Bucket=bucket, Key="copy")
    assert (answer["ContentType"], answer["Metadata"]) == ("binary/octet-stream", {"of": "copy"})
    assert client.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "c", "Value": "d"}]
    assert client.head_object(**source)["Metadata"] == {"of": "source"}


def test_an_object_is_copied_to_itself_only_to_say_something_else_of_it(client, bucket, source, s3):
    assert failure(client.copy_object, **source, CopySource=source) == "InvalidRequest"
    client.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"of": "itself"})
    answer = client.get_object(**source)
    assert (answer["Body"].read(), answer["Metadata"]) == (b"content", {"of": "itself"})
    assert s3.leftovers() == []


def test_between_buckets(client, source, s3):
    other = s3.new_bucket()
    client.copy_object(Bucket=other, Key="copy", CopySource=source)
    assert client.get_object(Bucket=other, Key="copy")["Body"].read() == b"content"


def test_conditions_on_the_source_and_the_target(client, bucket, source):
    etag = client.head_object(**source)["ETag"]
    named = {"Bucket": bucket, "Key": "copy", "CopySource": source}
    assert failure(client.copy_object, **named, CopySourceIfMatch='"other"') == "PreconditionFailed"
    assert failure(client.copy_object, **named, CopySourceIfNoneMatch=etag) == "PreconditionFailed"
    client.copy_object(**named, CopySourceIfMatch=etag, IfNoneMatch="*")
    assert failure(client.copy_object, **named, IfNoneMatch="*") == "PreconditionFailed"


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        pytest.param("nowhere/key", 404, "NoSuchBucket", id="no-bucket"),
        pytest.param("{bucket}/none", 404, "NoSuchKey", id="no-key"),
        pytest.param("{bucket}", 400, "InvalidArgument", id="no-key-at-all"),
        pytest.param("{bucket}/../../x", 400, "InvalidArgument", id="climbs"),
        pytest.param("../{bucket}/x", 404, "NoSuchBucket", id="bucket-climbs"),
        pytest.param("%2e%2e/x", 404, "NoSuchBucket", id="encoded"),
        pytest.param("{bucket}/a?versionId=5", 404, "NoSuchVersion", id="version"),
        pytest.param("%ff/a", 400, "InvalidArgument", id="no-utf-8"),
    ],
)
def test_a_source_that_is_none_is_refused(s3, bucket, header, status, code):
    headers = {"x-amz-copy-source": header.format(bucket=bucket)}
    found, _, body = s3.put(bucket, "copy", headers=headers)
    assert (found, f"<Code>{code}</Code>".encode() in body) == (status, True), body
    assert s3.leftovers() == []
