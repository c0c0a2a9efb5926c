"""Finds processes of this machine by their command lines: jobs have process ids of their own."""

import time
from pathlib import Path


def running(text):
    """The ids of the processes whose command line holds a text, without those that wait to be collected."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text.encode() in command:
            found.append(int(folder.name))
    return found


def wait_until(condition, limit_s=10.0):
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
