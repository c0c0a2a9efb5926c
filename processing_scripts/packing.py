"""Decoding, resizing and encoding many pictures in several processes, in order and in bounded memory."""

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from processing_scripts.contract import JobError
from processing_scripts.vision.images import ImageError, decode_image, encode_jpeg, resize_shorter_side

CHUNK = 8
# Chunks waiting per process: enough to keep it busy, few enough to hold the results in memory.
CHUNKS_AHEAD = 3


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What becomes of every picture."""

    shorter_side: int  # pixels
    quality: int  # JPEG, 1 to 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """A picture to encode, and whether its mirror image is wanted too."""

    source: Path
    mirrored: bool


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The JPEG files made of one picture, or the fault that prevents them."""

    original: bytes = b""
    mirrored: bytes = b""
    source_sha256: str
    fault: str | None = None


def encode_pictures(
    requests: Sequence[Request], encoding: Encoding, *, workers: int
) -> Generator[Encoded, None, None]:
    """Encode the pictures; results come in the order of the requests and do not depend on `workers`.

    A picture that cannot be decoded yields its fault; the caller knows how many of those are too many.

    Raises:
        FileNotFoundError: a picture is missing.
        JobError: the system ended a worker process.
    """
    chunks = [requests[start : start + CHUNK] for start in range(0, len(requests), CHUNK)]
    encode = partial(_encode_chunk, encoding=encoding)
    if workers == 1:
        for chunk in chunks:
            yield from encode(chunk)
        return
    # Forked before the executor starts its thread: a new interpreter would import pandas for nothing.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        waiting: deque[Future[list[Encoded]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(encode, chunk))
                if len(waiting) > workers * CHUNKS_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool:
            raise JobError(
                "the system ended a worker process, probably because memory ran out; "
                f"use fewer than {workers} --workers or a larger instance"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _encode_chunk(requests: Sequence[Request], encoding: Encoding) -> list[Encoded]:
    return [_encode(request, encoding) for request in requests]


def _encode(request: Request, encoding: Encoding) -> Encoded:
    data = request.source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    try:
        pixels = decode_image(data, source=str(request.source))
        resized = resize_shorter_side(pixels, encoding.shorter_side)
    except ImageError as error:
        return Encoded(source_sha256=digest, fault=error.fault)
    except ValueError as error:
        return Encoded(source_sha256=digest, fault=str(error))
    mirrored = encode_jpeg(resized[:, ::-1], quality=encoding.quality) if request.mirrored else b""
    original = encode_jpeg(resized, quality=encoding.quality)
    return Encoded(original=original, mirrored=mirrored, source_sha256=digest)
