"""`workflows sample` and `workflows download`."""

import subprocess
import sys
from pathlib import Path

import click

from workflows.cli.common import json_option, print_json, say
from workflows.definition.errors import WorkflowError

DATA_SETS = ("birds", "caltech")


@click.command("sample")
@click.argument("name", type=click.Choice(DATA_SETS))
@click.option(
    "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder."
)
@json_option
def sample_command(name: str, output: Path, as_json: bool) -> None:
    """Draw a small data set in the layout of the real one. The pictures are drawn, not photographs."""
    draw_sample(name, output)
    if as_json:
        print_json({"sample": name, "folder": str(output), "drawn": True})
    else:
        click.echo(str(output))


@click.command("download")
@click.argument("name", type=click.Choice(DATA_SETS))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder for the archive.")
@click.option("--url", help="Another place that has the same archive.")
@json_option
def download_command(name: str, output: Path, url: str | None, as_json: bool) -> None:
    """Fetch a real data set's archive and check its digest; a download that broke off goes on."""
    from workflows.download import ARCHIVES, download

    archive = ARCHIVES[name]
    path = download(url or archive.url, output / archive.file_name, md5=archive.md5, report=say)
    if as_json:
        print_json({"archive": str(path), "md5": archive.md5})
    else:
        click.echo(str(path))


def draw_sample(name: str, folder: Path) -> None:
    """Draw a sample data set, in a process of its own.

    Raises:
        WorkflowError: it could not be drawn; its own message has been shown.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"samples.{name}", "--output", str(folder)], check=False, stdout=2
    )
    if done.returncode != 0:
        raise WorkflowError(f"the sample data could not be drawn into {folder}; see the message above")
