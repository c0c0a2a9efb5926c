import uuid

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

ALPHABET = "ab/é~!0"


def fill(s3, bucket, keys):
    """Objects as jobs store them."""
    for key in keys:
        with s3.objects.staged(f"s3://{bucket}/{key}") as staged:
            staged.write_bytes(b"x")


def without_conflicts(keys):
    """Keys of which none is the folder of another."""
    kept = set()
    for key in sorted(keys, key=len, reverse=True):
        if not any(other.startswith(f"{key}/") for other in kept):
            kept.add(key)
    return kept


def reference(keys, prefix, delimiter, after, size):
    """Pages as S3's documentation describes them, the slow way."""
    entries = set()
    for key in keys:
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            entries.add((prefix + head + found, True) if found else (key, False))
    rest = sorted(
        (entry for entry in entries if entry[0].encode() > after.encode()), key=lambda e: e[0].encode()
    )
    pages = [rest[start : start + size] for start in range(0, len(rest), size)]
    return [
        ([k for k, is_prefix in page if not is_prefix], [k for k, is_prefix in page if is_prefix])
        for page in pages
    ]


def shown(pages):
    found = [
        (
            [each["Key"] for each in page.get("Contents", [])],
            [each["Prefix"] for each in page.get("CommonPrefixes", [])],
        )
        for page in pages
    ]
    return [page for page in found if page != ([], [])]


SETS = st.sets(st.text(ALPHABET, min_size=1, max_size=6), max_size=12).map(without_conflicts)


@settings(max_examples=80, deadline=None)
@given(
    keys=SETS,
    prefix=st.text(ALPHABET, max_size=3),
    delimiter=st.sampled_from(["", "/", "a", "//", "é"]),
    after=st.text(ALPHABET, max_size=4),
    size=st.integers(1, 5),
)
def test_lists_are_those_of_the_documentation(s3, keys, prefix, delimiter, after, size):
    bucket = f"list-{uuid.uuid4().hex}"
    (s3.objects.root / bucket).mkdir(parents=True)
    fill(s3, bucket, keys)
    expected = reference(keys, prefix, delimiter, after, size)
    common = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter}
    config = {"PageSize": size}
    second = s3.client.get_paginator("list_objects_v2").paginate(
        **common, StartAfter=after, PaginationConfig=config
    )
    assert shown(second) == expected
    first = s3.client.get_paginator("list_objects").paginate(**common, Marker=after, PaginationConfig=config)
    assert shown(first) == expected


def test_the_order_is_that_of_utf_8(client, bucket, s3):
    # In UTF-16 the last two would change places.
    keys = ["a", "a!", "a/b", "a0", "é", "\uffee", "\U0001f426"]
    fill(s3, bucket, [key for key in keys if key != "a"])
    listed = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == keys[1:]


def test_a_page_says_what_it_is(client, bucket, s3):
    fill(s3, bucket, ["a", "b/1", "b/2", "c"])
    page = client.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2, FetchOwner=True)
    assert [page[name] for name in ("KeyCount", "MaxKeys", "IsTruncated", "Name")] == [2, 2, True, bucket]
    assert [each["Key"] for each in page["Contents"]] == ["a"]
    assert page["Contents"][0]["Owner"]["ID"].endswith("123456789012")
    rest = client.list_objects_v2(
        Bucket=bucket, Delimiter="/", ContinuationToken=page["NextContinuationToken"]
    )
    assert ([each["Key"] for each in rest["Contents"]], rest["IsTruncated"]) == (["c"], False)
    assert "CommonPrefixes" not in rest


def test_no_keys_are_a_page_too(client, bucket, s3):
    fill(s3, bucket, ["a"])
    page = client.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_a_key_that_xml_cannot_hold_is_listed_encoded(client, bucket):
    client.put_object(Bucket=bucket, Key="bell\x07 & <b>+ é", Body=b"x")
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == [
        "bell\x07 & <b>+ é"
    ]


@pytest.mark.parametrize(
    "arguments", [{"MaxKeys": -1}, {"ContinuationToken": "=oops="}, {"EncodingType": "rot13"}]
)
def test_a_list_that_makes_no_sense_is_refused(client, bucket, arguments):
    with pytest.raises(ClientError, match="InvalidArgument"):
        client.list_objects_v2(Bucket=bucket, **arguments)


@pytest.mark.parametrize("prefix", ["../", "a/../../", "x" * 300 + "/", "a\0/", "//", "/"])
def test_a_prefix_that_nothing_can_have_has_no_keys(client, bucket, s3, prefix):
    fill(s3, bucket, ["a"])
    assert client.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] == 0


def test_folders_without_objects_are_not_listed(client, bucket, s3):
    (s3.objects.root / bucket / "left" / "over").mkdir(parents=True)
    page = client.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert page["KeyCount"] == 0


def test_more_than_a_page_is_listed_by_the_paginator(client, bucket, s3):
    keys = [f"images/{number:04}" for number in range(1203)]
    fill(s3, bucket, keys)
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket))
    assert [len(page["Contents"]) for page in pages] == [1000, 203]
    assert [each["Key"] for page in pages for each in page["Contents"]] == keys
