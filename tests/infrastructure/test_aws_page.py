"""docs/aws.md names what exists: commands and options, parameters and outputs of the template, files."""

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.infrastructure.templates import TEMPLATE
from workflows.cli.main import workflows

PAGE = Path(__file__).parents[2] / "docs" / "aws.md"
TEXT = PAGE.read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)).replace("\\\n", " ")
COMMANDS = sorted(
    {line.strip().partition("workflows ")[2] for line in SHELL.splitlines() if "workflows " in line}
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_takes_what_the_page_gives_it(line):
    group, words = workflows, shlex.split(line)
    context = click.Context(workflows)
    while isinstance(group, click.Group):
        name, *words = words
        group = group.get_command(context, name)
        assert group is not None, name
    # Parses, and runs nothing.
    group.make_context(line, words, parent=context)


def test_parameters_and_outputs_are_the_templates():
    given = re.findall(r"--parameter-overrides ((?:\w+=\S+ ?)+)", SHELL)
    names = {word.partition("=")[0] for words in given for word in words.split()}
    assert names == {
        "NotificationEmail",
        "GitHubConnection",
        "GitHubRepository",
        "FunctionsKey",
        "RetrainingState",
    }
    assert names <= TEMPLATE["Parameters"].keys()
    without_default = {key for key, each in TEMPLATE["Parameters"].items() if "Default" not in each}
    assert without_default <= names
    assert set(re.findall(r"\$\(output (\w+)\)", SHELL)) <= TEMPLATE["Outputs"].keys()


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
