"""Pictures that cannot be used, up to a share that the user allows."""

from processing_scripts.contract import JobError


class Unreadable:
    """The pictures that had to be left out; too many of them end the job."""

    def __init__(self, *, pictures: int, max_share: float) -> None:
        self._pictures = pictures
        self._max_share = max_share
        self.faults: dict[str, str] = {}  # path -> fault

    @property
    def has_room(self) -> bool:
        """Whether one more picture may be left out."""
        return not self._is_too_many(len(self.faults) + 1)

    def add(self, path: str, fault: str) -> None:
        """Leave a picture out.

        Raises:
            JobError: the share of such pictures is now larger than allowed.
        """
        self.faults[path] = fault
        if self._is_too_many(len(self.faults)):
            raise JobError(
                f"{path}: {fault}; {len(self.faults)} of {self._pictures} pictures cannot be used, more than "
                f"--max-unreadable-share {self._max_share:g} allows"
            )

    def _is_too_many(self, count: int) -> bool:
        return count / self._pictures > self._max_share
