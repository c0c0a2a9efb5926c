"""Shows a process its own folder at /opt/ml, then becomes that process.

Run as a script, with nothing but the standard library, before any job:

    python -I -S launcher.py FOLDER COMMAND [ARGUMENT ...]

The process gets a mount namespace of its own, in which FOLDER is bound to /opt/ml; nothing outside changes.
Where /opt/ml does not exist, /opt is rebuilt on a temporary file system with the same entries and `ml` added.
It is killed when the engine that started it dies.

Exit code 125: the namespace could not be made, the command was not started.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

NOT_STARTED = 125

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1

_OPT_ML = Path("/opt/ml")


def main() -> None:
    """Make the namespace and execute the command."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    try:
        enter_namespace()
        show_at_opt_ml(folder)
    except OSError as error:
        sys.stderr.write(f"no mount namespace: {error}\n")
        raise SystemExit(NOT_STARTED) from None
    die_with_parent()
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot execute {command[0]}: {error.strerror}\n")
        raise SystemExit(127) from None


def enter_namespace() -> None:
    """Give this process mounts of its own; as an ordinary user, inside a user namespace with the same ids."""
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS if uid == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    _call("unshare", ctypes.c_int(flags))
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
    _mount(None, Path("/"), None, _MS_REC | _MS_PRIVATE)


def show_at_opt_ml(folder: Path) -> None:
    """Bind a folder to /opt/ml."""
    if not _OPT_ML.is_dir():
        _rebuild_opt(folder.with_name(f"{folder.name}-opt"))
    _mount(folder, _OPT_ML, None, _MS_BIND)


def _rebuild_opt(aside: Path) -> None:
    """Show everything in /opt again, and `ml` beside it.

    `aside` is where the real /opt stands meanwhile. Nothing here, nor after a failure, removes a file or
    folder: whatever is deleted below a bind mount is gone from the real place too. The empty folder stays.
    """
    opt = _OPT_ML.parent
    aside.mkdir(exist_ok=True)
    _mount(opt, aside, None, _MS_BIND | _MS_REC)
    _mount(Path("tmpfs"), opt, b"tmpfs", 0)
    for entry in sorted(aside.iterdir()):
        _show_again(entry, opt / entry.name)
    _OPT_ML.mkdir()
    # Lazily: the entries stay mounted at their new places, only this second view goes.
    _call("umount2", str(aside).encode(), ctypes.c_int(_MNT_DETACH))


def _show_again(entry: Path, target: Path) -> None:
    if entry.is_symlink():
        target.symlink_to(entry.readlink())
    elif entry.is_dir():
        target.mkdir()
        _mount(entry, target, None, _MS_BIND | _MS_REC)
    else:
        target.touch()
        _mount(entry, target, None, _MS_BIND)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _call("prctl", ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL))


def _mount(source: Path | None, target: Path, kind: bytes | None, flags: int) -> None:
    where = None if source is None else str(source).encode()
    _call("mount", where, str(target).encode(), kind, ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
