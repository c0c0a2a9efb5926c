"""ETags of objects that jobs, and not clients of this server, have stored."""

import hashlib
import os
from collections.abc import Iterable

from workflows.server.s3.catalog import Identity
from workflows.server.s3.digests import md5

# As large as clients upload in one part. What a job stores above that is in AWS a multipart upload, whose
# ETag is no checksum of the content; so none has to be made here, of gigabytes, for a list of their names.
_LARGEST_PART = 8 * 2**20
_BLOCK = 2**20


def etag_of_file(descriptor: int) -> str:
    """The ETag of an open file: its MD5, or one of the form of multipart uploads.

    The latter only says which file it is, as long as nobody changes it.
    """
    identity = Identity.of(os.fstat(descriptor))
    if identity.size > _LARGEST_PART:
        parts = -(-identity.size // _LARGEST_PART)
        return f"{hashlib.md5(repr(identity).encode(), usedforsecurity=False).hexdigest()}-{parts}"
    digest = md5()
    for start in range(0, identity.size, _BLOCK):
        digest.update(os.pread(descriptor, _BLOCK, start))
    return digest.digest().hex()


def is_of_content(etag: str) -> bool:
    """Whether an ETag is an MD5, which is dear to make."""
    return "-" not in etag


def etag_of_parts(md5s: Iterable[bytes]) -> str:
    """The ETag of a multipart upload."""
    parts = list(md5s)
    digest = md5()
    digest.update(b"".join(parts))
    return f"{digest.digest().hex()}-{len(parts)}"
