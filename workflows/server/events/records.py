"""The kinds of record that rules and schedules keep, beside those of `workflows.local.records`."""

from datetime import UTC, datetime

RULE = "event-rule"  # with its targets
SCHEDULE = "schedule"
DELIVERY = "event-delivery"  # one event on its way to one target
SEEN = "event-seen"  # the status of a resource that events were made of already

# Fields of rules and schedules that no answer shows.
ANCHOR, CHECKED = "Anchor", "CheckedUntil"

ENABLED, DISABLED = "ENABLED", "DISABLED"
DEFAULT = "default"  # the only event bus, and the only group of schedules


def timestamp(moment: datetime) -> str:
    """A time as records hold it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
