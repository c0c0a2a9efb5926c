"""Where a command works: on AWS, or on this machine, by the same calls."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from workflows.aws.clients import Clients, configured_region
from workflows.aws.errors import told
from workflows.aws.watching import HERE, ON_AWS, Pace
from workflows.cli.common import open_store, settings
from workflows.local.engine import Engine
from workflows.local.executor import Options, Place
from workflows.local.functions import handlers
from workflows.local.images import ImageTable
from workflows.local.store import Store
from workflows.settings import DEFAULT, LOCAL_ACCOUNT, Settings, SettingsError, Value

Command = TypeVar("Command", bound=Callable[..., Any])

LOCAL, AWS = "local", "aws"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Clients of the place, and what is known of it."""

    clients: Clients
    settings: Settings
    store: Store | None  # of this machine; None on AWS

    @property
    def is_local(self) -> bool:
        """Whether the place is this machine."""
        return self.store is not None

    @property
    def is_near(self) -> bool:
        """Whether answers come from this machine, so that nobody minds how often it is asked."""
        return self.is_local or self.clients.are_local

    @property
    def pace(self) -> Pace:
        """Of looking how far an execution is."""
        return HERE if self.is_near else ON_AWS

    @property
    def role(self) -> str:
        """The role that pipelines take.

        Raises:
            SettingsError: on AWS, it is still that of this machine.
        """
        if not self.is_local and self.settings.account == LOCAL_ACCOUNT:
            raise SettingsError(
                "the role is that of this machine: set `role` (SAGEMAKER_PIPELINE_ROLE_ARN) to the ARN of "
                "one in your account"
            )
        return self.settings["role"]

    @property
    def job_role(self) -> str:
        """The role that jobs and models take.

        Raises:
            SettingsError: see `role`.
        """
        return self.settings["job_role"] or self.role

    @property
    def pictures(self) -> Path:
        """Folder of the pictures that commands draw."""
        return self.settings.home / "pictures"


def on_option(command: Command) -> Command:
    """Adds --on local|aws."""
    return click.option(
        "--on",
        type=click.Choice([LOCAL, AWS]),
        help="This machine, or AWS with the credentials that boto3 finds; if not given, the setting `on`.",
    )(command)


@contextmanager
def connect(on: str | None = None, *, options: Options | None = None) -> Iterator[Connection]:
    """Be connected to a place for the time of the block.

    To this machine through a server inside this process: executions that are started run in this process, and
    are suspended when the block ends.

    Args:
        on: local or aws; None is what the settings say.
        options: how executions run that are started here.

    Raises:
        CloudError: what the place says to a call in the block.
        SettingsError: the settings name another place.
    """
    chosen = settings()
    place = on or chosen["on"]
    if place not in (LOCAL, AWS):
        raise SettingsError(f"setting 'on' ({chosen.values['on'].origin}) is '{place}': write local or aws")
    if place == AWS:
        with told():
            chosen = on_aws(chosen)
            with closing(Clients(chosen["region"])) as clients:
                yield Connection(clients=clients, settings=chosen, store=None)
        return
    from workflows.server.app import answering
    from workflows.server.listen import listening, serving

    store, token = open_store(chosen), secrets.token_hex(16)
    with listening() as address:
        engine = engine_of(chosen, store, function_environment=_leading_to(address.url, token))
        with (
            answering(engine, token=token, options=options) as app,
            serving(app, address),
            told(),
            closing(Clients(chosen["region"], endpoint_url=address.url, access_key=token)) as clients,
        ):
            yield Connection(clients=clients, settings=chosen, store=store)


def on_aws(chosen: Settings) -> Settings:
    """Settings as they count on AWS: the region of boto3's own configuration comes before our default."""
    if chosen.values["region"].origin != DEFAULT:
        return chosen
    region = configured_region()
    if region is None:
        return chosen
    own = Value(value=region, origin="AWS configuration")
    return replace(chosen, values={**chosen.values, "region": own})


def engine_of(chosen: Settings, store: Store, *, function_environment: Mapping[str, str]) -> Engine:
    """The engine of this machine, as the settings describe it; functions get this environment."""
    place = Place(
        region=chosen["region"],
        account=chosen.account,
        images=ImageTable(chosen.images),
        environment=_stand_in_environment(chosen),
        functions=handlers(chosen.functions),
        function_environment=function_environment,
    )
    return Engine(store=store, place=place)


def serving_environment(url: str, token: str | None) -> dict[str, str]:
    """What leads the AWS calls of functions to a server of this machine."""
    return _leading_to(url, token or LOCAL)


def _stand_in_environment(chosen: Settings) -> dict[str, str]:
    """Settings that stand-in algorithms read from their environment."""
    folder = chosen["pretrained_models"]
    return {"PRETRAINED_MODELS_DIR": str(Path(folder).absolute())} if folder else {}


def _leading_to(url: str, key: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}
