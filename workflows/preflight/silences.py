"""Findings that somebody has decided to live with, each with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.preflight.catalog import RULES
from workflows.preflight.findings import Finding


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Findings after silences."""

    findings: tuple[Finding, ...]
    silenced: tuple[tuple[Finding, str], ...]  # with the reason
    idle: tuple[str, ...]  # identifiers of silences that silence nothing


def check_silences(silences: Mapping[str, str]) -> None:
    """Check what is to be silenced.

    Raises:
        WorkflowError: an identifier is that of no rule, or has no reason.
    """
    for identifier, reason in silences.items():
        if identifier not in RULES:
            raise WorkflowError(
                f"silence: no rule is named '{identifier}'{did_you_mean(identifier, list(RULES))}"
            )
        if not reason.strip():
            raise WorkflowError(f"silence: say why: {identifier}=REASON")


def apply_silences(findings: Sequence[Finding], silences: Mapping[str, str]) -> Heard:
    """Take away what is silenced."""
    hit = {finding.identifier for finding in findings}
    return Heard(
        findings=tuple(finding for finding in findings if finding.identifier not in silences),
        silenced=tuple(
            (finding, silences[finding.identifier]) for finding in findings if finding.identifier in silences
        ),
        idle=tuple(identifier for identifier in silences if identifier not in hit),
    )
