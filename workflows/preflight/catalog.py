"""All checks, and every rule by its identifier."""

from collections.abc import Mapping

from workflows.preflight.checks import Check
from workflows.preflight.findings import Rule
from workflows.preflight.rules import (
    conditions,
    hyperparameters,
    parameters,
    references,
    requests,
    steps,
    whole,
)

CHECKS: tuple[Check, ...] = tuple(
    module.CHECK for module in (whole, parameters, steps, references, conditions, requests, hyperparameters)
)
RULES: Mapping[str, Rule] = {rule.identifier: rule for check in CHECKS for rule in check.rules}
