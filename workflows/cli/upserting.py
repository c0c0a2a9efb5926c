"""`workflows plan` and `workflows upsert`."""

import json
from pathlib import Path

import click

from workflows.aws import pipelines
from workflows.aws.changes import Changes, StepChange, changes
from workflows.aws.pipelines import CREATED, UNCHANGED, Wanted
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import json_option, print_json, say, write_file
from workflows.cli.definition import named_definition
from workflows.cli.place import Connection, connect, on_option
from workflows.cli.values import brief_change
from workflows.definition.differences import Change
from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record, at
from workflows.pipelines import catalog
from workflows.settings import DEFAULT, Settings, SettingsError

_PROJECT_TAGS = (("sagemaker:project-name", "project_name"), ("sagemaker:project-id", "project_id"))


@click.command("plan")
@click.argument("name", metavar="NAME_OR_JSON")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan to a file, for `upsert --plan`.",
)
@on_option
@json_option
def plan_command(name: str, output: Path | None, on: str | None, as_json: bool) -> None:
    """What an upsert would change, step by step and field by field; nothing is written.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition.
    """
    with connect(on) as place:
        wanted = wanted_pipeline(name, place)
        found = changes(pipelines.find(place.clients, wanted.name), wanted)
    if output is not None:
        write_file(output, json.dumps(found.record(), indent=2) + "\n")
    if as_json:
        print_json(found.record())
    else:
        print_changes(found)


@click.command("upsert")
@click.argument("name", metavar="NAME_OR_JSON")
@click.option(
    "--plan",
    "planned",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Refuse if the pipeline, or what is wanted, has changed since this plan was made.",
)
@on_option
@json_option
def upsert_command(name: str, planned: Path | None, on: str | None, as_json: bool) -> None:
    """Create a pipeline, or update it where something differs. Can be repeated after any interruption.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition.
    """
    with connect(on) as place:
        wanted = wanted_pipeline(name, place)
        if planned is not None:
            _refuse_stale(planned, wanted, pipelines.find(place.clients, wanted.name))
        done = pipelines.upsert(place.clients, wanted)
    if as_json:
        print_json({"PipelineArn": done.arn, "Action": done.action})
    else:
        click.echo(f"{done.arn} {done.action}")


def wanted_pipeline(name: str, place: Connection) -> Wanted:
    """A pipeline as this project's code and settings make it.

    Raises:
        WorkflowError: the definition has mistakes, or, on AWS, a setting that it needs has no value yet.
    """
    role = place.role  # before a compilation that takes seconds
    if name in catalog.names() and not place.is_local and place.settings.values["bucket"].origin == DEFAULT:
        raise SettingsError(
            f"{name} reads and writes in a bucket: set `bucket` (ARTIFACT_BUCKET) to one in your account"
        )
    pipeline, definition = named_definition(name, place.settings)
    preflight_or_refuse(definition, {}, place.settings, is_local=place.is_near)
    return Wanted(name=pipeline, definition=definition, role=role, tags=project_tags(place.settings))


def project_tags(chosen: Settings) -> dict[str, str]:
    """The tags that make a pipeline one of a SageMaker project's."""
    return {key: chosen[setting] for key, setting in _PROJECT_TAGS if chosen[setting]}


def print_changes(found: Changes) -> None:
    """A plan for people."""
    if found.action == UNCHANGED:
        click.echo(f"{found.pipeline}: nothing would change")
        return
    verb = "would be created" if found.action == CREATED else "would be updated"
    click.echo(f"{found.pipeline} {verb}")
    for title, group in (
        ("", found.settings),
        ("parameter ", found.parameters),
        ("definition ", found.other),
    ):
        for change in group:
            click.echo(f"  ~ {title}{_line(change)}")
    for step in found.steps:
        _print_step(step)
    if not (found.settings or found.parameters or found.other or found.steps):
        click.echo("  only the order in which it is written differs: nothing runs in another way")
    for name in found.downstream:
        click.echo(f"  = {name}: runs again, for it reads what comes from a step that does")


def _print_step(step: StepChange) -> None:
    mark = {"added": "+", "removed": "-"}.get(step.kind, "~")
    click.echo(f"  {mark} step {step.step}")
    for change in step.fields:
        click.echo(f"      {_line(change)}")
    if step.cache_lost_by:
        click.echo(f"      its cache is lost by {', '.join(step.cache_lost_by)}")


def _line(change: Change) -> str:
    before, after = brief_change(change.before, change.after)
    return f"{change.field}: {before} -> {after}"


def _refuse_stale(planned: Path, wanted: Wanted, now: Record | None) -> None:
    """Refuse a plan that would not come true; one that has come true already is none of these."""
    try:
        plan = json.loads(planned.read_text(encoding="utf-8"))
        name, then, digest = plan["PipelineName"], plan["LastModifiedTime"], plan["Digest"]
    except (ValueError, KeyError, TypeError):
        raise WorkflowError(f"{planned}: not a plan; `workflows plan NAME --output` writes one") from None
    if name != wanted.name:
        raise WorkflowError(f"{planned}: a plan of '{name}', not of '{wanted.name}'")
    if digest != wanted.digest:
        raise WorkflowError(
            f"the definition of {name}, or its role, has changed since the plan was made; look at a new one: "
            "workflows plan"
        )
    found = now["LastModifiedTime"] if now else None
    if then == found or (now and pipelines.is_same(now, wanted)):
        return
    who = at(now or {}, "LastModifiedBy", "UserProfileName")
    say(f"* planned for the state of {then}, found that of {found}")
    raise WorkflowError(
        f"{name} was changed{f' by {who}' if who else ''} since the plan was made; look at a new one: "
        "workflows plan"
    )
