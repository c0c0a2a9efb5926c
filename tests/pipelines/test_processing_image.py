"""The processing image is named after the account of the role and the content of its code."""

from pathlib import Path

import pytest

from workflows.pipelines.errors import PipelineOptionError
from workflows.pipelines.processing_image import content_tag, default_image_uri


@pytest.fixture
def code(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "prepare.py").write_text("one")
    (tmp_path / "contract.py").write_text("two")
    (tmp_path / "requirements.txt").write_text("numpy")
    return tmp_path


def change(path):
    path.write_text("changed")


def swap(code):
    a, b = code / "contract.py", code / "jobs" / "prepare.py"
    first, second = a.read_text(), b.read_text()
    a.write_text(second)
    b.write_text(first)


def shift(code):
    """Move a character over the border between two files."""
    (code / "contract.py").write_text("twoo")
    (code / "jobs" / "prepare.py").write_text("ne")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda code: change(code / "contract.py"), id="content"),
        pytest.param(lambda code: change(code / "requirements.txt"), id="requirements"),
        pytest.param(lambda code: change(code / "Dockerfile"), id="new-dockerfile"),
        pytest.param(lambda code: change(code / "jobs" / "new.py"), id="new-module"),
        pytest.param(lambda code: (code / "contract.py").rename(code / "rules.py"), id="renamed"),
        pytest.param(lambda code: (code / "contract.py").unlink(), id="removed"),
        pytest.param(swap, id="contents-swapped"),
        pytest.param(shift, id="border-moved"),
    ],
)
def test_any_change_of_the_code_changes_the_tag(code, edit):
    before = content_tag(code)
    edit(code)
    assert content_tag(code) != before


def test_files_that_are_not_in_the_image_leave_the_tag(code):
    before = content_tag(code)
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "contract.cpython-311.pyc").write_bytes(b"compiled")
    (code / "notes.md").write_text("notes")
    (code / "contract.py").touch()
    assert content_tag(code) == before
    assert len(before) == 16


@pytest.mark.parametrize(
    ("region", "role", "registry"),
    [
        pytest.param(
            "eu-west-1",
            "arn:aws:iam::123456789012:role/team/Vision",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            id="with-path",
        ),
        pytest.param(
            "cn-north-1",
            "arn:aws-cn:iam::210987654321:role/Vision",
            "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn",
            id="china",
        ),
    ],
)
def test_the_default_image_lies_in_the_roles_account(region, role, registry):
    tag = content_tag(Path(__file__).parents[2] / "processing_scripts")
    assert default_image_uri(region=region, role=role) == f"{registry}/sagemaker-vision-processing:{tag}"


@pytest.mark.parametrize(
    "role",
    [
        pytest.param("Vision", id="name"),
        pytest.param("arn:aws:iam::123456789012:user/anna", id="user"),
        pytest.param("arn:aws:iam::1234:role/Vision", id="short-account"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_not_a_roles_arn_is_refused(role):
    with pytest.raises(PipelineOptionError, match="role:"):
        default_image_uri(region="eu-west-1", role=role)
