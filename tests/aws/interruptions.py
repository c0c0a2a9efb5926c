"""Ends work in the middle of its calls, as a killed build does."""

from contextlib import contextmanager
from itertools import count

# Before a call is sent, and when it has been answered but nobody has read the answer.
BEFORE, AFTER = "before-call.*.*", "after-call.*.*"


class Interrupted(BaseException):
    """No handler of ours knows it."""


@contextmanager
def interrupted_at(client, number, moment):
    calls = count(1)

    def interrupt(**_):
        if next(calls) == number:
            raise Interrupted

    client.meta.events.register(moment, interrupt)
    try:
        yield
    finally:
        client.meta.events.unregister(moment, interrupt)


def every_interruption(client, moment, work):
    """Yields after each time that `work` was interrupted, one call later each time; ends once it is not."""
    for number in count(1):
        try:
            with interrupted_at(client, number, moment):
                work()
            return
        except Interrupted:
            yield number
