"""CacheConfig and RetryPolicies of a step."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from workflows.definition.durations import parse_duration
from workflows.definition.errors import DanglingReference, DefinitionError
from workflows.definition.fields import an_object, entries, factor, text, texts, whole_number
from workflows.definition.model import JSON, CachePolicy, RetryPolicy
from workflows.definition.step_types import (
    EXCEPTION_TYPES,
    RETRIED_INSIDE,
    WITHOUT_CACHE_KEY,
    cached_types,
    step_type,
)

_LONGEST_INTERVAL_S = 43_200
_MOST_ATTEMPTS = 20
_LATEST_EXPIRY_MIN = 14_400


def cache_policy(node: JSON, kind: str, where: str) -> CachePolicy | None:
    """Read a CacheConfig; None where caching is off.

    Args:
        node: the field, None where it is absent.
        kind: the step's type.
        where: place of the field.

    Raises:
        DefinitionError: steps of this type have none, or it is malformed.
    """
    if node is None:
        return None
    if not step_type(kind).may_be_cached:
        raise DefinitionError(
            f"{where}: {kind} steps are not cached; remove it (they are: {', '.join(cached_types())})"
        )
    config = an_object(node, where)
    enabled = config.get("Enabled", False)
    if not isinstance(enabled, bool):
        raise DefinitionError(f"{where}.Enabled: {enabled!r} must be true or false")
    if not enabled or kind in WITHOUT_CACHE_KEY:
        # ExpireAfter is ignored then, also a malformed one.
        return None
    if config.get("ExpireAfter") is None:
        return CachePolicy(expire_after=None)
    try:
        return CachePolicy(expire_after=parse_duration(text(config, "ExpireAfter", where)))
    except ValueError as error:
        raise DefinitionError(f"{where}.ExpireAfter: {error}") from None


def retry_policies(node: JSON, kind: str, where: str) -> tuple[RetryPolicy, ...]:
    """Read RetryPolicies.

    Args:
        node: the field, None where it is absent.
        kind: the step's type.
        where: place of the field.

    Raises:
        DefinitionError: steps of this type have none, or they are malformed or overlap.
    """
    found = [(retry_policy(entry, kind, place), place) for entry, place in entries(node, where)]
    places: dict[str, str] = {}
    for policy, place in found:
        for exception_type in policy.exception_types:
            if exception_type in places:
                raise DefinitionError(
                    f"{places[exception_type]} and {place}: both retry after {exception_type}; a failure has "
                    "one policy, so remove it from one of them"
                )
            places[exception_type] = place
    inside = RETRIED_INSIDE.get(kind, ())
    return tuple(
        _without(policy, inside) for policy, _ in found if not set(policy.exception_types) <= set(inside)
    )


def _without(policy: RetryPolicy, exception_types: Collection[str]) -> RetryPolicy:
    kept = tuple(name for name in policy.exception_types if name not in exception_types)
    return replace(policy, exception_types=kept)


def retry_policy(node: Mapping[str, JSON], kind: str, where: str) -> RetryPolicy:
    """Read one of RetryPolicies; arguments as for retry_policies.

    Raises:
        DefinitionError: it is malformed.
    """
    attempts = whole_number(node, "MaxAttempts", where, between=(0, _MOST_ATTEMPTS), unit="attempts")
    expiry = whole_number(node, "ExpireAfterMin", where, between=(1, _LATEST_EXPIRY_MIN), unit="minutes")
    interval = whole_number(node, "IntervalSeconds", where, between=(1, _LONGEST_INTERVAL_S), unit="seconds")
    rate = factor(node, "BackoffRate", where)
    if attempts is not None and expiry is not None:
        raise DefinitionError(
            f"{where}: MaxAttempts and ExpireAfterMin exclude each other; remove one of them"
        )
    policy = RetryPolicy(exception_types=_exception_types(node, kind, where))
    if expiry is not None:
        policy = replace(policy, max_attempts=None, expire_after_min=expiry)
    return replace(
        policy,
        interval_s=policy.interval_s if interval is None else interval,
        backoff_rate=policy.backoff_rate if rate is None else rate,
        max_attempts=policy.max_attempts if attempts is None else attempts,
    )


def _exception_types(node: Mapping[str, JSON], kind: str, where: str) -> tuple[str, ...]:
    value, place = node.get("ExceptionType"), f"{where}.ExceptionType"
    # The guide and the SDK write a list, the published schema a single string.
    names = texts([value] if isinstance(value, str) else value, place)
    if not names:
        raise DefinitionError(f"{place}: name at least one of {', '.join(EXCEPTION_TYPES)}")
    allowed = step_type(kind).retried_after
    for name in names:
        if name not in EXCEPTION_TYPES:
            raise DanglingReference(where=place, kind="exception type", name=name, known=EXCEPTION_TYPES)
        if name not in allowed:
            raise DefinitionError(
                f"{place}: {kind} steps are not retried after {name}; "
                + (f"remove it (they are after: {', '.join(allowed)})" if allowed else "remove RetryPolicies")
            )
    return tuple(dict.fromkeys(names))
