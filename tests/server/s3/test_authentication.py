from datetime import UTC, datetime, timedelta

import boto3
import httpx
import pytest
from botocore.config import Config

from tests.server.s3.conftest import ACCOUNT, REGION
from workflows.server.listen import beside
from workflows.server.s3.app import S3


def client_of(url, version):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_is_enough(s3, client, bucket, version):
    signer = client_of(s3.url, version)
    named = {"Bucket": bucket, "Key": "a b/ü+.txt"}
    put = signer.generate_presigned_url("put_object", Params=named, ExpiresIn=60)
    assert httpx.put(put, content=b"by anybody").status_code == 200
    get = signer.generate_presigned_url(
        "get_object", Params={**named, "ResponseContentType": "text/x-test"}, ExpiresIn=60
    )
    answer = httpx.get(get)
    assert (answer.content, answer.headers["content-type"]) == (b"by anybody", "text/x-test")
    assert client.get_object(**named)["ContentType"] == "binary/octet-stream"
    signer.close()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_ends(s3, client, bucket, version):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    signer = client_of(s3.url, version)
    url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=60)
    signer.close()
    for minutes, status in ((0.5, 200), (2, 403)):
        later = S3(
            s3.objects,
            region=REGION,
            account=ACCOUNT,
            now=lambda minutes=minutes: datetime.now(UTC) + timedelta(minutes=minutes),
        )
        with beside(later) as other:
            answer = httpx.get(url.replace(s3.url, other))
            assert answer.status_code == status
            assert (b"Request has expired" in answer.content) == (status == 403)


def test_who_says_nothing_gets_nothing(s3, client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    for method, path in (("GET", f"/{bucket}/a"), ("DELETE", f"/{bucket}/a"), ("GET", "/")):
        status, _, body = s3.request(method, path, signed=False)
        assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=0",
        "X-Amz-Signature=0&X-Amz-Date=20260101T000000Z&X-Amz-Expires=-1",
        "X-Amz-Signature=0&X-Amz-Date=20260101T000000Z&X-Amz-Expires=604801",
        "X-Amz-Signature=0&X-Amz-Date=yesterday&X-Amz-Expires=60",
        "X-Amz-Signature=0&X-Amz-Date=20000101T000000Z&X-Amz-Expires=60",
        "Signature=0&AWSAccessKeyId=x",
        "Signature=0&AWSAccessKeyId=x&Expires=soon",
        "Signature=0&AWSAccessKeyId=x&Expires=1",
    ],
)
def test_a_query_that_authenticates_nothing_is_refused(s3, client, bucket, query):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    status, _, body = s3.request("GET", f"/{bucket}/a?{query}", signed=False)
    assert status in (400, 403), body


@pytest.mark.parametrize("when", ["99991231T235959Z", "20990101T000000Z"])
def test_a_url_of_the_far_future_is_good(s3, client, bucket, when):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    query = f"X-Amz-Signature=0&X-Amz-Date={when}&X-Amz-Expires=60"
    assert s3.request("GET", f"/{bucket}/a?{query}", signed=False)[0] == 200
    far = "Signature=0&AWSAccessKeyId=x&Expires=999999999999"
    assert s3.request("GET", f"/{bucket}/a?{far}", signed=False)[0] == 200


def test_no_header_is_smuggled_into_an_answer(s3, client, bucket):
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    status, headers, _ = s3.request("GET", f"/{bucket}/a?response-content-type=a%0d%0ax-evil:%20b")
    assert (status, headers["x-evil"]) == (400, None)


def test_a_bucket_may_stand_in_the_host_name(s3, client, bucket):
    client.put_object(Bucket=bucket, Key="a/b", Body=b"virtual")
    for host in (f"{bucket}.localhost:1234", f"{bucket}.s3.localhost"):
        assert s3.request("GET", "/a/b", headers={"host": host})[2] == b"virtual"
        assert b"<Key>a/b</Key>" in s3.request("GET", "/?list-type=2", headers={"host": host})[2]
