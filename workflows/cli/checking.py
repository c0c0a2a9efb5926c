"""`workflows check`, and the same check before a pipeline is sent or run."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import click

from workflows.cli.common import (
    FAILED,
    json_option,
    parse_assignments,
    print_json,
    print_table,
    say,
    set_option,
    settings,
    write_file,
)
from workflows.cli.definition import named_definition, source_lines
from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.source import SourceLine
from workflows.pipelines import catalog
from workflows.preflight.catalog import RULES
from workflows.preflight.checking import Question, check
from workflows.preflight.context import Policy
from workflows.preflight.costs import Costs, StepCost
from workflows.preflight.data.inspection import Inspection
from workflows.preflight.findings import Finding, Severity
from workflows.preflight.prices import Prices, read_prices
from workflows.preflight.sarif import sarif_of
from workflows.preflight.silences import Heard, apply_silences, check_silences
from workflows.settings import Settings

Lines: TypeAlias = Mapping[str, SourceLine]  # step -> where this project's code makes it

_HOUR_S = 3600
_MARKS = {Severity.ERROR: "ERROR", Severity.WARNING: "WARN", Severity.NOTE: "NOTE"}


@click.command("check")
@click.argument("name", metavar="NAME_OR_JSON", required=False)
@set_option
@click.option("--profile", help="Parameter values that belong together, such as: sample.")
@json_option
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Look into the data, too: a folder with train/ and validation/, a .rec or .lst file in each.",
)
@click.option("--no-decode", is_flag=True, help="With --data: look at labels and sizes, decode no picture.")
@click.option(
    "--sarif",
    "sarif_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the findings as SARIF 2.1.0, too.",
)
@click.option(
    "--silence",
    "silenced",
    metavar="ID=REASON",
    multiple=True,
    help="Leave a finding out; repeatable. [silence] in workflows.toml does the same.",
)
@click.option(
    "--max-cost", type=click.FloatRange(min=0), metavar="N", help="An error if a run may cost more than this."
)
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Prices per instance type and hour, instead of the table that comes along.",
)
@click.option("--require-kms-keys", is_flag=True, help="Find what is stored without a key of your own.")
@click.option("--explain", metavar="ID", help="Print what a rule is about, and where it is written.")
def check_command(
    name: str | None,
    assignments: tuple[str, ...],
    profile: str | None,
    as_json: bool,
    data: Path | None,
    no_decode: bool,
    sarif_file: Path | None,
    silenced: tuple[str, ...],
    max_cost: float | None,
    prices: Path | None,
    require_kms_keys: bool,
    explain: str | None,
) -> None:
    """Find the mistakes in a definition that can be known before its first instance starts, all at once.

    NAME_OR_JSON is a pipeline of `workflows list`, or a file with any compiled definition. Exits with 1 if
    there are errors.
    """
    if explain is not None:
        _explain(explain)
        return
    if name is None:
        raise click.UsageError("Missing argument 'NAME_OR_JSON'.")
    chosen = settings()
    silences = {**chosen.silence, **_silences(silenced)}
    check_silences(silences)
    pipeline, text = named_definition(name, chosen)
    given = {**(catalog.profile(profile, pipeline) if profile else {}), **parse_assignments(assignments)}
    question = Question(
        text=text,
        given=given,
        prices=_prices(chosen, prices),
        policy=Policy(wants_kms_keys=require_kms_keys or _wants_kms_keys(chosen), max_cost=max_cost),
        data=data,
        inspection=None if data is None or no_decode else _inspected(data),
    )
    report = check(question)
    heard = apply_silences(report.findings, silences)
    lines = source_lines(name, chosen)
    if sarif_file is not None:
        log = sarif_of(heard, file=name, text=None if name in catalog.names() else text, lines=lines)
        write_file(sarif_file, json.dumps(log, indent=2) + "\n")
    if as_json:
        print_json(_document(pipeline, heard, lines, report.costs, question.prices))
    else:
        _print(pipeline, heard, lines)
        if report.costs is not None:
            _print_costs(report.costs, question.prices)
    if any(finding.severity is Severity.ERROR for finding in heard.findings):
        sys.exit(FAILED)


def preflight_or_refuse(text: str, given: Mapping[str, str], chosen: Settings, *, is_local: bool) -> None:
    """Check a definition before anything is sent or drawn, and tell every warning in a line.

    Args:
        text: the definition.
        given: parameter values of the start.
        chosen: the settings of this call.
        is_local: whether this machine runs it, or a server on it. It is more lenient than AWS: what it runs
            although AWS would refuse it is then a warning.

    Raises:
        WorkflowError: there are errors; all of them are in the message.
    """
    check_silences(chosen.silence)
    question = Question(
        text=text,
        given=given,
        prices=_prices(chosen),
        policy=Policy(wants_kms_keys=_wants_kms_keys(chosen)),
    )
    found = apply_silences(check(question).findings, chosen.silence).findings
    errors = [finding for finding in found if _refuses(finding, is_local=is_local)]
    if errors:
        lines = "\n".join(f"  {_line(finding)}; {finding.remedy}" for finding in errors)
        raise WorkflowError(f"the definition has mistakes; `workflows check` tells more:\n{lines}")
    for line in _merged(finding for finding in found if finding.severity is not Severity.NOTE):
        say(f"WARN  {line}")


def _inspected(data: Path) -> Inspection | None:
    from workflows.cli.inspecting import inspect_records

    return inspect_records(data)


def _refuses(finding: Finding, *, is_local: bool) -> bool:
    return finding.severity is Severity.ERROR and (finding.refused_here or not is_local)


def _merged(findings: Iterable[Finding]) -> list[str]:
    """A line for each, with all steps that it holds for."""
    steps: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        aws = " (an error on AWS)" if finding.severity is Severity.ERROR else ""
        line = f"{finding.text}{aws} [{finding.identifier}]"
        steps.setdefault((finding.identifier, line), []).append(finding.step or "")
    return [
        f"{', '.join(filter(None, dict.fromkeys(names))) or 'definition'}: {line}"
        for (_, line), names in steps.items()
    ]


def _line(finding: Finding) -> str:
    return f"{finding.step or 'definition'}: {finding.text} [{finding.identifier}]"


def _prices(chosen: Settings, file: Path | None = None) -> Prices:
    return read_prices(file or (Path(chosen["prices"]) if chosen["prices"] else None))


def _wants_kms_keys(chosen: Settings) -> bool:
    value = chosen["require_kms_keys"]
    if value not in ("", "yes", "no"):
        raise WorkflowError(f"setting 'require_kms_keys' is '{value}': write yes or no")
    return value == "yes"


def _silences(silenced: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in silenced:
        identifier, equals, reason = each.partition("=")
        if not equals:
            raise click.UsageError(f"--silence {each}: write ID=REASON")
        found[identifier.strip()] = reason
    return found


def _explain(identifier: str) -> None:
    rule = RULES.get(identifier)
    if rule is None:
        raise click.UsageError(f"no rule is named '{identifier}'{did_you_mean(identifier, list(RULES))}")
    click.echo(
        f"{rule.identifier} ({rule.severity.value})\n\n{rule.title}.\n{rule.why}\n\nSource: {rule.source}."
    )
    if rule.severity is Severity.ERROR and not rule.refused_here:
        click.echo("On this machine it is a warning: the local engine does not mind.")


def _document(
    pipeline: str, heard: Heard, lines: Lines, costs: Costs | None, prices: Prices
) -> dict[str, Any]:
    return {
        "pipeline": pipeline,
        "findings": [_record(finding, lines) for finding in heard.findings],
        "silenced": [{**_record(finding, lines), "reason": reason} for finding, reason in heard.silenced],
        "idle_silences": list(heard.idle),
        "costs": _cost_document(costs, prices) if costs else None,
    }


def _cost_document(costs: Costs, prices: Prices) -> dict[str, Any]:
    return {
        "currency": prices.currency,
        "region": prices.region,
        "as_of": prices.as_of.isoformat(),
        "upper_bound": round(costs.total, 2),
        "is_complete": costs.is_complete,
        "steps": [{**_cost_record(cost), "upper_bound": cost.amount} for cost in costs.steps],
        "open_ended": [_cost_record(cost) for cost in costs.open_ended],
    }


def _cost_record(cost: StepCost) -> dict[str, Any]:
    return {
        "step": cost.step,
        "instance_type": cost.instance,
        "instances": cost.count,
        "jobs": cost.jobs,
        "billed_seconds": cost.billed_s,
        "per_hour": cost.per_hour,
    }


def _record(finding: Finding, lines: Lines) -> dict[str, Any]:
    source = lines.get(finding.step or "")
    return {
        "identifier": finding.identifier,
        "severity": finding.severity.value,
        "step": finding.step,
        "pointer": finding.pointer,
        "source": source._asdict() if source else None,
        "text": finding.text,
        "remedy": finding.remedy,
    }


def _print(pipeline: str, heard: Heard, lines: Lines) -> None:
    ordered = sorted(heard.findings, key=lambda finding: _first_of_step(heard.findings, finding))
    for step, findings in groupby(ordered, key=lambda finding: finding.step):
        click.echo(f"{step} ({lines[step]})" if step in lines else step or "Definition")
        for finding in findings:
            click.echo(f"  {_MARKS[finding.severity]:5} {finding.text}")
            click.echo(f"        {finding.remedy}")
            click.echo(f"        {finding.identifier} at {finding.pointer or 'the document'}")
        click.echo()
    click.echo(f"{pipeline}: {_counts(heard)}")
    for identifier in heard.idle:
        click.echo(f"the silence of {identifier} silences nothing; remove it")


def _first_of_step(findings: Sequence[Finding], finding: Finding) -> int:
    return next(index for index, each in enumerate(findings) if each.step == finding.step)


def _counts(heard: Heard) -> str:
    counts = [
        f"{count} {severity.value}{'s' if count > 1 else ''}"
        for severity in Severity
        if (count := sum(finding.severity is severity for finding in heard.findings))
    ]
    if heard.silenced:
        counts.append(f"{len(heard.silenced)} silenced")
    return ", ".join(counts) or "nothing found"


def _print_costs(costs: Costs, prices: Prices) -> None:
    if not costs.steps and not costs.open_ended:
        return
    rows = [
        (cost.step, f"{cost.count or '?'} x {cost.instance or '?'}", _hours(cost), _money(cost.amount))
        for cost in costs.steps
    ]
    rows += [
        (cost.step, f"{cost.count or '?'} x {cost.instance or '?'}", "no limit", f"{_money(cost.per_hour)}/h")
        for cost in costs.open_ended
    ]
    click.echo()
    print_table(rows, head=("STEP", "INSTANCES", "AT MOST", prices.currency))
    more = "" if costs.is_complete else " and what is marked with ?"
    click.echo(
        f"The jobs of a run cost at most {costs.total:.2f} {prices.currency}{more}. This is an upper bound, "
        "with every job at its longest and\nretried as often as may be, by list prices of "
        f"{prices.region} of {prices.as_of}: check them. Transform jobs,\n"
        "endpoints, storage and transfer come on top."
    )


def _hours(cost: StepCost) -> str:
    if cost.billed_s is None:
        return "?"
    return f"{f'{cost.jobs} jobs x ' if cost.jobs > 1 else ''}{cost.billed_s / _HOUR_S:g} h"


def _money(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:.2f}"
