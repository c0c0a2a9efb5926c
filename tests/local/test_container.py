import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.processes import running, wait_until
from workflows.local import container as module
from workflows.local import launcher
from workflows.local.container import Container, ContainerError, namespaces_work, tail
from workflows.local.trees import remove_tree


def run(container):
    lines = []
    return container.start().wait(lines.append), lines


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
"$0" -I -S "$1" "opt-ml=$2" -- sh -c 'cat /opt/a/b/file /opt/plain /opt/link/b/file; ls /opt'
"$0" -I -S "$1" "opt-ml=$2/missing" -- true
echo "exit $?"
find /opt -type f -o -type l | sort
"""


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="needs root in a namespace of its own")
def test_nothing_in_opt_is_lost_neither_after_success_nor_after_failure(tmp_path):
    # In a namespace with an /opt of its own, so that even a launcher that deletes harms nobody.
    folder = tmp_path / "opt-ml"
    folder.mkdir()
    argv = ["unshare", "--mount", "sh", "-c", SACRIFICE, sys.executable, launcher.__file__, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as done:
        lines = done.stdout.read().split()
    assert lines[:7] == ["keep", "plain", "keep", "a", "link", "ml", "plain"]
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


@pytest.mark.parametrize(
    "exits", [pytest.param("exit 7", id="code"), pytest.param("kill -9 $$", id="signal")]
)
@pytest.mark.parametrize("namespaces", [True, False])
def test_the_exit_code_is_that_of_docker(tmp_path, exits, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    assert run(make(tmp_path, "sh", "-c", exits))[0] == {"exit 7": 7}.get(exits, 137)


def test_the_job_gets_nothing_on_standard_input_and_no_blocked_or_ignored_signals(tmp_path):
    code, lines = run(make(tmp_path, "sh", "-c", "cat; yes | head -1; cat /proc/self/status"))
    assert (code, lines[0]) == (0, "y")
    status = dict(line.split(":\t") for line in lines[1:] if ":\t" in line)
    # glibc keeps signals 32 and 33 for itself: no program can change what it inherits of them.
    kept = 1 << 31 | 1 << 32
    assert int(status["SigBlk"], 16) & ~kept == 0
    assert int(status["SigIgn"], 16) & ~kept == 0


@pytest.mark.skipif(not namespaces_work(), reason="this machine allows no namespaces")
def test_the_job_sees_its_own_processes_only(tmp_path):
    _, lines = run(
        make(tmp_path, "sh", "-c", "ls /proc | grep -c '^[0-9]'; cat /proc/1/cmdline | tr '\\0' ' '")
    )
    assert int(lines[0]) < 8
    assert "launcher.py" in lines[1]


TERM = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_job_that_is_stopped_is_asked_first(tmp_path, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    running = make(tmp_path, "sh", "-c", TERM).start()
    lines = []

    def take(line):
        lines.append(line)
        if line == "ready":
            threading.Thread(target=running.stop).start()

    assert running.wait(take) == 3
    assert lines == ["ready", "asked"]


@pytest.fixture
def sleepers(tmp_path):
    """A job of two processes that sleep, one of them in the background and deaf to SIGTERM."""
    program = tmp_path / "sleeper"
    shutil.copy(shutil.which("sleep"), program)
    script = f"trap '' TERM; {program} 300 & echo started; {program} 300"
    yield program, make(tmp_path, "sh", "-c", script)
    for pid in running(str(program)):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("namespaces", [True, False])
def test_stopping_ends_the_children_too(sleepers, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    program, container = sleepers
    started = container.start()
    assert started._process.stdout.readline() == b"started\n"
    started.stop(grace_s=0.2)
    started._process.stdout.close()
    assert started.exit_code == 137
    assert wait_until(lambda: not running(str(program)), 1)


@pytest.mark.parametrize("namespaces", [True, False])
def test_what_a_job_leaves_running_ends_with_it(tmp_path, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    program = tmp_path / "sleeper"
    shutil.copy(shutil.which("sleep"), program)
    began = time.monotonic()
    assert run(make(tmp_path, "sh", "-c", f"{program} 300 & echo done"))[0] == 0
    assert time.monotonic() - began < 60
    assert wait_until(lambda: not running(str(program)), 1)


ENGINE = """
import sys
from pathlib import Path
from workflows.local import container as module
folder, namespaces, script = sys.argv[1:]
if namespaces == "off":
    module.namespaces_work = lambda: False
container = module.Container(
    opt_ml=Path(folder, "opt-ml"), log=Path(folder, "log.txt"), argv=("sh", "-c", script)
)
container.start().wait(print)
"""
WITHOUT_PROCESS_NAMESPACES = 'echo 0 > /proc/sys/user/max_pid_namespaces && exec "$@"'


def start_engine(container, namespaces):
    argv = [sys.executable, "-c", ENGINE, str(container.opt_ml.parent), namespaces, container.argv[-1]]
    if namespaces == "no-processes":
        argv = ["unshare", "--user", "--map-root-user", "sh", "-c", WITHOUT_PROCESS_NAMESPACES, "sh", *argv]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "namespaces",
    [
        pytest.param("on", marks=pytest.mark.skipif(not namespaces_work(), reason="none here"), id="all"),
        pytest.param(
            "no-processes",
            marks=pytest.mark.skipif(not namespaces_work(), reason="none here"),
            id="only-mounts",
        ),
        pytest.param("off", id="none"),
    ],
)
def test_nothing_of_a_job_outlives_an_engine_that_is_killed(sleepers, namespaces):
    program, container = sleepers
    with start_engine(container, namespaces) as engine:
        assert engine.stdout.readline() == "started\n", namespaces
        assert wait_until(lambda: len(running(str(program))) > 3)
        engine.kill()
        assert wait_until(lambda: not running(str(program)), 1)


@pytest.mark.skipif(not namespaces_work(), reason="this machine allows no namespaces")
def test_nothing_of_a_job_outlives_its_launcher(sleepers):
    program, container = sleepers
    started = container.start()
    assert started._process.stdout.readline() == b"started\n"
    os.kill(started._process.pid, signal.SIGKILL)
    assert wait_until(lambda: not running(str(program)), 1)
    assert started.wait(lambda _: None) != 0


@pytest.fixture
def lent(tmp_path):
    """A container to which an object is lent, and the object."""
    stored = tmp_path / "stored"
    stored.write_bytes(os.urandom(3_000_000))
    container = make(tmp_path, "sh", "-c", "true")
    if not container.can_be_lent():
        pytest.skip("this machine allows no overlays")
    folder = container.lent / "input" / "data" / "train"
    folder.mkdir(parents=True)
    os.link(stored, folder / "x.rec")
    return container, stored


def test_a_job_sees_what_is_lent_and_may_change_it_without_changing_what_is_stored(lent, tmp_path):
    container, stored = lent
    content = stored.read_bytes()
    script = """
        cd /opt/ml/input/data/train; sha256sum x.rec; printf changed | dd of=x.rec conv=notrunc 2>/dev/null
        head -c 7 x.rec; echo; mv x.rec y.rec && ln y.rec ../../../linked && chmod 600 y.rec; rm y.rec; ls
    """
    code, lines = run(replace(container, argv=("sh", "-ec", script)))
    assert (code, lines) == (0, [f"{hashlib.sha256(content).hexdigest()}  x.rec", "changed"])
    assert stored.read_bytes() == content
    assert stored.stat().st_mode & 0o777 == 0o644
    assert (container.opt_ml / "linked").read_bytes() == b"changed" + content[7:]


def test_what_is_only_read_is_nowhere_copied(lent, tmp_path):
    container, stored = lent
    code, _ = run(replace(container, argv=("sh", "-ec", "cat /opt/ml/input/data/train/x.rec > /dev/null")))
    assert code == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "log.txt"]
    assert {path.stat().st_ino for path in files} == {stored.stat().st_ino}
    assert stored.stat().st_nlink == 2
    assert sum(path.stat().st_blocks for path in container.opt_ml.rglob("*") if path.is_file()) == 0


@pytest.mark.skipif(not namespaces_work() or os.getuid() != 0, reason="root here, an ordinary user inside")
def test_an_ordinary_user_is_lent_files_too(lent, tmp_path):
    container, stored = lent
    content = stored.read_bytes()
    container.scratch.mkdir()
    script = "id -u; printf changed > /opt/ml/input/data/train/x.rec; cat /opt/ml/input/data/train/x.rec"
    parts = {"opt-ml": container.opt_ml, "lent": container.lent, "work": container.scratch}
    container.opt_ml.mkdir()
    options = [f"{name}={path}" for name, path in parts.items()]
    argv = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    argv += [sys.executable, "-I", "-S", launcher.__file__, *options, "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.read() == "1000\nchanged"
    assert stored.read_bytes() == content
    remove_tree(container.scratch)
    assert not container.scratch.exists()


@pytest.mark.skipif(not namespaces_work(), reason="this machine allows no namespaces")
def test_a_hosts_file_is_shown_to_the_job_alone(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.77.0.1 algo-1\n")
    before = Path("/etc/hosts").read_bytes()
    script = "import socket; print(socket.gethostbyname('algo-1'))"
    _, lines = run(make(tmp_path, sys.executable, "-c", script, hosts_file=hosts))
    assert lines == ["127.77.0.1"]
    assert Path("/etc/hosts").read_bytes() == before


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_command_that_does_not_exist_is_named(tmp_path, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    with pytest.raises(ContainerError, match="no-such-command"):
        make(tmp_path, "no-such-command").start()


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        pytest.param("a\0b", "null byte", id="nul"),
        pytest.param("x" * 3_000_000, "Argument list too long", id="too-long"),
    ],
)
def test_arguments_that_no_process_can_have_are_told(tmp_path, argument, why):
    with pytest.raises(ContainerError, match=f"cannot start echo: .*{why}"):
        make(tmp_path, "echo", argument).start()


def test_without_a_command_there_is_nothing_to_start(tmp_path):
    with pytest.raises(ContainerError, match="nothing to start"):
        make(tmp_path).start()


@pytest.mark.parametrize("namespaces", [True, False])
def test_the_command_may_be_in_the_container_only(tmp_path, namespaces, monkeypatch):
    if not namespaces:
        monkeypatch.setattr(module, "namespaces_work", lambda: False)
    script = tmp_path / "opt-ml" / "code" / "run.sh"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho runs in $PWD at home in $HOME")
    script.chmod(0o755)
    home = tmp_path / "home"
    assert run(make(tmp_path, "/opt/ml/code/run.sh")) == (0, [f"runs in {home} at home in {home}"])


def test_trees_are_removed_also_where_a_job_has_made_them_read_only(tmp_path):
    code, _ = run(make(tmp_path, "sh", "-c", "mkdir -p /opt/ml/a/b; touch /opt/ml/a/b/c; chmod 0 /opt/ml/a"))
    assert code == 0
    remove_tree(tmp_path / "opt-ml")
    assert not (tmp_path / "opt-ml").exists()
    remove_tree(tmp_path / "opt-ml")


def test_a_tree_is_removed_although_a_process_that_dies_still_writes_there(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    script = "while :; do mkdir -p $0/x; touch $0/x/$i; i=$((i + 1)); done"
    with subprocess.Popen(["sh", "-c", script, str(folder)], stderr=subprocess.DEVNULL) as writer:
        assert wait_until((folder / "x").exists)
        threading.Timer(0.2, writer.kill).start()
        remove_tree(folder)
        assert writer.wait() == -signal.SIGKILL
    remove_tree(folder)
    assert not folder.exists()


def test_a_file_that_cannot_be_executed_is_named_in_the_log(tmp_path):
    script = tmp_path / "opt-ml" / "code"
    script.parent.mkdir()
    script.write_text("no program")
    script.chmod(0o755)
    assert run(make(tmp_path, str(script)))[0] == 127
    assert f"cannot execute {script}" in tail(tmp_path / "log.txt")


FAKE_DOCKER = """#!/bin/sh
echo "$@" >> {log}
case $1 in
run)
    trap 'kill $!; exit 143' TERM
    echo started; {program} 300 &
    wait ;;
kill) echo $2 >> {killed} ;;
esac
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A Docker client that writes down what it is asked; its containers do nothing but sleep."""
    program, client = tmp_path / "sleeper", tmp_path / "bin" / "docker"
    shutil.copy(shutil.which("sleep"), program)
    client.parent.mkdir()
    client.write_text(FAKE_DOCKER.format(log=tmp_path / "asked", killed=tmp_path / "killed", program=program))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent), prepend=":")
    return program


def test_an_image_without_stand_in_runs_through_docker(docker, tmp_path):
    container = make(
        tmp_path,
        "python",
        "job.py",
        docker_image="repo/image:1",
        name="job-1",
        environment={"A": "1"},
        ports={8080: 4321},
    )
    started = container.start()
    assert started.wait(lambda _: started.ask_to_end()) == 143
    assert (tmp_path / "asked").read_text().splitlines() == [
        "rm --force job-1",
        f"run --rm --init --name job-1 --volume {tmp_path}/opt-ml:/opt/ml --publish 127.0.0.1:4321:8080 "
        "--env A=1 --entrypoint python repo/image:1 job.py",
    ]
    assert not (tmp_path / "killed").exists()


def test_a_docker_container_is_killed_with_its_client(docker, tmp_path):
    container = make(tmp_path, "train", docker_image="repo/image:1", name="job-1")
    started = container.start()
    assert started._process.stdout.readline() == b"started\n"
    started.kill()
    started._process.stdout.close()
    assert (tmp_path / "killed").read_text() == "job-1\n"
    assert wait_until(lambda: not running(str(docker)), 1)


def test_without_a_name_a_docker_container_has_one_of_its_folder(docker, tmp_path):
    names = set()
    for folder in ("one", "one", "two"):
        container = make(tmp_path / folder, "serve", docker_image="repo/image:1")
        started = container.start()
        started.wait(lambda _, started=started: started.ask_to_end())
        names.add((tmp_path / "asked").read_text().splitlines()[-1].split()[4])
    assert len(names) == 2
