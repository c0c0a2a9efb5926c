import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing_scripts.contract import JobError, published
from processing_scripts.outputs import OutputTree, copy_file, is_safe_relative, write_text
from tests.processing_scripts.job_testing import tree


def test_nothing_appears_before_the_commit(tmp_path):
    with OutputTree(tmp_path / "out") as outputs:
        write_text(outputs.stage("a/one.txt"), "1")
        assert not (tmp_path / "out" / "a" / "one.txt").exists()
        outputs.commit("outputs.json")
    assert sorted(tree(tmp_path / "out")) == ["a/one.txt", "outputs.json"]
    assert json.loads((tmp_path / "out" / "outputs.json").read_text()) == {
        "outputs": {
            # printf 1 | sha256sum
            "a/one.txt": {
                "bytes": 1,
                "sha256": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
            }
        },
    }


def test_without_a_commit_nothing_stays_and_nothing_is_lost(tmp_path):
    (tmp_path / "out" / "mine").mkdir(parents=True)
    with OutputTree(tmp_path / "out") as outputs:
        write_text(outputs.stage("deep/er/one.txt"), "1")
        outputs.stage("mine/never-written.txt")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["mine"]


def test_files_that_only_the_run_before_wrote_go(tmp_path):
    for names in (["a/1", "a/2", "b/3"], ["a/2"]):
        with OutputTree(tmp_path) as outputs:
            for name in names:
                write_text(outputs.stage(name), name)
            outputs.commit("outputs.json")
    assert sorted(tree(tmp_path)) == ["a/2", "outputs.json"]


def test_a_list_of_somebody_else_removes_nothing_outside(tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "outputs.json").write_text('{"outputs": {"../precious": {}, "/etc/hostname": {}}}')
    with OutputTree(tmp_path / "out") as outputs:
        outputs.commit("outputs.json")
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        pytest.param("017.Cardinal/a b.jpg", True, id="space"),
        pytest.param("Möwe.jpg", True, id="umlaut"),
        pytest.param("", False, id="empty"),
        pytest.param(".", False, id="folder-itself"),
        pytest.param("/a.jpg", False, id="absolute"),
        pytest.param("a/../../b.jpg", False, id="dotdot"),
        pytest.param("a\tb.jpg", False, id="tab"),
        pytest.param("a\nb.jpg", False, id="newline"),
        pytest.param("a\x00b.jpg", False, id="nul"),
        pytest.param("..\\a.jpg", False, id="backslash"),
        pytest.param(3, False, id="number"),
    ],
)
def test_safe_names_are_told_from_unsafe_ones(path, safe):
    assert is_safe_relative(path) == safe


@given(st.text(alphabet="ab./ \\\t", max_size=12))
def test_a_safe_name_stays_below_its_folder(name):
    if is_safe_relative(name):
        joined = os.path.normpath(os.path.join("/folder", name))
        assert joined.startswith("/folder/")


def test_a_copy_is_whole(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    copy_file(tmp_path / "a", tmp_path / "new" / "b")
    assert (tmp_path / "new" / "b").read_bytes() == content


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(JobError, match=r"file/below\.txt: cannot be written: (Not a directory|File exists)"):
        write_text(tmp_path / "file" / "below.txt", "y")
    (tmp_path / "folder").mkdir()
    with pytest.raises(JobError, match="folder: cannot be written: Is a directory"):
        write_text(tmp_path / "folder", "y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_fault_of_another_file_is_not_blamed_on_the_output(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(IsADirectoryError), published(tmp_path / "out" / "a"):
        (tmp_path / "elsewhere").read_bytes()
    assert list((tmp_path / "out").iterdir()) == []
