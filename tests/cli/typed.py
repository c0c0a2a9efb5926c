"""Commands as a user types them, but in this process: to start one takes longer than most of them work."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from workflows.cli.main import main


@dataclass
class Done:
    """How a command has ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def document(self):
        return json.loads(self.stdout)


@dataclass
class Typed:
    """Types `workflows ...`, on AWS as the environment describes it.

    Args:
        monkeypatch, capsys: of pytest.
    """

    monkeypatch: Any
    capsys: Any
    on: str = "aws"

    def __call__(self, *arguments):
        given = list(map(str, arguments))
        return run(self.monkeypatch, self.capsys, main, "workflows", *given, "--on", self.on)

    def json(self, *arguments):
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return done.document


def run(monkeypatch, capsys, entry, *argv):
    monkeypatch.setattr(sys, "argv", list(argv))
    capsys.readouterr()
    code = 0
    try:
        entry()
    except SystemExit as end:
        code = end.code or 0
    out, err = capsys.readouterr()
    return Done(code, out, err)
