"""The output folder of a job: a finished run replaces the one before, a failed run leaves it alone."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from processing_scripts.contract import JobError, published, writing

CHUNK_BYTES = 1 << 20


class OutputTree:
    """Collects files under hidden names beside their places; `commit` puts all of them there.

    Beside their places, and not in one folder apart, because every output of a processing job may be a
    volume of its own, over whose border a file cannot be renamed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staged: dict[str, Path] = {}
        self._made: list[Path] = []  # folders, every one after the folder that it lies in

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._staged.values():
            path.unlink(missing_ok=True)
        for folder in reversed(self._made):
            with suppress(OSError):  # holds the files of a finished run
                folder.rmdir()

    def stage(self, relative: str) -> Path:
        """Where to write the file that shall become `relative` (with "/") below the output folder."""
        target = self._root / relative
        staged = target.with_name(f".{target.name}.staged")
        missing = [folder for folder in target.parents if not folder.exists()]
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        self._made.extend(reversed(missing))
        self._staged[relative] = staged
        return staged

    def commit(self, manifest: str) -> None:
        """Put every staged file in its place, and last the manifest.

        The manifest's "outputs" has size and SHA-256 of every file by its relative name, so that the next
        run knows which ones are stale.
        """
        outputs = {relative: describe(self._staged[relative]) for relative in sorted(self._staged)}
        staged_manifest = self.stage(manifest)
        write_json(staged_manifest, {"outputs": outputs})
        stale = self._listed_by(self._root / manifest) - set(outputs)
        for relative, staged in list(self._staged.items()):
            if relative != manifest:
                staged.replace(self._root / relative)
        for relative in stale:
            self._remove(relative)
        staged_manifest.replace(self._root / manifest)
        self._staged.clear()

    def _listed_by(self, manifest: Path) -> set[str]:
        try:
            outputs = json.loads(manifest.read_bytes())["outputs"]
            return {relative for relative in outputs if is_safe_relative(relative)}
        except (OSError, ValueError, KeyError, TypeError):
            return set()  # no run before this one, or a file of somebody else's

    def _remove(self, relative: str) -> None:
        path = self._root / relative
        with suppress(OSError):
            path.unlink()
            path.parent.rmdir()


def is_safe_relative(path: object) -> bool:
    """Whether a name from outside stays below the folder that it is joined to, and in one list column."""
    if not isinstance(path, str) or not path.isprintable() or "\\" in path:
        return False
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def describe(path: Path) -> dict[str, int | str]:
    """Size in bytes and SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": digest.hexdigest()}


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes; `target` appears whole or not at all."""
    with source.open("rb") as reader, published(target) as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text; the file appears whole or not at all."""
    with published(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: object) -> None:
    """Write JSON for people and programs; the same value gives the same bytes."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json_object(path: Path) -> dict[str, object]:
    """The JSON object in a file.

    Raises:
        JobError: the file is missing or holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise JobError(f"{path}: not there") from None
    except ValueError as error:
        raise JobError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise JobError(f"{path}: holds {type(value).__name__}, not a JSON object")
    return value
