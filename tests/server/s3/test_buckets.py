import pytest
from botocore.exceptions import ClientError

from tests.server.s3.conftest import ACCOUNT, REGION, make_client
from workflows.server.listen import beside
from workflows.server.s3.app import S3


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_a_bucket_is_a_folder_that_is_listed(s3, client):
    name = s3.new_bucket()
    assert (s3.objects.root / name).is_dir()
    listed = {each["Name"]: each for each in client.list_buckets()["Buckets"]}
    assert listed[name]["BucketRegion"] == REGION
    head = client.head_bucket(Bucket=name)
    assert head["BucketRegion"] == REGION
    assert client.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION


def test_a_bucket_that_a_job_has_made_by_writing_is_there(s3, client, tmp_path):
    (tmp_path / "model").write_text("weights")
    s3.objects.adopt_file(tmp_path / "model", "s3://made-by-job/out/model")
    assert client.head_bucket(Bucket="made-by-job")["BucketRegion"] == REGION
    assert client.get_object(Bucket="made-by-job", Key="out/model")["Body"].read() == b"weights"


def test_buckets_come_in_pages(s3, client):
    names = sorted(s3.new_bucket() for _ in range(3))
    pages = list(
        client.get_paginator("list_buckets").paginate(Prefix="bucket-", PaginationConfig={"PageSize": 2})
    )
    assert all(len(page["Buckets"]) <= 2 for page in pages)
    found = [each["Name"] for page in pages for each in page["Buckets"]]
    assert found == sorted(found)
    assert set(names) <= set(found)


def test_a_bucket_is_made_once(client, bucket):
    assert code(
        client.create_bucket, Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    ) == ("BucketAlreadyOwnedByYou")


def test_in_the_first_region_making_a_bucket_again_succeeds_and_it_has_no_location(tmp_path, s3):
    with beside(S3(s3.objects, region="us-east-1", account=ACCOUNT)) as url:
        client = make_client(url)
        client.create_bucket(Bucket="twice")
        client.create_bucket(Bucket="twice")
        assert client.get_bucket_location(Bucket="twice")["LocationConstraint"] is None
        client.close()


@pytest.mark.parametrize("name", ["ab", "UPPER", "a..b", "192.168.5.4", "-abc", "x" * 64])
def test_a_name_that_s3_does_not_give_is_refused(client, name):
    assert code(client.create_bucket, Bucket=name) == "InvalidBucketName"


def test_only_an_empty_bucket_is_deleted(client, bucket, s3):
    client.put_object(Bucket=bucket, Key="a/b", Body=b"x")
    assert code(client.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    client.delete_object(Bucket=bucket, Key="a/b")
    upload = client.create_multipart_upload(Bucket=bucket, Key="never")
    client.upload_part(Bucket=bucket, Key="never", UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    (s3.objects.root / bucket / "empty" / "folders").mkdir(parents=True)
    client.delete_bucket(Bucket=bucket)
    assert not (s3.objects.root / bucket).exists()
    assert s3.leftovers() == []
    assert code(client.head_bucket, Bucket=bucket) == "404"


def test_a_file_that_can_have_no_key_keeps_its_bucket(client, bucket, s3):
    odd = s3.objects.root / bucket / b"caf\xe9".decode(errors="surrogateescape")
    odd.write_text("a job's")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert code(client.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    assert odd.read_text() == "a job's"


@pytest.mark.parametrize("name", ["nowhere", "..", ".", "%2e%2e", "a%2fb"])
def test_there_is_no_such_bucket(s3, name):
    status, _, body = s3.request("GET", f"/{name}?list-type=2")
    assert (status, b"<Code>NoSuchBucket</Code>" in body or b"<Code>NoSuchKey</Code>" in body) == (404, True)


def test_somebody_elses_bucket_is_not_given(client, bucket):
    client.head_bucket(Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    assert code(client.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="999999999999") == "AccessDenied"


def test_a_bucket_has_the_settings_of_a_new_one(client, bucket):
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    [grant] = client.get_bucket_acl(Bucket=bucket)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL"
    assert grant["Grantee"]["Type"] == "CanonicalUser"
    assert client.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    rules = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    for call, expected in [
        (client.get_bucket_policy, "NoSuchBucketPolicy"),
        (client.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (client.get_bucket_cors, "NoSuchCORSConfiguration"),
        (client.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        assert code(call, Bucket=bucket) == expected


def test_what_is_not_here_is_said_by_its_name(client, bucket):
    with pytest.raises(ClientError, match="S3: PutBucketVersioning is not available on this machine"):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(ClientError, match="S3: PutBucketPolicy is not available"):
        client.put_bucket_policy(Bucket=bucket, Policy="{}")
