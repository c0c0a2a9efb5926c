"""Which operation a request is, for every operation that botocore can ask of S3."""

from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.config import Config

from workflows.server.s3.address import read_address
from workflows.server.s3.dispatch import operation_of
from workflows.server.s3.table import OPERATIONS, TRANSFERS
from workflows.server.shapes import service_model

HERE = OPERATIONS.keys() | TRANSFERS.keys()
# They have a path, or an endpoint, of their own.
ELSEWHERE = {"WriteGetObjectResponse", "CreateSession", "ListDirectoryBuckets"}
# Old names of what has a new one.
SAME = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}


class Sent(Exception):
    """A request, instead of an answer to it."""


def smallest(shape):
    """A value with nothing in it but what must be."""
    if shape.type_name == "structure":
        names = shape.required_members
        if not names and shape.is_tagged_union:
            names = list(shape.members)[:1]
        return {name: smallest(shape.members[name]) for name in names}
    if shape.type_name == "list":
        return [smallest(shape.member)]
    if shape.type_name == "map":
        return {}
    text = "t" * shape.metadata.get("min", 4)
    plain = {"string": text, "integer": 1, "long": 1, "boolean": True, "blob": b"x", "timestamp": 0}
    return shape.metadata["enum"][0] if shape.metadata.get("enum") else plain[shape.type_name]


@pytest.fixture(scope="module")
def asked():
    """Asks for an operation; returns method, level, query and headers of the request."""
    client = boto3.client(
        "s3",
        endpoint_url="http://localhost",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )

    def stop(request, **_):
        raise Sent(request)

    client.meta.events.register("before-send.s3", stop)

    def ask(operation):
        given = smallest(operation.input_shape) if operation.input_shape else {}
        given |= {name: "name" for name in ("Bucket", "Key") if name in given}
        given |= {"CopySource": "bucket/key"} if "CopySource" in given else {}
        with pytest.raises(Sent) as sent:
            client._make_api_call(operation.name, given)
        [request] = sent.value.args
        parts = urlsplit(request.url)
        level = read_address("localhost", parts.path.encode()).level
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return request.method, level, query, {name.lower() for name in request.headers}

    yield ask
    client.close()


@pytest.mark.parametrize("name", sorted({*service_model("s3").operation_names} - ELSEWHERE))
def test_a_request_for_an_operation_is_known_by_its_name(asked, name):
    found = operation_of(*asked(service_model("s3").operation_model(name)), HERE)
    expected = SAME.get(name, name)
    assert SAME.get(found, found) == expected
    assert (found in HERE) == (expected in HERE)
