"""Keys are paths here: what that changes, and what it must not."""

import os
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.local.object_keys import leaves_the_tree, to_key, to_path

PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=8).filter(
    lambda part: part not in (".", "..")
)
SPECIAL = st.sampled_from(["", "@empty", "@marker", "@@empty", "%2e", "%", "a b", "é", "~", "..."])
KEYS = st.lists(PARTS | SPECIAL, min_size=1, max_size=5).map("/".join).filter(bool)


@given(KEYS)
def test_a_path_has_the_key_that_it_was_made_of(key):
    path = to_path(key)
    assert to_key(path) == key
    assert not path.is_absolute()
    assert {"", ".", ".."}.isdisjoint(path.parts)


@given(KEYS, KEYS)
def test_two_keys_have_two_paths(one, other):
    assert (to_path(one) == to_path(other)) == (one == other)


@settings(max_examples=60, deadline=None)
@given(key=KEYS, content=st.binary(max_size=20))
def test_any_key_comes_back(s3, key, content):
    bucket = "any-key"
    (s3.objects.root / bucket).mkdir(parents=True, exist_ok=True)
    s3.client.put_object(Bucket=bucket, Key=key, Body=content)
    assert s3.client.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    assert [each["Key"] for each in s3.client.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.client.delete_object(Bucket=bucket, Key=key)
    assert list((s3.objects.root / bucket).iterdir()) == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("../x", "InvalidArgument", id="climbs"),
        pytest.param("a/../../../x", "InvalidArgument", id="climbs-later"),
        pytest.param("%2e%2e/x", "InvalidArgument", id="encoded"),
        pytest.param("%2e%2e%2fx", "InvalidArgument", id="slash-encoded"),
        pytest.param("a/./b", "InvalidArgument", id="dot"),
        pytest.param("a%00b", "InvalidArgument", id="nul"),
        pytest.param("a/" + "x" * 256, "KeyTooLongError", id="part-too-long"),
        pytest.param(quote("é" * 128), "KeyTooLongError", id="part-too-long-in-utf-8"),
        pytest.param("a/" * 300 + "x", "KeyTooLongError", id="too-many-parts"),
        pytest.param("x/" * 400 + "y" * 250, "KeyTooLongError", id="too-long"),
        pytest.param("%ff", "InvalidURI", id="no-utf-8"),
    ],
)
def test_a_key_that_is_no_path_below_the_bucket_is_refused(s3, bucket, path, code):
    before = sorted(path for path in s3.home.rglob("*") if "objects.sqlite" not in path.name)
    for method in ("PUT", "GET", "DELETE"):
        status, _, body = s3.request(method, f"/{bucket}/{path}", b"x" if method == "PUT" else None)
        assert (status, f"<Code>{code}</Code>".encode() in body) == (400, True), body
    assert sorted(path for path in s3.home.rglob("*") if "objects.sqlite" not in path.name) == before


def test_what_was_encoded_twice_is_decoded_once(s3, client, bucket):
    s3.request("PUT", f"/{bucket}/%252e%252e%252fx", b"x")
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["%2e%2e%2fx"]


def test_a_key_that_begins_with_a_slash_is_one_inside_the_bucket(client, bucket, s3):
    client.put_object(Bucket=bucket, Key="/etc/passwd", Body=b"mine")
    assert client.get_object(Bucket=bucket, Key="/etc/passwd")["Body"].read() == b"mine"
    assert s3.objects.read(f"s3://{bucket}//etc/passwd") == b"mine"
    assert s3.objects.path(f"s3://{bucket}//etc/passwd").is_relative_to(s3.objects.root / bucket)


def test_markers_of_folders_are_objects_that_no_job_sees(client, bucket, s3):
    client.put_object(Bucket=bucket, Key="data/", Body=b"")
    client.put_object(Bucket=bucket, Key="data/a", Body=b"x")
    client.put_object(Bucket=bucket, Key="data//b", Body=b"y")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["data/", "data//b", "data/a"]
    assert client.head_object(Bucket=bucket, Key="data/")["ContentLength"] == 0
    assert [str(location) for location, _ in s3.objects.keys(f"s3://{bucket}/")] == [
        f"s3://{bucket}/data//b",
        f"s3://{bucket}/data/a",
    ]
    client.delete_object(Bucket=bucket, Key="data/")
    assert client.head_object(Bucket=bucket, Key="data/a")["ContentLength"] == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("a", "a/b", id="below-an-object"),
        pytest.param("a", "a/b/c/d", id="far-below"),
        pytest.param("a/b", "a", id="above"),
        pytest.param("a/b/c", "a", id="far-above"),
        pytest.param("a", "a/", id="marker"),
    ],
)
def test_what_a_tree_cannot_hold_is_refused_by_the_name_of_the_other(client, bucket, first, second, s3):
    client.put_object(Bucket=bucket, Key=first, Body=b"first")
    with pytest.raises(ClientError, match=f"'{second}' cannot be stored while there is '{first}'"):
        client.put_object(Bucket=bucket, Key=second, Body=b"second")
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == [first]
    assert client.get_object(Bucket=bucket, Key=first)["Body"].read() == b"first"
    assert s3.leftovers() == []


def test_folders_that_a_job_has_left_empty_are_no_obstacle(client, bucket, s3):
    (s3.objects.root / bucket / "out" / "deep").mkdir(parents=True)
    client.put_object(Bucket=bucket, Key="out", Body=b"x")
    assert client.get_object(Bucket=bucket, Key="out")["Body"].read() == b"x"


def test_a_symbolic_link_is_not_followed(client, bucket, s3, tmp_path):
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", s3.objects.root / bucket / "link")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=bucket, Key="link")


@given(st.text(max_size=12))
def test_what_does_not_leave_the_tree_stays_in_it(key):
    if leaves_the_tree(key) or not key:
        return
    assert os.path.normpath(f"/root/{to_path(key)}").startswith("/root/")
