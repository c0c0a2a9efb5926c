"""Files to S3 and back, over HTTP to the served machine."""

import os
from datetime import UTC, datetime

import pytest

from workflows.aws import objects
from workflows.aws.errors import CloudError, told
from workflows.definition.errors import WorkflowError

ODD = [
    "a b.jpg",
    "ü/ß.jpg",
    "100%.jpg",
    "q?x=1&y#z.jpg",
    "plus+.jpg",
    "quote'\".jpg",
    "tab\there.jpg",
    "日本.jpg",
]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def bucket(here):
    objects.ensure_bucket(here, "pictures")
    return "s3://pictures"


def write(folder, name, text="x"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def upload(clients, source, uri):
    told = []
    count = objects.upload(clients, source, uri, report=lambda sent, total: told.append((sent, total)))
    assert told == [(number, count) for number in range(1, count + 1)]
    return count


def test_a_bucket_is_made_once(here, bucket):
    objects.ensure_bucket(here, "pictures")
    assert [entry["Name"] for entry in here.s3.list_buckets()["Buckets"]] == ["pictures"]


@pytest.mark.parametrize("uri", ["s3://pictures/in", "s3://pictures/in/", "s3://pictures", "s3://pictures/"])
def test_a_folders_files_come_below_the_uri_however_it_ends(here, bucket, folder, uri):
    write(folder, "one.jpg")
    write(folder, "deep/two.jpg")
    assert upload(here, folder, uri) == 2
    stem = uri.rstrip("/")
    assert list(objects.keys(here, uri)) == [f"{stem}/deep/two.jpg", f"{stem}/one.jpg"]


def test_one_file_keeps_its_name(here, bucket, folder):
    assert upload(here, write(folder, "data.zip"), f"{bucket}/in") == 1
    assert list(objects.keys(here, f"{bucket}/in")) == [f"{bucket}/in/data.zip"]


def test_an_upload_resumes_where_it_was_interrupted(here, bucket, folder):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write(folder, name)
    upload(here, folder, f"{bucket}/in")
    here.s3.delete_object(Bucket="pictures", Key="in/b.jpg")
    assert upload(here, folder, f"{bucket}/in") == 1
    assert upload(here, folder, f"{bucket}/in") == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [pytest.param("longer", -100, id="another-size"), pytest.param("y", 100, id="changed-since")],
)
def test_a_file_that_has_changed_is_sent_again(here, bucket, folder, text, seconds):
    file = write(folder, "labels.csv")
    upload(here, folder, f"{bucket}/in")
    file.write_text(text)
    moment = datetime.now(UTC).timestamp() + seconds
    os.utime(file, (moment, moment))
    assert upload(here, folder, f"{bucket}/in") == 1
    body = here.s3.get_object(Bucket="pictures", Key="in/labels.csv")["Body"]
    assert body.read().decode() == text


def test_odd_names_go_there_and_back(here, bucket, folder, tmp_path):
    for name in ODD:
        write(folder, name, name)
    assert upload(here, folder, f"{bucket}/in") == len(ODD)
    assert upload(here, folder, f"{bucket}/in") == 0
    uris = list(objects.keys(here, f"{bucket}/in"))
    assert sorted(uris) == sorted(f"{bucket}/in/{name}" for name in ODD)
    for uri in uris:
        objects.download(here, uri, tmp_path / "back" / "file")
        assert uri.endswith((tmp_path / "back/file").read_text())


def test_a_folder_without_files_is_refused(here, bucket, folder):
    (folder / "empty").mkdir()
    with pytest.raises(WorkflowError, match="pictures: the folder holds no files"):
        upload(here, folder, f"{bucket}/in")


def test_a_link_inside_of_the_folder_is_its_file(here, bucket, folder):
    write(folder, "one.jpg", "picture")
    (folder / "two.jpg").symlink_to("one.jpg")
    assert upload(here, folder, f"{bucket}/in") == 2
    assert here.s3.head_object(Bucket="pictures", Key="in/two.jpg")["ContentLength"] == 7


@pytest.mark.parametrize("kind", ["file-outside", "folder-outside", "folder-above", "nowhere"])
def test_no_link_leads_out_of_the_folder(here, bucket, folder, tmp_path, kind):
    write(folder, "one.jpg")
    secret = write(tmp_path, "outside/secret.txt")
    target = {
        "file-outside": secret,
        "folder-outside": secret.parent,
        "folder-above": folder,
        "nowhere": folder / "gone.jpg",
    }[kind]
    (folder / "link.jpg").symlink_to(target)
    with pytest.raises(WorkflowError, match="link.jpg: a link to what is no file in .*pictures"):
        upload(here, folder, f"{bucket}/in")
    assert list(objects.keys(here, bucket)) == []


def test_an_upload_that_is_refused_is_told_as_any_other_call(clients, answers, folder):
    write(folder, "one.jpg")
    answers.then(200, b"<ListBucketResult></ListBucketResult>").refuse_as_s3(
        "AccessDenied", "no identity-based policy allows s3:PutObject", status=403
    )
    with pytest.raises(CloudError, match="PutObject is not allowed: no identity-based policy"), told():
        upload(clients, folder, "s3://pictures/in")


def test_a_name_that_is_not_utf_8_is_refused(here, bucket, folder):
    (folder / os.fsdecode(b"\xff.jpg")).write_text("x")
    with pytest.raises(WorkflowError, match="the name is not UTF-8"):
        upload(here, folder, f"{bucket}/in")


@pytest.mark.parametrize("uri", ["pictures/in", "http://pictures/in", "s3://", "s3:///in"])
def test_what_is_no_uri_of_s3_is_refused(uri):
    with pytest.raises(WorkflowError, match="write s3://BUCKET/KEY"):
        objects.split(uri)


def test_a_document_that_is_not_json_is_refused(here, bucket):
    here.s3.put_object(Bucket="pictures", Key="report.json", Body=b"{")
    with pytest.raises(WorkflowError, match="s3://pictures/report.json: not JSON"):
        objects.read_json(here, "s3://pictures/report.json")
