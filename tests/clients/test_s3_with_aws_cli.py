"""`aws s3` of the AWS CLI: copies, listings, several parts, presigned URLs."""

import os

import httpx
import pytest

from tests.clients.conftest import aws_cli

pytestmark = pytest.mark.clients


@pytest.fixture
def aws(served, tmp_path):
    (tmp_path / "config").write_text(
        "[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n"
    )
    return aws_cli(served, tmp_path, AWS_CONFIG_FILE=str(tmp_path / "config"))


def test_the_cli_copies_lists_syncs_moves_and_removes(aws, tmp_path):
    aws("s3", "mb", "s3://birds-cli")
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b.txt").write_text("small")
    (folder / "deep" / "é.bin").write_bytes(os.urandom(6 * 2**20))
    for path in folder.rglob("*"):
        # S3's times are seconds: what is as new as its object would be sent again.
        os.utime(path, (10**9, 10**9))
    aws("s3", "sync", "data", "s3://birds-cli/in")
    assert "upload" not in aws("s3", "sync", "data", "s3://birds-cli/in")
    listed = aws("s3", "ls", "--recursive", "s3://birds-cli").splitlines()
    assert [line.split(maxsplit=2)[2] for line in listed] == ["5 in/a b.txt", f"{6 * 2**20} in/deep/é.bin"]
    assert "PRE in/" in aws("s3", "ls", "s3://birds-cli")
    aws("s3", "mv", "s3://birds-cli/in/deep/é.bin", "s3://birds-cli/out/e.bin")
    aws("s3", "cp", "--recursive", "s3://birds-cli", "back")
    assert (tmp_path / "back/out/e.bin").read_bytes() == (folder / "deep/é.bin").read_bytes()
    assert (tmp_path / "back/in/a b.txt").read_text() == "small"
    url = aws("s3", "presign", "s3://birds-cli/in/a b.txt").strip()
    assert httpx.get(url).text == "small"
    (folder / "a b.txt").unlink()
    aws("s3", "sync", "--delete", "data", "s3://birds-cli/in")
    assert "a b.txt" not in aws("s3", "ls", "--recursive", "s3://birds-cli")
    assert "BucketNotEmpty" in aws.refusal("s3", "rb", "s3://birds-cli")
    aws("s3", "rm", "--recursive", "s3://birds-cli")
    aws("s3", "rb", "s3://birds-cli")
    assert "birds-cli" not in aws("s3", "ls")
