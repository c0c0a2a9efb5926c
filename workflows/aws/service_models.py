"""botocore's descriptions of the services, which take long to read: once in a process."""

from functools import cache

from botocore.loaders import Loader


@cache
def loader() -> Loader:
    """What reads them; it keeps what it has read."""
    return Loader()
