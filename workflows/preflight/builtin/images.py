"""Which image is whose."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workflows.preflight.builtin.algorithm import Algorithm
from workflows.preflight.builtin.image_classification import IMAGE_CLASSIFICATION
from workflows.preflight.builtin.object_detection import OBJECT_DETECTION

ALGORITHMS = {each.repository: each for each in (OBJECT_DETECTION, IMAGE_CLASSIFICATION)}

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in Amazon ECR."""

    account: str
    region: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def algorithm(self) -> Algorithm | None:
        """The built-in algorithm in it, if it is one."""
        is_amazons = self.account in registries().values()
        return ALGORITHMS.get(self.repository) if is_amazons else None


def parse_image(uri: str) -> Image | None:
    """The parts of an image's URI; None if it is none of Amazon ECR."""
    found = _ECR.fullmatch(uri)
    return Image(**found.groupdict()) if found else None


@cache
def registries() -> Mapping[str, str]:
    """Region -> account of the built-in algorithms' images."""
    text = Path(__file__).with_name("registries.toml").read_text(encoding="utf-8")
    return {region: str(account) for region, account in tomllib.loads(text).items()}
