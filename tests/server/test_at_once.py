"""A thousand requests at one moment."""

import asyncio
import resource
from urllib.parse import urlsplit

import pytest

from tests.server.fuzz.asking import S3_SIGNED

REQUESTS = 1000
LIMIT_S = 120
CONTENT = b"the same for all"
READ = (
    b"POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: SageMaker.ListPipelines\r\nContent-Length: 2\r\n"
    b"Connection: close\r\n\r\n{}"
)
GET = f"GET /toys/a HTTP/1.1\r\nHost: a\r\nAuthorization: {S3_SIGNED}\r\nConnection: close\r\n\r\n".encode()


@pytest.fixture(autouse=True)
def files():
    """Both ends of all connections are open in this one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4 * REQUESTS), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def put(number):
    """A request that makes an object of its own."""
    name = f"/toys/{number}".encode()
    head = b"PUT %s HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nConnection: close\r\n" % (
        name,
        S3_SIGNED.encode(),
    )
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(CONTENT), CONTENT)


async def _all(url, requests):
    """Their answers; every connection is open before the first request is sent."""
    parts = urlsplit(url)
    connections = [await asyncio.open_connection(parts.hostname, parts.port) for _ in requests]
    for (_, writer), request in zip(connections, requests, strict=True):
        writer.write(request)

    async def answer(reader, writer):
        received = await reader.read()
        writer.close()
        return received

    return await asyncio.wait_for(asyncio.gather(*(answer(*each) for each in connections)), LIMIT_S)


def statuses(answers):
    return {answer.partition(b"\r\n")[0] for answer in answers}


def test_a_thousand_requests_at_once_are_all_answered(cloud):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="toys", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="toys", Key="a", Body=CONTENT)
    requests = [READ, GET] * (REQUESTS // 4) + [put(number) for number in range(REQUESTS // 2)]
    answers = asyncio.run(_all(cloud.url, requests))
    assert statuses(answers) == {b"HTTP/1.1 200 OK"}
    assert sum(answer.endswith(CONTENT) for answer in answers) == REQUESTS // 4
    assert sum(b'"PipelineSummaries"' in answer for answer in answers) == REQUESTS // 4
    listed = s3.list_objects_v2(Bucket="toys")["Contents"]
    assert {entry["Key"] for entry in listed} == {"a", *map(str, range(REQUESTS // 2))}
