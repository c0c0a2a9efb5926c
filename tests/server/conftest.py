"""A machine that speaks AWS's APIs to boto3."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.config import Config

from tests.toys import TOY_IMAGES
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.hosting import Hosts
from workflows.local.images import ImageTable
from workflows.local.runners.table import RUNNERS
from workflows.local.store import Store
from workflows.server.app import App
from workflows.server.background import Background
from workflows.server.listen import beside
from workflows.server.machine import Machine

REGION, ACCOUNT = "eu-west-1", "123456789012"


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


def make_machine(home, *, runners=RUNNERS, images=None):
    store = Store(home)
    images = ImageTable({**TOY_IMAGES, **(images or {})})
    place = Place(region=REGION, account=ACCOUNT, images=images)
    return Machine(
        engine=Engine(store=store, place=place, runners=runners),
        hosts=Hosts(store, images=images, environment={}),
        background=Background(),
    )


@pytest.fixture
def runners():
    """What does the work of steps; a module may have its own."""
    return RUNNERS


@pytest.fixture
def images():
    """What stands in for images beside the toys; a module may have its own."""
    return {}


class Door:
    """One listening server for all tests: starting and ending one takes longer than most of them."""

    app = None

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def door():
    door = Door()
    with beside(door) as url:
        yield door, url


@pytest.fixture
def cloud(tmp_path, runners, images, door):
    machine = make_machine(tmp_path / "home", runners=runners, images=images)
    door[0].app = App(machine)
    with ExitStack() as closing:
        yield Cloud(door[1], machine, closing)
    machine.background.stop_all()
    machine.hosts.close()
