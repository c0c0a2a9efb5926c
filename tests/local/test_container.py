import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflows.local import container as module
from workflows.local import launcher
from workflows.local.container import Container, ContainerError, namespaces_work, tail


def run(container):
    lines = []
    code, _ = container.start().wait(lines.append)
    return code, lines


def make(tmp_path, *argv, **more):
    return Container(opt_ml=tmp_path / "opt-ml", log=tmp_path / "log.txt", argv=argv, **more)


@pytest.fixture
def without_namespaces(monkeypatch):
    monkeypatch.setattr(module, "namespaces_work", lambda: False)


@pytest.mark.skipif(not namespaces_work(), reason="this machine allows no mount namespaces")
def test_the_job_sees_its_folder_at_opt_ml_and_opt_stays_as_it_is(tmp_path):
    opt = Path("/opt")
    before = sorted(opt.iterdir()) if opt.is_dir() else None
    container = make(tmp_path, "sh", "-c", "echo here > /opt/ml/file; ls /opt")
    code, lines = run(container)
    assert code == 0
    assert (tmp_path / "opt-ml" / "file").read_text() == "here\n"
    assert set(lines) >= {"ml", *(path.name for path in before or ())}
    assert (sorted(opt.iterdir()) if opt.is_dir() else None) == before


SACRIFICE = """
mount --make-rprivate / && mount -t tmpfs none /opt && mkdir -p /opt/a/b && echo keep > /opt/a/b/file &&
ln -s a /opt/link && echo plain > /opt/plain || exit 99
"$0" -I -S "$1" "$2" sh -c 'cat /opt/a/b/file /opt/plain /opt/link/b/file; rm -f /opt/ml/none; ls /opt'
"$0" -I -S "$1" "$2/missing" true
echo "exit $?"
find /opt -type f -o -type l | sort
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="needs root in a namespace of its own")
def test_nothing_in_opt_is_lost_neither_after_success_nor_after_failure(tmp_path):
    # In a namespace with an /opt of its own, so that even a launcher that deletes harms nobody.
    folder = tmp_path / "opt-ml"
    folder.mkdir()
    argv = ["unshare", "--mount", "sh", "-c", SACRIFICE, sys.executable, launcher.__file__, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True)
    lines = done.stdout.split()
    assert lines[:7] == ["keep", "plain", "keep", "a", "link", "ml", "plain"], done.stderr
    assert lines[7:9] == ["exit", str(launcher.NOT_STARTED)]
    assert lines[9:] == ["/opt/a/b/file", "/opt/link", "/opt/plain"]


def test_without_namespaces_paths_are_rewritten(tmp_path, without_namespaces):
    script = "cat $0; echo $FOLDER; echo $OPT_ML; echo /opt/mlx"
    container = make(
        tmp_path, "sh", "-c", script, "/opt/ml/config.json", environment={"FOLDER": "/opt/ml/model"}
    )
    container.write_config("config.json", {"LocalPath": "/opt/ml/processing/input"})
    code, lines = run(container)
    root = str(tmp_path / "opt-ml")
    assert code == 0
    assert json.loads("".join(lines[:-3])) == {"LocalPath": f"{root}/processing/input"}
    assert lines[-3:] == [f"{root}/model", root, "/opt/mlx"]


def test_the_log_holds_both_streams_in_order(tmp_path):
    code, lines = run(make(tmp_path, "sh", "-c", "echo one; echo two >&2; echo three; exit 4"))
    assert (code, lines) == (4, ["one", "two", "three"])
    assert tail(tmp_path / "log.txt", 2) == "two\nthree"


def test_stopping_ends_the_children_too(tmp_path):
    container = make(tmp_path, "sh", "-c", "trap '' TERM; sleep 300 & echo $!; wait; sleep 300")
    running = container.start()
    started = running._process.stdout.readline()
    running.stop(grace_s=0.5)
    running._process.stdout.close()
    assert running.exit_code is not None
    assert ends(int(started))


def ends(pid):
    """Whether a process that was killed is gone, or waits only to be collected, within some seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_does_not_exist_is_named(tmp_path, without_namespaces):
    with pytest.raises(ContainerError, match="no-such-command"):
        make(tmp_path, "no-such-command").start()


FAKE_DOCKER = """#!/bin/sh
for word in "$@"; do echo "$word"; done
"""


def test_an_image_without_stand_in_runs_through_docker(tmp_path, monkeypatch):
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(FAKE_DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=":")
    container = make(
        tmp_path, "python", "job.py", docker_image="repo/image:1", environment={"A": "1"}, ports={8080: 4321}
    )
    _, words = run(container)
    assert words == [
        "run", "--rm", "--init", "--volume", f"{tmp_path}/opt-ml:/opt/ml", "--publish", "127.0.0.1:4321:8080",
        "--env", "A=1", "--entrypoint", "python", "repo/image:1", "job.py",
    ]  # fmt: skip
