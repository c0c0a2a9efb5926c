"""A machine that stands for an AWS account, and keeps who asked it for what."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl

import boto3
from botocore.config import Config

from tests.toys import TOY_IMAGES
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.functions import handlers
from workflows.local.images import ImageTable
from workflows.local.store import Store
from workflows.server.app import running
from workflows.server.dispatch import service_of
from workflows.server.listen import listening, serving

REGION, ACCOUNT = "eu-west-1", "123456789012"
FIND, DEPLOY = "sagemaker-find-approved-model", "sagemaker-deploy-approved-model"


@dataclass(frozen=True)
class Call:
    """A request, by whom and for what."""

    who: str  # access key id
    service: str
    operation: str
    request: dict


@dataclass
class Account:
    """What tests know of the machine."""

    url: str
    _closing: ExitStack
    store: Store | None = None
    calls: list[Call] = field(default_factory=list)

    def client(self, service, *, who="somebody"):
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=who,
            aws_secret_access_key="none",
            config=Config(s3={"addressing_style": "path"}),
        )
        self._closing.callback(client.close)
        return client

    def environment(self, who):
        """Leads boto3 and the AWS CLI here, as somebody, and to nobody's configuration."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": who,
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }


@contextmanager
def account(home) -> Iterator[Account]:
    """Serve a machine whose rules fire, and whose functions sign with their own names."""
    store, calls = Store(home), []
    with listening() as address, ExitStack() as closing:
        own = {"AWS_ENDPOINT_URL": address.url, "AWS_SECRET_ACCESS_KEY": "none"}
        functions = {
            name: replace(function, environment={**function.environment, "AWS_ACCESS_KEY_ID": name})
            for name, function in handlers({}).items()
        }
        place = Place(
            region=REGION,
            account=ACCOUNT,
            images=ImageTable(TOY_IMAGES),
            functions=functions,
            function_environment=own,
        )
        with (
            running(Engine(store=store, place=place), resume=True) as app,
            serving(_Recorder(app, calls), address),
        ):
            yield Account(address.url, closing, store, calls)


@contextmanager
def served(folder) -> Iterator[Account]:
    """The same by `workflows serve`, in a process of its own; who asked for what stays unknown."""
    folder.mkdir()
    trainer = json.dumps(TOY_IMAGES["toy-trainer"]["command"])
    (folder / "workflows.toml").write_text(f"[images.toy-trainer]\ncommand = {trainer}\n")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_REGION": REGION,
        "SAGEMAKER_PIPELINE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/workflows",
    }
    command = [str(Path(sys.executable).with_name("workflows")), "serve", "--port", "0"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
        ExitStack() as closing,
    ):
        try:
            yield Account(process.stdout.readline().split()[-1], closing)
        finally:
            process.terminate()


class _Recorder:
    """An ASGI application before another one."""

    def __init__(self, app, calls):
        self._app, self._calls = app, calls

    async def __call__(self, scope, receive, send):
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        service = service_of(scope["method"], scope["path"], query, headers)
        who = headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
        target, body = headers.get("x-amz-target", "").rpartition(".")[2], b""
        if target:
            body, receive = await _read(receive)
        if service == "s3":
            operation, request = _s3_operation(scope["method"], scope["path"])
        else:
            operation, request = target or f"{scope['method']} {scope['path']}", json.loads(body or b"{}")
        self._calls.append(Call(who, service, operation, request))
        await self._app(scope, receive, send)


async def _read(receive):
    """The body of a request, and what gives it to the next reader again."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def again():
        return messages.pop() if messages else await receive()

    return body, again


def _s3_operation(method, path):
    """Parts of an upload count as PutObject, which is the right that they need."""
    bucket, _, key = path.strip("/").partition("/")
    return f"{method.capitalize()}{'Object' if key else 'Bucket'}", {"Bucket": bucket, "Key": key}
