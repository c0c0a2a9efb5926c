"""Versions: every object has the one that is called null, as in buckets without versioning."""

from workflows.server.s3.errors import s3_error


def check_version(version: str | None) -> None:
    """Refuse any other version.

    Raises:
        AwsError: NoSuchVersion.
    """
    if version not in (None, "null"):
        raise s3_error("NoSuchVersion", "The specified version does not exist.", VersionId=version)
