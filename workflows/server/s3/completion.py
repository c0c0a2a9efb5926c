"""Makes one object of a multipart upload."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from workflows.server.errors import AwsError
from workflows.server.s3.conditions import Conditions
from workflows.server.s3.digests import encode, new_digest
from workflows.server.s3.errors import invalid_request, s3_error
from workflows.server.s3.etags import etag_of_parts
from workflows.server.s3.sinks import Checksum, FileSink
from workflows.server.s3.storage import Storage, Stored
from workflows.server.s3.uploads import SMALLEST_PART, WHOLE, Part, Upload, Uploads

_BLOCK = 2**20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A part as the client who completes an upload names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]  # algorithm -> base64


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the client says of the whole."""

    claims: Sequence[Claim]
    conditions: Conditions
    size: int | None
    checksum: str | None  # base64, and the count of parts for a composite one


def complete(storage: Storage, uploads: Uploads, upload: Upload, wish: Wish) -> Stored:
    """Make an object of the parts that a client names; the upload is over then.

    Raises:
        AwsError: the parts are not those that have arrived, too small or in disorder, a condition does not
            hold, or the whole is not what the client takes it for. The upload goes on.
    """
    parts = chosen_parts(uploads.parts(upload), wish.claims)
    with storage.objects.scratch() as folder:
        copy = (
            None if uploads.is_in_slots(upload, parts) else _join(uploads, upload, parts, folder / "object")
        )
        file = copy or uploads.folder(upload) / WHOLE
        details = replace(
            upload.details,
            etag=etag_of_parts(part.md5 for part in parts),
            checksum=_checksum(upload, parts, file),
            part_sizes=tuple(part.size for part in parts),
            upload=upload.id,
        )
        _check_whole(details.checksum, sum(part.size for part in parts), wish)
        with storage.database.alone():
            # Somebody else may have completed or aborted it.
            uploads.find(upload.id, upload.bucket, upload.key)
            storage.check_write(upload.bucket, upload.key, wish.conditions)
            if copy is None and not uploads.is_in_slots(upload, parts):
                file = _join(uploads, upload, parts, folder / "object")
            _cut(file, sum(details.part_sizes))
            stored = storage.replace(file, upload.bucket, upload.key, details)
            uploads.end(upload)
    return stored


def chosen_parts(arrived: Sequence[Part], claims: Sequence[Claim]) -> list[Part]:
    """The parts that a client names.

    Raises:
        AwsError: InvalidPartOrder, InvalidPart, EntityTooSmall.
    """
    numbers = [claim.number for claim in claims]
    if any(first >= second for first, second in pairwise(numbers)):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise s3_error("InvalidPartOrder", message)
    known = {part.number: part for part in arrived}
    parts = [_matching(known.get(claim.number), claim) for claim in claims]
    for part in parts[:-1]:
        if part.size < SMALLEST_PART:
            raise s3_error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size,
                MinSizeAllowed=SMALLEST_PART,
                PartNumber=part.number,
                ETag=part.md5.hex(),
            )
    return parts


def _matching(part: Part | None, claim: Claim) -> Part:
    if part is not None and claim.etag.strip('"') == part.md5.hex():
        own = part.checksum
        if own is None or claim.checksums.get(own.algorithm, own.value) == own.value:
            return part
    message = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, "
        "or the specified entity tag may not match the part's entity tag."
    )
    raise s3_error("InvalidPart", message, PartNumber=claim.number, ETag=claim.etag)


def _join(uploads: Uploads, upload: Upload, parts: Sequence[Part], target: Path) -> Path:
    with FileSink(target) as sink:
        for part in parts:
            try:
                with (uploads.folder(upload) / part.place.file).open("rb") as file:
                    _copy(file.fileno(), part, sink)
            except FileNotFoundError:
                raise _changed_meanwhile() from None
    return target


def _copy(source: int, part: Part, sink: FileSink) -> None:
    end = part.place.offset + part.size
    for start in range(part.place.offset, end, _BLOCK):
        sink.write([os.pread(source, min(_BLOCK, end - start), start)])


def _cut(file: Path, size: int) -> None:
    """End a file after the last part of the object: there may be slots of parts that nobody wants."""
    if file.stat().st_size < size:
        raise _changed_meanwhile()
    os.truncate(file, size)


def _changed_meanwhile() -> AwsError:
    return s3_error("OperationAborted", "A part was uploaded again while the upload was being completed.")


def _checksum(upload: Upload, parts: Sequence[Part], file: Path) -> Checksum | None:
    """The checksum of the whole, where the client has asked for one and this machine can make it."""
    if upload.algorithm is None:
        return None
    if not upload.is_composite:
        return _of_content(upload.algorithm, file, sum(part.size for part in parts))
    digest = new_digest(upload.algorithm)
    sums = [part.checksum for part in parts]
    if digest is None or any(each is None or each.algorithm != upload.algorithm for each in sums):
        return None
    for each in sums:
        if each is not None:
            digest.update(each.raw)
    return Checksum(upload.algorithm, f"{encode(digest.digest())}-{len(parts)}", is_composite=True)


def _of_content(algorithm: str, path: Path, size: int) -> Checksum | None:
    digest = new_digest(algorithm)
    if digest is None:
        return None
    with path.open("rb") as file:
        for start in range(0, size, _BLOCK):
            digest.update(file.read(min(_BLOCK, size - start)))
    return Checksum(algorithm, encode(digest.digest()))


def _check_whole(checksum: Checksum | None, size: int, wish: Wish) -> None:
    if wish.size is not None and wish.size != size:
        message = (
            f"The provided 'x-amz-mp-object-size' header value {wish.size} "
            f"does not match what was computed: {size}"
        )
        raise invalid_request(message)
    if wish.checksum is not None and checksum is not None and wish.checksum != checksum.value:
        message = f"The {checksum.algorithm.upper()} you specified did not match the calculated checksum."
        raise s3_error("BadDigest", message)
