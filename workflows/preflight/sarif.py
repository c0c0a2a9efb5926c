"""Findings as SARIF 2.1.0, the form in which code reviews show them.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from workflows.definition.source import SourceLine
from workflows.preflight.catalog import RULES
from workflows.preflight.findings import Finding, Rule, Severity
from workflows.preflight.lines import line_of
from workflows.preflight.silences import Heard

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def sarif_of(
    heard: Heard, *, file: str, text: str | None = None, lines: Mapping[str, SourceLine]
) -> dict[str, Any]:
    """A SARIF log.

    Args:
        heard: the findings, those that are silenced among them.
        file: the definition's, relative to the project; for a pipeline that was compiled, its name.
        text: what is in the file, so that lines can be told; None if there is no file.
        lines: step -> where the code makes it; a finding about such a step is shown there.
    """
    used = {finding.identifier for finding in heard.findings}
    used |= {finding.identifier for finding, _ in heard.silenced}
    rules = [rule for identifier, rule in RULES.items() if identifier in used]
    index = {rule.identifier: position for position, rule in enumerate(rules)}
    results = [_result(finding, index, _place(finding, file, text, lines)) for finding in heard.findings]
    for finding, reason in heard.silenced:
        silenced = _result(finding, index, _place(finding, file, text, lines))
        silenced["suppressions"] = [{"kind": "external", "justification": reason}]
        results.append(silenced)
    driver = {"name": "workflows check", "rules": [_rule(rule) for rule in rules]}
    return {
        "version": "2.1.0",
        "$schema": _SCHEMA,
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.identifier,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.title}. {rule.why} Source: {rule.source}."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _place(finding: Finding, file: str, text: str | None, lines: Mapping[str, SourceLine]) -> dict[str, Any]:
    source = lines.get(finding.step or "")
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(source.file if source else file)}}
    if source or text is not None:
        line = source.line if source else line_of(text or "", finding.path)
        physical["region"] = {"startLine": line}
    logical = {"fullyQualifiedName": finding.pointer, "kind": "member"}
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _result(finding: Finding, index: dict[str, int], place: dict[str, Any]) -> dict[str, Any]:
    step = f"{finding.step}: " if finding.step else ""
    return {
        "ruleId": finding.identifier,
        "ruleIndex": index[finding.identifier],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{step}{finding.text}. {finding.remedy[:1].upper()}{finding.remedy[1:]}."},
        "locations": [place],
    }
