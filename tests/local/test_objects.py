import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.local.objects import ObjectError, Objects, Shard, parse


@pytest.fixture
def objects(tmp_path):
    return Objects(tmp_path / "home" / "s3")


def put(objects, tmp_path, uri, content="x"):
    file = tmp_path / "source"
    file.write_text(content)
    objects.adopt_file(file, uri)
    file.unlink()


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_prefix_arrives_with_the_paths_inside_it(objects, tmp_path):
    put(objects, tmp_path, "s3://b/data/train/a.rec")
    put(objects, tmp_path, "s3://b/data/train/deep/b.rec")
    put(objects, tmp_path, "s3://b/data/other/c.rec")
    assert objects.download("s3://b/data/train", tmp_path / "channel") == 2
    assert tree(tmp_path / "channel") == ["a.rec", "deep/b.rec"]


def test_a_single_object_arrives_under_its_own_name(objects, tmp_path):
    put(objects, tmp_path, "s3://b/job/output/model.tar.gz")
    objects.download("s3://b/job/output/model.tar.gz", tmp_path / "model")
    assert tree(tmp_path / "model") == ["model.tar.gz"]


def test_a_prefix_that_another_key_begins_with_too_is_refused(objects, tmp_path):
    put(objects, tmp_path, "s3://b/out/train/train.rec")
    put(objects, tmp_path, "s3://b/out/train_flipped/train.rec")
    with pytest.raises(ObjectError, match="end the URI with '/'"):
        objects.download("s3://b/out/train", tmp_path / "channel")
    assert objects.download("s3://b/out/train/", tmp_path / "again") == 1


def test_a_job_that_changes_its_input_does_not_change_the_object(objects, tmp_path):
    put(objects, tmp_path, "s3://b/k/a.txt", "stored")
    objects.download("s3://b/k", tmp_path / "in")
    (tmp_path / "in" / "a.txt").write_text("changed by the job")
    assert objects.read("s3://b/k/a.txt") == b"stored"


def test_what_is_lent_is_the_stored_file_itself(objects, tmp_path):
    put(objects, tmp_path, "s3://b/data/a.rec", "0123456789")
    put(objects, tmp_path, "s3://b/data/deep/b.rec")
    assert objects.lend("s3://b/data", tmp_path / "farm") == 2
    assert tree(tmp_path / "farm") == ["a.rec", "deep/b.rec"]
    for name in ("a.rec", "deep/b.rec"):
        assert (tmp_path / "farm" / name).samefile(objects.path(f"s3://b/data/{name}"))


def test_where_files_cannot_be_linked_they_are_lent_as_copies(objects, tmp_path, monkeypatch):
    put(objects, tmp_path, "s3://b/data/a.rec", "content")

    def refuse(*_):
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    objects.lend("s3://b/data", tmp_path / "farm")
    copy = tmp_path / "farm" / "a.rec"
    assert copy.read_text() == "content"
    assert not copy.samefile(objects.path("s3://b/data/a.rec"))


@pytest.mark.parametrize("method", ["download", "lend"])
def test_both_ways_refuse_the_same(objects, tmp_path, method):
    give = getattr(objects, method)
    put(objects, tmp_path, "s3://b/out/train/train.rec")
    put(objects, tmp_path, "s3://b/out/train_flipped/train.rec")
    with pytest.raises(ObjectError, match="end the URI with '/'"):
        give("s3://b/out/train", tmp_path / "channel", shard=Shard(0, 2))
    with pytest.raises(ObjectError, match="nothing is stored there"):
        give("s3://b/none/", tmp_path / "channel")


@pytest.mark.parametrize("method", ["download", "lend"])
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(1, [["a", "b", "c/d", "e", "f"]], id="one"),
        pytest.param(2, [["a", "c/d", "f"], ["b", "e"]], id="two"),
        pytest.param(7, [["a"], ["b"], ["c/d"], ["e"], ["f"], [], []], id="more-than-objects"),
    ],
)
def test_shards_are_dealt_out_in_the_order_of_the_keys(objects, tmp_path, method, count, expected):
    for name in ("f", "a", "c/d", "e", "b"):
        put(objects, tmp_path, f"s3://b/in/{name}")
    for index in range(count):
        getattr(objects, method)("s3://b/in/", tmp_path / str(index), shard=Shard(index, count))
    assert [tree(tmp_path / str(index)) for index in range(count)] == expected
    assert all((tmp_path / str(index)).is_dir() for index in range(count))


def test_copies_that_do_not_fit_are_refused_before_anything_is_written(objects, tmp_path, monkeypatch):
    put(objects, tmp_path, "s3://b/data/a", "0123456789")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=9))
    with pytest.raises(ObjectError, match="10 bytes do not fit into .*, which has 9 left"):
        objects.download("s3://b/data", tmp_path / "in")
    assert tree(tmp_path / "in") == []
    assert objects.lend("s3://b/data", tmp_path / "farm") == 1


def test_copies_are_made_also_where_the_kernel_cannot_help(objects, tmp_path, monkeypatch):
    put(objects, tmp_path, "s3://b/data/a", "content")

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    objects.download("s3://b/data", tmp_path / "in")
    assert (tmp_path / "in" / "a").read_text() == "content"


def test_an_upload_is_a_copy(objects, tmp_path):
    source = tmp_path / "checkpoint"
    source.write_text("epoch 1")
    assert objects.upload(source, "s3://b/checkpoints/latest")
    source.write_text("epoch 2")
    assert objects.read("s3://b/checkpoints/latest") == b"epoch 1"


def test_a_file_that_is_written_while_it_is_uploaded_is_not_stored(objects, tmp_path, monkeypatch):
    source = tmp_path / "checkpoint"
    source.write_text("epoch 1")
    copy_range = os.copy_file_range

    def copy_and_write(*arguments):
        done = copy_range(*arguments)
        source.write_text("epoch 2 is longer")
        return done

    monkeypatch.setattr(os, "copy_file_range", copy_and_write)
    assert not objects.upload(source, "s3://b/checkpoints/latest")
    assert list(objects.keys("s3://b/")) == []


def test_outputs_are_stored_without_a_copy_and_without_links_that_lead_elsewhere(objects, tmp_path):
    out = tmp_path / "home" / "out"
    out.mkdir(parents=True)
    (out / "big.rec").write_text("x")
    (out / "link").symlink_to("/etc/passwd")
    assert objects.adopt(out, "s3://b/k") == 1
    assert os.stat(objects.path("s3://b/k/big.rec")).st_ino == os.stat(out / "big.rec").st_ino


def test_an_object_is_replaced_whole(objects, tmp_path):
    put(objects, tmp_path, "s3://b/k/a", "old")
    with open(objects.path("s3://b/k/a")) as reader:
        put(objects, tmp_path, "s3://b/k/a", "new")
        assert reader.read() == "old"
    assert objects.read("s3://b/k/a") == b"new"


def test_sync_copies_what_is_new_and_removes_what_is_gone(objects, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    assert objects.sync(folder, "s3://b/in") == 2
    assert objects.sync(folder, "s3://b/in") == 0
    (folder / "a").unlink()
    (folder / "b").write_text("longer")
    assert objects.sync(folder, "s3://b/in") == 1
    assert [str(location) for location, _ in objects.keys("s3://b/in")] == ["s3://b/in/b"]


def test_syncing_one_file_stores_that_file(objects, tmp_path):
    archive = tmp_path / "CUB_200_2011.tgz"
    archive.write_text("x")
    objects.sync(archive, "s3://b/in")
    assert objects.read("s3://b/in/CUB_200_2011.tgz") == b"x"


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("/etc/passwd", id="path"),
        pytest.param("file:///etc/passwd", id="other-scheme"),
        pytest.param("s3://", id="no-bucket"),
        pytest.param("s3://b/../../etc/passwd", id="climbs"),
        pytest.param("s3://../etc/passwd", id="bucket-climbs"),
        pytest.param("s3://b/a/./b", id="dot"),
    ],
)
def test_a_uri_that_is_none_or_leaves_the_tree_is_refused(objects, uri):
    with pytest.raises(ObjectError):
        objects.read(uri)


def test_nothing_under_a_prefix_is_an_error(objects, tmp_path):
    with pytest.raises(ObjectError, match="s3://b/none: nothing is stored there"):
        objects.download("s3://b/none", tmp_path / "x")


@given(st.text(min_size=1, max_size=30))
def test_no_uri_leads_out_of_the_tree(tmp_path_factory, rest):
    objects = Objects(tmp_path_factory.getbasetemp() / "s3")
    try:
        path = objects.path(f"s3://{rest}")
    except ObjectError:
        return
    inside = os.path.normpath(path).startswith(
        os.path.normpath(tmp_path_factory.getbasetemp() / "s3") + os.sep
    )
    assert inside, parse(f"s3://{rest}")
