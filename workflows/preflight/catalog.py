"""All checks, and every rule by its identifier."""

from collections.abc import Mapping

from workflows.preflight.checks import Check
from workflows.preflight.findings import Rule
from workflows.preflight.rules import (
    channels,
    combinations,
    conditions,
    data,
    hyperparameters,
    incremental,
    jobs,
    metrics,
    money,
    parameters,
    references,
    requests,
    steps,
    volumes,
    whole,
)

CHECKS: tuple[Check, ...] = (
    whole.CHECK,
    parameters.CHECK,
    steps.CHECK,
    references.CHECK,
    conditions.CHECK,
    requests.CHECK,
    jobs.CHECK,
    hyperparameters.CHECK,
    combinations.CHECK,
    channels.CHECK,
    incremental.CHECK,
    metrics.CHECK,
    money.CHECK,
    data.CHECK,
    volumes.CHECK,
)
RULES: Mapping[str, Rule] = {rule.identifier: rule for check in CHECKS for rule in check.rules}
