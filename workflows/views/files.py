"""Files that appear whole or not at all."""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from workflows.views.errors import ViewError


@contextmanager
def written_whole(output: Path, *, suffixes: Collection[str]) -> Iterator[Path]:
    """A name beside `output` to write to; it takes the place of `output` when the block ends well.

    Folders that are missing are made. The name ends like that of `output`, as libraries choose the format
    by it.

    Raises:
        ViewError: `output` has none of the suffixes, or lies where no file can be written.
    """
    if output.suffix.lower() not in suffixes:
        raise ViewError(f"{output}: the name must end in {' or '.join(suffixes)}")
    partial = output.with_name(f".{output.stem}.{secrets.token_hex(6)}.partial{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as fault:
        raise ViewError(f"{output}: cannot be written: {fault.strerror or fault}") from fault
