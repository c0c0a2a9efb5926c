"""Pictures that cannot be used, up to a share that the user allows."""

from processing_scripts.contract import JobError


class Unreadable:
    """The pictures that had to be left out; too many of them end the job."""

    def __init__(self, *, pictures: int, max_share: float) -> None:
        self._pictures = pictures
        self._max_share = max_share
        self.faults: dict[str, str] = {}  # path -> fault

    def add(self, path: str, fault: str) -> None:
        """Leave a picture out.

        Raises:
            JobError: the share of such pictures is now larger than allowed.
        """
        self.faults[path] = fault
        if len(self.faults) / self._pictures > self._max_share:
            raise JobError(
                f"{path}: {fault}; {len(self.faults)} of {self._pictures} pictures cannot be used, more than "
                f"--max-unreadable-share {self._max_share:g} allows"
            )
