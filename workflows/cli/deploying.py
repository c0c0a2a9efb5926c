"""`workflows deploy` and `workflows rollback`."""

import mimetypes
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from workflows.aws import deployment, endpoints, objects, registry, rollback
from workflows.aws.deployment import (
    ALL_AT_ONCE,
    CANARY,
    LINEAR,
    NOTHING,
    Deployment,
    DeploymentFailed,
    Plan,
    Shift,
)
from workflows.aws.errors import told
from workflows.aws.logs import tail_of_endpoint
from workflows.aws.pictures import held_out
from workflows.aws.smoke import SmokeTestFailed, check_answer
from workflows.cli.common import json_option, print_json, say
from workflows.cli.failures import tell_end
from workflows.cli.place import Connection, connect, on_option
from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record, at

_LOOK_EVERY_S = {True: 0.1, False: 15.0}  # asked of this machine, of AWS
_SMOKE_PICTURES = 3
_HOUR_S = 3600


@click.command("deploy")
@click.argument("model")
@click.option("--endpoint", metavar="NAME", help="Its stable name; the model's group if not given.")
@click.option("--instance-type", help="One that the version supports; its first if not given.")
@click.option("--instances", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--canary", type=click.IntRange(1, 50), metavar="PERCENT", help="Shift so much, then all.")
@click.option("--linear", type=click.IntRange(10, 50), metavar="PERCENT", help="Shift in steps of so much.")
@click.option(
    "--bake",
    type=click.IntRange(0, _HOUR_S),
    metavar="SECONDS",
    default=300,
    show_default=True,
    help="Between two steps of a shift, and before the old instances go.",
)
@click.option(
    "--alarm", "alarms", multiple=True, metavar="NAME", help="CloudWatch alarm that rolls back; repeatable."
)
@click.option("--kms-key", help="Key for the instances' volumes.")
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For the smoke test; held-out pictures of the version if not given. Repeatable.",
)
@click.option("--no-smoke-test", is_flag=True, help="Ask the endpoint nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@on_option
@json_option
def deploy_command(
    model: str,
    endpoint: str | None,
    instance_type: str | None,
    instances: int,
    canary: int | None,
    linear: int | None,
    bake: int,
    alarms: tuple[str, ...],
    kms_key: str | None,
    pictures: tuple[Path, ...],
    no_smoke_test: bool,
    dry_run: bool,
    on: str | None,
    as_json: bool,
) -> None:
    """Bring an approved version to an endpoint, and try it with real pictures; rolls back if that fails.

    MODEL is GROUP/VERSION or an ARN. The endpoint keeps its name and goes on answering meanwhile.
    """
    shift = _shift(canary, linear, bake, alarms)
    with connect(on) as place:
        package = registry.find(place.clients, model)
        wanted = Deployment(
            package=package,
            endpoint=endpoint or str(package.get("ModelPackageGroupName")),
            role=place.job_role,
            instance_type=instance_type or _first_type(package),
            instances=instances,
            kms_key=kms_key,
            shift=shift,
        )
        planned = deployment.plan(place.clients, wanted)
        tried = [] if dry_run else _carry_out(place, planned, None if no_smoke_test else pictures)
    document = planned.record() | ({} if dry_run else {"SmokeTest": tried})
    if as_json:
        print_json(document)
    elif dry_run:
        click.echo(f"{wanted.endpoint}: would {planned.action} ({planned.replaces} -> {wanted.config})")
    else:
        done = "serves it already" if planned.action == NOTHING else "InService"
        click.echo(f"{wanted.endpoint} {done}: {model} as {wanted.config}")


@click.command("rollback")
@click.argument("endpoint")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@on_option
@json_option
def rollback_command(endpoint: str, dry_run: bool, on: str | None, as_json: bool) -> None:
    """Bring an endpoint back to the configuration that it had before."""
    with connect(on) as place:
        current = str(endpoints.get(place.clients, endpoint)["EndpointConfigName"])
        config = rollback.previous_config(place.clients, endpoint)
        if not dry_run:
            rollback.go_back(place.clients, endpoint, config)
            _settle(place, endpoint, config)
    if as_json:
        print_json({"EndpointName": endpoint, "From": current, "To": config, "Done": not dry_run})
    else:
        click.echo(f"{endpoint}: {'would go' if dry_run else 'went'} back from {current} to {config}")


def _shift(canary: int | None, linear: int | None, bake: int, alarms: Sequence[str]) -> Shift:
    if canary is not None and linear is not None:
        raise click.UsageError("--canary and --linear exclude each other")
    kind = CANARY if canary is not None else LINEAR if linear is not None else ALL_AT_ONCE
    return Shift(
        kind=kind, percent=canary or linear or 100, wait_s=bake, terminate_after_s=bake, alarms=tuple(alarms)
    )


def _first_type(package: Record) -> str:
    types = at(package, "InferenceSpecification", "SupportedRealtimeInferenceInstanceTypes")
    if not isinstance(types, list) or not types:
        raise click.UsageError("the version names no instance types that it supports: give --instance-type")
    return str(types[0])


def _settle(place: Connection, endpoint: str, config: str) -> None:
    """Wait until an endpoint serves a configuration; if it does not come to, show how its log ends.

    Raises:
        DeploymentFailed: it does not.
    """
    try:
        deployment.wait(
            place.clients,
            endpoint,
            config,
            every_s=_LOOK_EVERY_S[place.is_near],
            report=lambda text: say(f"* {text}"),
        )
    except DeploymentFailed:
        tell_end(endpoint, tail_of_endpoint(place.clients, endpoint))
        raise


def _carry_out(place: Connection, planned: Plan, given: Sequence[Path] | None) -> list[JSON]:
    """Deploy, and ask the endpoint about pictures; go back to what it had if an answer is wrong.

    Args:
        place: where.
        planned: what is to be done.
        given: pictures to ask about; held-out ones of the version if empty. None: ask nothing.

    Raises:
        DeploymentFailed: the endpoint does not come into service, or answers wrongly.
        WorkflowError: there are no pictures. Nothing is changed.
    """
    wanted = planned.deployment
    with tempfile.TemporaryDirectory(prefix="workflows-smoke-") as folder:
        pictures = _pictures(place, wanted.package, given, Path(folder))
        classes = _classes(place, wanted.package) if pictures else None
        deployment.begin(place.clients, planned)
        _settle(place, wanted.endpoint, wanted.config)
        try:
            with told():
                return [_try(place, wanted, picture, classes) for picture in pictures]
        except WorkflowError as error:
            # Whatever it is: what cannot be asked has not shown that it works.
            reason = f"the smoke test failed: {error}"
    raise _taken_back(place, planned, reason)


def _pictures(place: Connection, package: Record, given: Sequence[Path] | None, folder: Path) -> list[Path]:
    if given is None:
        return []
    pictures = list(given) or held_out(place.clients, package, folder, count=_SMOKE_PICTURES)
    if not pictures:
        raise WorkflowError(
            "the version names no held-out pictures to try the endpoint with: give --picture, or "
            "--no-smoke-test"
        )
    return pictures


def _taken_back(place: Connection, planned: Plan, reason: str) -> DeploymentFailed:
    """Go back to what the endpoint had, if this command has changed it; returns what there is to say."""
    endpoint = planned.deployment.endpoint
    if planned.action == NOTHING:
        return DeploymentFailed(
            f"{reason}. {endpoint} has served it before, so nothing was taken back: workflows rollback "
            f"{endpoint}{place.clients.flag}"
        )
    if planned.replaces is None:
        return DeploymentFailed(
            f"{reason}. {endpoint} had nothing before that it could go back to: workflows endpoints delete "
            f"{endpoint}{place.clients.flag}"
        )
    say(f"* {reason}")
    rollback.go_back(place.clients, endpoint, planned.replaces)
    _settle(place, endpoint, planned.replaces)
    return DeploymentFailed(f"{reason}. {endpoint} went back to {planned.replaces}")


def _try(place: Connection, wanted: Deployment, picture: Path, classes: int | None) -> JSON:
    kind = mimetypes.guess_type(picture.name)[0] or "application/x-image"
    answer = endpoints.ask(place.clients, wanted.endpoint, picture, content_type=kind)
    try:
        found = check_answer(answer, classes=classes)
    except SmokeTestFailed as error:
        raise SmokeTestFailed(f"{picture.name}: {error}") from None
    say(f"* {picture.name}: {found}")
    return {"Picture": picture.name, "Answer": found}


def _classes(place: Connection, package: Record) -> int | None:
    """How many classes a version has, by its data report."""
    report = at(package, "CustomerMetadataProperties", "DataReport")
    document = objects.read_json(place.clients, str(report)) if report else None
    count = document.get("num_classes") if isinstance(document, dict) else None
    return int(count) if isinstance(count, (int, str)) else None
