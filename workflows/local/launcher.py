"""Shows a process its own /opt/ml, runs it, and sees to it that nothing of it outlives the engine.

Run as a script, with nothing but the standard library, before any job:

    python -I -S launcher.py [OPTION=VALUE ...] -- COMMAND [ARGUMENT ...]

opt-ml=FOLDER   is shown at /opt/ml. Without it there are no namespaces, and the command sees this machine.
lent=FOLDER     is shown below it, so that what is written goes to the first folder only; with work=FOLDER,
                which is empty and on the same file system.
hosts=FILE      is shown at /etc/hosts.
docker=NAME     the command starts this container: ending the command ends the container, too.

The command gets namespaces of its own for mounts and, where the kernel allows it, for processes:

    the engine --(standard input)--> this process --> init, the first in its namespace --> the command

Standard input is a life line: when the engine ends, however it does, the kernel closes it, and this process
kills the command. When this process is killed the kernel kills init, and with it all of its namespace.
Without a namespace for processes there is no init, and the command's process group is killed.
SIGTERM goes to the command alone, as Docker sends it. The exit code is the command's, or 128 + its signal.

Exit code 125: the namespaces could not be made, the command was not started.
"""

import ctypes
import os
import select
import sys
from collections.abc import Mapping

TYPE_CHECKING = False  # importing it from typing would take as long as what follows saves
if TYPE_CHECKING:
    import signal
else:
    # Every job waits for this script; the module around this one imports enum, a third of all its time.
    import _signal as signal

NOT_STARTED = 125
_NOT_EXECUTABLE = 127

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_PR_SET_PDEATHSIG = 1

_LIFE_LINE = 0
_OPT, _OPT_ML, _HOSTS, _PROC = "/opt", "/opt/ml", "/etc/hosts", "/proc"
# What renames and changes of attributes leave in the upper folder is whole files: the engine reads it.
_OVERLAY_OPTIONS = "index=off,metacopy=off,redirect_dir=nofollow"


def main() -> None:
    """Start the command and stay until it has ended."""
    options, command = _arguments(sys.argv[1:])
    # Until somebody listens; a signal that comes too early would be lost to the first of a namespace.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        has_init = "opt-ml" in options and enter_namespaces()
    except OSError as error:
        _say(f"no namespaces: {error}")
        raise SystemExit(NOT_STARTED) from None
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held)
        _run_child(options, command, alive, has_init=has_init)
    # Not only in the child: a signal to the group may come before it gets there.
    _lead_group(child)
    raise SystemExit(_watch(child, options.get("docker")))


def _arguments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    end = words.index("--")
    pairs = [word.partition("=") for word in words[:end]]
    return {name: value for name, _, value in pairs}, words[end + 1 :]


def enter_namespaces() -> bool:
    """Get mounts of its own, and processes for its children; returns whether the latter is possible.

    As an ordinary user, inside a user namespace with the same ids.

    Raises:
        OSError: not even mounts.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS if uid == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    try:
        _call("unshare", ctypes.c_int(flags | _CLONE_NEWPID))
        own_processes = True
    except OSError:
        _call("unshare", ctypes.c_int(flags))
        own_processes = False
    if uid != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return own_processes


def _watch(child: int, docker: str | None) -> int:
    """Wait for the child, hand on SIGTERM, and kill it when the life line ends; returns its exit code."""
    woken, note = os.pipe()
    os.set_blocking(note, False)
    signal.set_wakeup_fd(note)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
    watched = [_LIFE_LINE, woken]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if _LIFE_LINE in ready:
            watched.remove(_LIFE_LINE)
            _kill(child, docker)
        if woken in ready:
            os.read(woken, 4096)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            # What the command has left running; with an init the kernel has ended that already.
            _kill_group(child)
            return _exit_code(status)


def _kill(child: int, docker: str | None) -> None:
    if docker is not None:
        # The container is no child of its client.
        killer = os.fork()
        if killer == 0:
            _execute(["docker", "kill", docker], silent=True)
        os.waitpid(killer, 0)
    _kill_group(child)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left; of whom only unreaped processes are left, some systems say the latter


def _lead_group(child: int) -> None:
    try:
        os.setpgid(child, child)
    except OSError:
        return  # it did so itself, and executes its command already, or has ended


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# Below: in the child.


def _run_child(options: Mapping[str, str], command: list[str], parent: int, *, has_init: bool) -> None:
    """Become the init of the namespace, or the command itself; does not return."""
    os.setpgid(0, 0)
    try:
        die_with_parent()
        if select.select([parent], [], [], 0)[0]:
            os._exit(NOT_STARTED)  # it died before that
        if "opt-ml" in options:
            _make_mounts(options, fresh_proc=has_init)
    except OSError as error:
        _say(f"no mount namespace: {error}")
        os._exit(NOT_STARTED)
    if has_init:
        _be_init(command)
    _execute(command)


def _be_init(command: list[str]) -> None:
    job = os.fork()
    if job == 0:
        _execute(command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(job, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
    while True:
        ended, status = os.wait()  # also of others, whose parents are gone
        if ended == job:
            os._exit(_exit_code(status))


def _execute(command: list[str], *, silent: bool = False) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2) if silent else (0,):
        os.dup2(nothing, number)
    # Python ignores some, and whoever started the engine others (a shell's `&` those of the keyboard); the
    # command would inherit that.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        os.execvp(command[0], command)  # noqa: S606 - to run what it is told is its task
    except OSError as error:
        _say(f"cannot execute {command[0]}: {error.strerror}")
        os._exit(_NOT_EXECUTABLE)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; the parent has one thread only."""
    if sys.platform.startswith("linux"):
        _call("prctl", ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL))


def _make_mounts(options: Mapping[str, str], *, fresh_proc: bool) -> None:
    """Show the folders and files of the options at their places.

    Nothing here, nor after a failure, removes a file or folder: whatever is deleted below a bind mount is
    gone from the real place, too.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    # Opened first: what is mounted later may hide their paths.
    opened = {
        name: _open(path) for name, path in options.items() if name in ("opt-ml", "lent", "work", "hosts")
    }
    if not _is_folder(_OPT_ML):
        _rebuild_opt()
    if "lent" in opened:
        _show_overlay(opened)
    else:
        _mount(_path_of(opened["opt-ml"]), _OPT_ML, None, _MS_BIND)
    if "hosts" in opened:
        _mount(_path_of(opened["hosts"]), _HOSTS, None, _MS_BIND)
    if fresh_proc:
        _show_own_processes()
    for number in opened.values():
        os.close(number)


def _show_overlay(opened: Mapping[str, int]) -> None:
    layers = {"lowerdir": "lent", "upperdir": "opt-ml", "workdir": "work"}
    # By their numbers: a comma or colon in a path would be part of the options.
    where = ",".join(f"{layer}={_path_of(opened[name])}" for layer, name in layers.items())
    # In a user namespace the overlay keeps its notes in other attributes, and has only safe defaults.
    settings = _OVERLAY_OPTIONS if os.getuid() == 0 else "userxattr"
    _mount("overlay", _OPT_ML, b"overlay", 0, f"{where},{settings}".encode())


def _rebuild_opt() -> None:
    """Show everything in /opt again on a temporary file system, and `ml` beside it."""
    old = os.open(_OPT, os.O_RDONLY | os.O_DIRECTORY)
    _mount("tmpfs", _OPT, b"tmpfs", 0)
    new = os.open(_OPT, os.O_RDONLY | os.O_DIRECTORY)
    for entry in os.scandir(old):
        _show_again(entry, old, new)
    os.mkdir("ml", dir_fd=new)
    os.close(old)
    os.close(new)


def _show_again(entry: "os.DirEntry[str]", old: int, new: int) -> None:
    name = entry.name
    if entry.is_symlink():
        os.symlink(os.readlink(name, dir_fd=old), name, dir_fd=new)
        return
    if entry.is_dir():
        os.mkdir(name, dir_fd=new)
    else:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=new))
    _mount(f"{_path_of(old)}/{name}", f"{_OPT}/{name}", None, _MS_BIND | _MS_REC)


def _show_own_processes() -> None:
    try:
        _mount("proc", _PROC, b"proc", _MS_NOSUID_NODEV_NOEXEC)
    except OSError:
        return  # as inside many containers: the job sees the processes of this machine, and ends all the same


def _open(path: str) -> int:
    return os.open(path, os.O_PATH)


def _path_of(number: int) -> str:
    return f"/proc/self/fd/{number}"


def _is_folder(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        return False
    return True


def _write(path: str, text: str) -> None:
    number = os.open(path, os.O_WRONLY)
    os.write(number, text.encode())
    os.close(number)


def _say(text: str) -> None:
    os.write(2, f"{text}\n".encode())


def _mount(
    source: str | None, target: str, kind: bytes | None, flags: int, data: bytes | None = None
) -> None:
    where = None if source is None else source.encode()
    _call("mount", where, target.encode(), kind, ctypes.c_ulong(flags), data)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
