import os
import shutil
from pathlib import Path

import pytest

from samples import caltech
from samples.birds import publish


@pytest.fixture(scope="session")
def drawn_birds(tmp_path_factory) -> Path:
    """A folder with CUB_200_2011/: eight drawn pictures of each of five species. Read only."""
    folder = tmp_path_factory.mktemp("drawn") / "data"
    publish(folder, images_per_species=8, seed=3)
    return folder


@pytest.fixture
def birds(drawn_birds, tmp_path) -> Path:
    """CUB_200_2011 to spoil: hard links, so replace files, never write into them."""
    folder = tmp_path / "data" / "CUB_200_2011"
    shutil.copytree(drawn_birds / "CUB_200_2011", folder, copy_function=os.link)
    return folder


@pytest.fixture(scope="session")
def drawn_things(tmp_path_factory) -> Path:
    """A folder with 256_ObjectCategories/: seven drawn pictures of each of four things. Read only."""
    folder = tmp_path_factory.mktemp("things") / "data"
    caltech.publish(folder, classes=4, images_per_class=7, seed=3)
    return folder


@pytest.fixture
def things(drawn_things, tmp_path) -> Path:
    """256_ObjectCategories to spoil: hard links, so replace files, never write into them."""
    folder = tmp_path / "data" / "256_ObjectCategories"
    shutil.copytree(drawn_things / "256_ObjectCategories", folder, copy_function=os.link)
    return folder


@pytest.fixture
def run_job(tmp_path, monkeypatch):
    """Run a job's main() as a container would; returns the exit code and the exit message, or None."""

    def run(main, *arguments):
        root = tmp_path / "opt-ml"
        monkeypatch.setenv("OPT_ML", str(root))
        message = root / "output" / "message"
        message.unlink(missing_ok=True)
        code = main([str(argument) for argument in arguments])
        return code, message.read_text() if message.exists() else None

    return run
