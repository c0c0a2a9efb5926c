"""A machine that speaks AWS's APIs, as in the tests of the server, and clients of it."""

import pytest

from tests.server.conftest import REGION, cloud, door, images, runners  # noqa: F401 - fixtures
from workflows.aws.clients import Clients


@pytest.fixture
def clients(cloud):  # noqa: F811
    return Clients(REGION, endpoint_url=cloud.url, access_key="none")
