"""botocore's descriptions of the services: to read one takes long, so each is read once in a process."""

from functools import cache

from botocore.loaders import Loader


@cache
def loader() -> Loader:
    """What reads them, and keeps what it has read.

    A client of S3 changes the description that it is made from; no other service's does.
    """
    return Loader()
