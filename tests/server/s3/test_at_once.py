"""Many clients at once."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

MIB = 2**20


def outcome(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


def test_eight_writers_of_one_key_leave_one_whole_object(client, bucket, s3):
    contents = [bytes([number]) * (2 * MIB + number) for number in range(8)]

    def write(number):
        said = {"Metadata": {"writer": str(number)}}
        for _ in range(3):
            client.put_object(Bucket=bucket, Key="deep/a", Body=contents[number], **said)

    def read(_):
        try:
            answer = client.get_object(Bucket=bucket, Key="deep/a")
        except ClientError:
            return True
        content = answer["Body"].read()
        writer = int(answer["Metadata"]["writer"])
        return content == contents[writer] and answer["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'

    with ThreadPoolExecutor(12) as threads:
        writing = [threads.submit(write, number) for number in range(8)]
        reading = list(threads.map(read, range(30)))
        for each in writing:
            each.result()
    assert all(reading)
    assert read(None)
    assert s3.leftovers() == []


def test_only_one_makes_an_object_that_must_be_new(client, bucket):
    with ThreadPoolExecutor(8) as threads:
        calls = [
            threads.submit(
                outcome, client.put_object, Bucket=bucket, Key="a", Body=str(number).encode(), IfNoneMatch="*"
            )
            for number in range(8)
        ]
    assert sorted(call.result() for call in calls) == ["PreconditionFailed"] * 7 + ["done"]


def test_neighbours_may_vanish_while_an_object_takes_its_place(client, bucket, s3):
    def come_and_go(number):
        for _ in range(15):
            client.put_object(Bucket=bucket, Key=f"deep/er/{number}", Body=b"x")
            assert client.head_object(Bucket=bucket, Key=f"deep/er/{number}")["ContentLength"] == 1
            client.delete_object(Bucket=bucket, Key=f"deep/er/{number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come_and_go, range(4)))
    assert list((s3.objects.root / bucket).iterdir()) == []


def test_an_upload_that_is_completed_while_parts_arrive_is_whole(client, bucket, s3):
    for _ in range(3):
        upload = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
        named = {"Bucket": bucket, "Key": "a", "UploadId": upload}
        first, late = os.urandom(5 * MIB), os.urandom(5 * MIB)
        part = client.upload_part(**named, PartNumber=1, Body=first)["ETag"]
        with ThreadPoolExecutor(3) as threads:
            sending = [
                threads.submit(outcome, client.upload_part, **named, PartNumber=number, Body=late)
                for number in (1, 2)
            ]
            parts = [{"PartNumber": 1, "ETag": part}]
            done = threads.submit(
                outcome, client.complete_multipart_upload, **named, MultipartUpload={"Parts": parts}
            )
        codes = {each.result() for each in sending}
        assert codes <= {"done", "NoSuchUpload"}
        # A part with the same number may have come first.
        if done.result() == "done":
            assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == first
        else:
            assert done.result() in ("InvalidPart", "OperationAborted")
            client.abort_multipart_upload(**named)
    assert s3.leftovers() == []
