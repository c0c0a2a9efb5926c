import os
import shutil
import subprocess
import sys

import pytest

from workflows.local.container import namespaces_work
from workflows.local.removal import NotRemovable, Remover, obstacle, size_of_last_links


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home/runs/a/Step").mkdir(parents=True)
    (tmp_path / "home/runs/a/Step/log.txt").write_text("12345")
    return tmp_path / "home"


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("precious")
    return tmp_path / "outside"


def test_a_file_counts_when_its_last_link_goes(home):
    one, other, copy = home / "one", home / "other", home / "copy"
    one.write_text("12345")
    os.link(one, other)
    copy.write_text("123")
    assert size_of_last_links([one, copy]) == 3
    assert size_of_last_links([one, other, copy]) == 8
    remover = Remover(home)
    remover.files([one])
    assert remover.freed == 0
    remover.files([other])
    assert remover.freed == 5


def test_links_inside_one_tree_count_once(home):
    os.link(home / "runs/a/Step/log.txt", home / "runs/a/log.txt")
    remover = Remover(home)
    remover.tree(home / "runs/a")
    assert (remover.freed, (home / "runs/a").exists()) == (5, False)


def test_what_is_to_be_kept_stays_with_the_folders_above_it(home):
    (home / "runs/a/Step/stored.txt").write_text("s3://b/k\n")
    (home / "runs/a/Other").mkdir()
    Remover(home).tree(home / "runs/a", keep=[home / "runs/a/Step/stored.txt"])
    assert [path.name for path in sorted((home / "runs/a").rglob("*"))] == ["Step", "stored.txt"]


def test_what_is_gone_already_is_no_fault(home):
    remover = Remover(home)
    remover.tree(home / "runs/b")
    remover.files([home / "runs/b/file"])
    assert remover.freed == 0


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("outside", id="beside"),
        pytest.param("home", id="the-folder-itself"),
        pytest.param("home/../outside", id="dots"),
        pytest.param("home/link", id="a-link"),
        pytest.param("home/link/deep", id="through-a-link"),
    ],
)
def test_no_folder_outside_is_removed(home, outside, tmp_path, path):
    (outside / "deep").mkdir()
    (home / "link").symlink_to(outside)
    with pytest.raises(NotRemovable):
        Remover(home).tree(tmp_path / path)
    assert (outside / "precious").read_text() == "precious"
    assert (home / "runs/a/Step/log.txt").exists()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("outside/precious", id="beside"),
        pytest.param("home/../outside/precious", id="dots"),
        pytest.param("home/link/precious", id="through-a-link"),
    ],
)
def test_no_file_outside_is_removed(home, outside, tmp_path, path):
    (home / "link").symlink_to(outside)
    with pytest.raises(NotRemovable):
        Remover(home).files([tmp_path / path])
    assert (outside / "precious").read_text() == "precious"


def test_a_link_inside_a_tree_goes_and_what_it_leads_to_stays(home, outside):
    (home / "runs/a/Step/link").symlink_to(outside)
    (home / "runs/a/Step/file-link").symlink_to(outside / "precious")
    Remover(home).tree(home / "runs/a")
    assert not (home / "runs/a").exists()
    assert (outside / "precious").read_text() == "precious"


def test_a_home_that_is_reached_through_a_link_is_a_home(home, tmp_path):
    (tmp_path / "alias").symlink_to(home)
    Remover(tmp_path / "alias").tree(tmp_path / "alias/runs/a")
    assert not (home / "runs/a").exists()


def test_only_empty_folders_with_the_name_are_removed(home):
    folder = home / "s3/b/shared/abc/Step/out"
    folder.mkdir(parents=True)
    Remover(home).empty_folders(folder, named="abc")
    assert (home / "s3/b/shared").is_dir()
    assert not (home / "s3/b/shared/abc").exists()


def test_a_folder_that_a_job_made_read_only_is_removed(home):
    (home / "runs/a/Step").chmod(0o500)
    Remover(home).tree(home / "runs/a")
    assert not (home / "runs/a").exists()


MOUNTED = """
import sys
from pathlib import Path
from workflows.local.removal import NotRemovable, Remover, obstacle
home = Path(sys.argv[1])
print(obstacle(home, home / "runs/a"))
try:
    Remover(home).tree(home / "runs/a")
except NotRemovable:
    print("refused")
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="mounting needs root")
def test_what_something_is_mounted_in_is_not_removed(home, outside):
    point = home / "runs/a/Step/a mount"
    point.mkdir()
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$5"'
    arguments = [str(outside), str(point), sys.executable, MOUNTED, str(home)]
    done = subprocess.run(
        [shutil.which("unshare"), "--mount", "sh", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [f"something is mounted at {point.resolve()}", "refused"], done.stderr
    assert (outside / "precious").read_text() == "precious"
    assert (home / "runs/a/Step/log.txt").exists()


def test_a_folder_in_which_nothing_is_mounted_has_no_obstacle(home):
    assert obstacle(home, home / "runs/a") is None
