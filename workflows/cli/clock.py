"""`workflows clock`: the time that schedules and rules go by."""

import re
from datetime import timedelta

import click

from workflows.cli.common import json_option, open_store, print_json
from workflows.server.events.clock import Clock, ClockError

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:[0-9]{1,9}[wdhms])+")
_PART = re.compile(r"([0-9]+)([wdhms])")


@click.group("clock", invoke_without_command=True)
@json_option
@click.pass_context
def clock_command(ctx: click.Context, as_json: bool) -> None:
    """The time that schedules and rules go by; moved on, they fire as if it had passed.

    Nothing else goes by it: records, jobs and logs keep the real time.
    """
    if ctx.invoked_subcommand is None:
        _show(Clock(open_store()), as_json=as_json)


@clock_command.command("advance")
@click.argument("duration")
@json_option
def advance(duration: str, as_json: bool) -> None:
    """Move the clock on by DURATION, such as 3d12h, 45m or 2w.

    A running server notices within a second. Of a schedule that is due several times meanwhile the last one
    counts.
    """
    clock = Clock(open_store())
    clock.advance(read_duration(duration))
    _show(clock, as_json=as_json)


@clock_command.command("reset")
@json_option
def reset(as_json: bool) -> None:
    """Go back to the real time."""
    clock = Clock(open_store())
    clock.reset()
    _show(clock, as_json=as_json)


def read_duration(text: str) -> timedelta:
    """3d12h as a time span.

    Raises:
        ClockError: it is of another form, or too long to be one.
    """
    if not _DURATION.fullmatch(text):
        raise ClockError(f"'{text}' is no duration: write numbers with w, d, h, m or s, such as 3d12h")
    try:
        return sum(
            (timedelta(**{_UNITS[unit]: int(count)}) for count, unit in _PART.findall(text)), timedelta()
        )
    except OverflowError:
        raise ClockError(f"'{text}' is too long") from None


def _show(clock: Clock, *, as_json: bool) -> None:
    time, ahead = clock.now().isoformat(timespec="seconds").replace("+00:00", "Z"), clock.offset
    if as_json:
        print_json({"Now": time, "AheadInSeconds": ahead.total_seconds()})
    else:
        click.echo(f"{time}  ({f'{ahead} ahead of the real time' if ahead else 'the real time'})")
