import sys
from pathlib import Path

import pytest

from tests.local.conftest import Machine
from workflows.local.images import ImageTable

IMAGES = {
    "toy-processor": {},
    "toy-trainer": {
        "command": ["sh", str(Path(__file__).with_name("trainer.sh")), sys.executable],
        "metrics": {"validation:mAP": r"validation mAP=\(([-+0-9.eE]+)\)"},
    },
}


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "home")
    made.images = ImageTable(IMAGES)
    return made
