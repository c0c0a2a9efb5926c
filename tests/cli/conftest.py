import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.toys import TOY_IMAGES

WORKFLOWS = str(Path(sys.executable).with_name("workflows"))


@dataclass
class Shell:
    """Runs the installed command in a folder of its own."""

    folder: Path

    def __call__(self, *arguments, **environment):
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return subprocess.run(
            [WORKFLOWS, *map(str, arguments)],
            cwd=self.folder,
            env=own | environment,
            capture_output=True,
            text=True,
        )

    def json(self, *arguments):
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return name


@pytest.fixture
def workflows(tmp_path):
    tables = []
    for repository, entry in TOY_IMAGES.items():
        tables.append(f"[images.{repository}]")
        if "command" in entry:
            tables.append(f"command = {json.dumps(entry['command'])}")
        for name, regex in entry.get("metrics", {}).items():
            tables.append(f"metrics.'{name}' = '{regex}'")
    shell = Shell(tmp_path)
    shell.write("workflows.toml", "\n".join(tables) + "\n")
    return shell
