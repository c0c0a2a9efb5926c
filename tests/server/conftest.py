"""A machine that speaks AWS's APIs to boto3."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.config import Config
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.toys import TOY_IMAGES
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.hosting import Hosts
from workflows.local.images import ImageTable
from workflows.local.store import Store
from workflows.server import sts
from workflows.server.background import Background
from workflows.server.dispatch import service_of
from workflows.server.elsewhere import Elsewhere
from workflows.server.errors import AwsError
from workflows.server.listen import beside
from workflows.server.machine import Machine

REGION, ACCOUNT = "eu-west-1", "123456789012"
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD"]


@dataclass
class Cloud:
    """A served machine."""

    url: str
    machine: Machine
    _closing: ExitStack = field(default_factory=ExitStack)

    @property
    def store(self):
        return self.machine.store

    def client(self, service, *, region=REGION, **config):
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
        )
        self._closing.callback(client.close)
        return client


def make_machine(home):
    store = Store(home)
    images = ImageTable(TOY_IMAGES)
    place = Place(region=REGION, account=ACCOUNT, images=images)
    return Machine(
        engine=Engine(store=store, place=place),
        hosts=Hosts(store, images=images, environment={}),
        background=Background(),
    )
