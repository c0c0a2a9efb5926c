"""Where our processing image lies, named after its content.

The tag is a digest of the code in the image, so a definition says which code its jobs run: a changed job is
a changed image, which also keeps step caching from reusing what the old code made.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from workflows.pipelines.errors import PipelineOptionError

REPOSITORY = "sagemaker-vision-processing"

_ROLE_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>\d{12}):role/\S+")
_FILES = ("**/*.py", "Dockerfile", "requirements.txt")


def default_image_uri(*, region: str, role: str) -> str:
    """The image in the role's own account, tagged with what processing_scripts holds now.

    Raises:
        PipelineOptionError: the role is no ARN, or the code to name the image after is not here.
    """
    partition, account = role_account(role)
    suffix = ".cn" if partition == "aws-cn" else ""
    tag = content_tag(_code_folder())
    return f"{account}.dkr.ecr.{region}.amazonaws.com{suffix}/{REPOSITORY}:{tag}"


def check_role(role: str) -> None:
    """Refuse a role that is not a full ARN: resolving a bare name would need a call to IAM."""
    role_account(role)


def content_tag(folder: Path) -> str:
    """16 hexadecimal digits that change with any file that goes into the image.

    Names and bytes of all Python files, the Dockerfile and requirements.txt, in the order of their names;
    times, permissions and other files have no influence.
    """
    digest = hashlib.sha256()
    for path in _image_files(folder):
        content = path.read_bytes()
        # The length keeps two files from passing as one with both contents.
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _image_files(folder: Path) -> Iterator[Path]:
    found = {path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()}
    yield from sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _code_folder() -> Path:
    folder = Path(__file__).parents[2] / "processing_scripts"
    if not folder.is_dir():
        raise PipelineOptionError(
            f"processing_image_uri: no folder {folder} to name the image after; pass the image's address"
        )
    return folder


def role_account(role: str) -> tuple[str, str]:
    """Partition and account of a role.

    Raises:
        PipelineOptionError: the role is no ARN.
    """
    match = _ROLE_ARN.fullmatch(role)
    if match is None:
        raise PipelineOptionError(
            f"role: '{role}' is not a role's ARN; write it in full, as in arn:aws:iam::123456789012:role/NAME"
        )
    return match["partition"], match["account"]
