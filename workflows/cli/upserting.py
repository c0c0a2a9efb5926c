"""`workflows plan` and `workflows upsert`."""

import json
from pathlib import Path

import click

from workflows.aws import pipelines
from workflows.aws.changes import Changes, StepChange, changes
from workflows.aws.pipelines import CREATED, UNCHANGED, Wanted
from workflows.cli.checking import preflight_or_refuse
from workflows.cli.common import json_option, print_json, say
from workflows.cli.definition import named_definition
from workflows.cli.place import connect, on_option
from workflows.cli.values import brief_change
from workflows.definition.differences import Change
from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record
from workflows.settings import LOCAL_ACCOUNT, Settings

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
        wanted = wanted_pipeline(name, place.settings, is_local=place.is_local)
        found = changes(pipelines.find(place.clients, wanted.name), wanted)
    if output is not None:
        output.write_text(json.dumps(found.record(), indent=2) + "\n", encoding="utf-8")
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
    help="Refuse if somebody has changed the pipeline since this plan was made.",
)
@on_option
@json_option
def upsert_command(name: str, planned: Path | None, on: str | None, as_json: bool) -> None:
    """Create a pipeline, or update it where something differs. Can be repeated after any interruption.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition.
    """
    with connect(on) as place:
        wanted = wanted_pipeline(name, place.settings, is_local=place.is_local)
        if planned is not None:
            _refuse_stale(planned, pipelines.find(place.clients, wanted.name))
        done = pipelines.upsert(place.clients, wanted)
    if as_json:
        print_json({"PipelineArn": done.arn, "Action": done.action})
    else:
        click.echo(f"{done.arn} {done.action}")


def wanted_pipeline(name: str, chosen: Settings, *, is_local: bool) -> Wanted:
    """A pipeline as this project's code and settings make it.

    Raises:
        WorkflowError: the definition has mistakes, or, on AWS, a setting that it needs has no value yet.
    """
    if not is_local and chosen.account == LOCAL_ACCOUNT:
        raise WorkflowError(
            "the role is that of this machine: set `role` (SAGEMAKER_PIPELINE_ROLE_ARN) to the ARN of one in "
            "your account, and `bucket` (ARTIFACT_BUCKET) to a bucket there"
        )
    pipeline, definition = named_definition(name, chosen)
    preflight_or_refuse(definition, {}, chosen, is_local=is_local)
    tags = {key: chosen[setting] for key, setting in _PROJECT_TAGS if chosen[setting]}
    return Wanted(name=pipeline, definition=definition, role=chosen["role"], tags=tags)


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


def _refuse_stale(planned: Path, now: Record | None) -> None:
    try:
        plan = json.loads(planned.read_text(encoding="utf-8"))
        then = plan["LastModifiedTime"]
    except (ValueError, KeyError, TypeError):
        raise WorkflowError(f"{planned}: not a plan; `workflows plan NAME --output` writes one") from None
    if then != (now or {}).get("LastModifiedTime"):
        by = (now or {}).get("LastModifiedBy")
        who = by.get("UserProfileName") if isinstance(by, dict) else None
        say(f"* planned for the state of {then}, found that of {(now or {}).get('LastModifiedTime')}")
        raise WorkflowError(
            f"{plan.get('PipelineName')} was changed{f' by {who}' if who else ''} since the plan was made; "
            "look at a new one: workflows plan"
        )
