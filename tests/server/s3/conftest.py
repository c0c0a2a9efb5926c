"""A served tree of objects, one for all tests of a module, and a bucket of its own for each."""

import http.client
import itertools
import logging
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import boto3
import pytest
from botocore.config import Config

from workflows.local.objects import Objects
from workflows.server.listen import beside
from workflows.server.s3.app import S3

REGION, ACCOUNT = "eu-west-1", "123456789012"
# Nobody verifies it; without any, S3 would not answer either.
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=none/20260101/eu-west-1/s3/aws4_request, Signature=0"}


@dataclass
class Served:
    """A server, and what it serves."""

    url: str
    objects: Objects
    client: object
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def home(self):
        return self.objects.root.parent

    def new_bucket(self):
        name = f"bucket-{next(self._numbers)}"
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def connection(self):
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def request(self, method, path, body=None, headers=(), *, signed=True):
        """Status, headers and body of a request whose path nobody tidies."""
        with closing(self.connection()) as connection:
            connection.request(method, path, body, {**(SIGNED if signed else {}), **dict(headers)})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def put(self, bucket, key, body=b"", headers=()):
        return self.request("PUT", f"/{bucket}/{quote(key)}", body, headers)

    def leftovers(self):
        """Everything beside the objects that an upload could leave."""
        folders = [self.home / "partial", self.home / "uploads"]
        return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


def make_client(url, **config):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
    )


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    objects = Objects(tmp_path_factory.mktemp("machine") / "s3")
    # A bug must fail a test, not only be logged: the client sees it as an answer of status 500.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    with beside(S3(objects, region=REGION, account=ACCOUNT)) as url, closing(make_client(url)) as client:
        yield Served(url, objects, client)


@pytest.fixture
def client(s3):
    return s3.client


@pytest.fixture
def bucket(s3):
    return s3.new_bucket()
