"""What a module of rules offers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workflows.preflight.context import Context
from workflows.preflight.findings import Finding, Rule


@dataclass(frozen=True, kw_only=True)
class Check:
    """Some rules, and the function that finds what breaks them."""

    rules: tuple[Rule, ...]
    find: Callable[[Context], Iterator[Finding]]
