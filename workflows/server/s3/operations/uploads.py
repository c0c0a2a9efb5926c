"""Multipart uploads."""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.model import JSON
from workflows.server.errors import AwsError
from workflows.server.s3.call import Call, Operation, Transfer, structures
from workflows.server.s3.completion import Claim, Wish, complete
from workflows.server.s3.details import check_features, read_details
from workflows.server.s3.digests import SIZES
from workflows.server.s3.errors import invalid_argument, malformed_xml, no_such_upload, not_implemented
from workflows.server.s3.operations.downloads import checksum_record
from workflows.server.s3.operations.writes import check_size, write_conditions
from workflows.server.s3.promises import read_promises
from workflows.server.s3.receiving import receive
from workflows.server.s3.sinks import Checksum
from workflows.server.s3.storage import Stored
from workflows.server.s3.uploads import Part, Upload
from workflows.server.s3.writing import headers_of
from workflows.server.shapes import Output

_MOST_PARTS = 10_000
_MOST_LISTED = 1000
# Algorithms of which the parts' sums do not make one of the whole, or the other way round.
_ONLY_FULL, _ONLY_COMPOSITE = {"crc64nvme"}, {"sha1", "sha256", "sha512"}


def create_multipart_upload(call: Call) -> Output:
    """CreateMultipartUpload."""
    call.storage.folder(call.bucket)
    details = read_details(call)
    algorithm, is_composite = _algorithm(call)
    upload = call.uploads.create(
        call.bucket, call.key, details, algorithm=algorithm, is_composite=is_composite
    )
    return {"Bucket": call.bucket, "Key": call.key, "UploadId": upload.id, **_checksum_of(upload)}


async def upload_part(call: Call, request: Request) -> Response:
    """UploadPart."""
    promises, number = read_promises(call.headers), read_number(call)
    check_features(call)
    check_size(call, promises)
    upload = await run_in_threadpool(find_upload, call)
    place = await run_in_threadpool(call.uploads.reserve, upload, number, promises.size)
    with call.uploads.receiving(upload, number, place) as sink:
        received = await receive(request, promises, sink.write)
        part = await run_in_threadpool(call.uploads.add, upload, number, place, received)
    record = {"ETag": part.etag, **_sum_of(part.checksum)}
    return Response(None, headers=headers_of(call.operation, record))


def complete_multipart_upload(call: Call) -> Output:
    """CompleteMultipartUpload; once more, if the answer to the first time was lost."""
    claims = [_claim(part) for part in structures(call.structure("MultipartUpload").get("Parts"))]
    if not claims:
        raise malformed_xml("it names no parts")
    try:
        upload = find_upload(call)
    except AwsError:
        stored = _completed_before(call)
    else:
        wish = Wish(
            claims=claims,
            conditions=write_conditions(call),
            size=call.number("MpuObjectSize"),
            checksum=next(iter(_checksums(call.given).values()), None),
        )
        stored = complete(call.storage, call.uploads, upload, wish)
    return {
        "Location": f"http://{call.headers.get('host', 'localhost')}/{call.bucket}/{call.key}",
        "Bucket": call.bucket,
        "Key": call.key,
        "ETag": stored.etag,
        **checksum_record(stored.details),
    }


def abort_multipart_upload(call: Call) -> Output:
    """AbortMultipartUpload."""
    with call.storage.database.alone():
        call.uploads.end(find_upload(call))
    return {}


def list_parts(call: Call) -> Output:
    """ListParts."""
    upload, after = find_upload(call), call.number("PartNumberMarker") or 0
    size = _page_size(call, "MaxParts")
    parts = [part for part in call.uploads.parts(upload) if part.number > after]
    is_truncated = len(parts) > size
    parts = parts[:size]
    return {
        "Bucket": call.bucket,
        "Key": call.key,
        "UploadId": upload.id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": parts[-1].number if parts else after,
        "MaxParts": size,
        "IsTruncated": is_truncated,
        "Parts": [_part_record(part) for part in parts],
        "Initiator": call.account.owner,
        "Owner": call.account.owner,
        "StorageClass": upload.details.headers.get("StorageClass", "STANDARD"),
        **_checksum_of(upload),
    }


def list_multipart_uploads(call: Call) -> Output:
    """ListMultipartUploads."""
    if call.text("Delimiter"):
        raise not_implemented("ListMultipartUploads with a delimiter")
    call.storage.folder(call.bucket)
    size, prefix = _page_size(call, "MaxUploads"), call.text("Prefix") or ""
    key = call.text("KeyMarker") or ""
    # A key without an id stands for all its uploads: no id is greater than this one.
    name = call.text("UploadIdMarker") or ("g" if key else "")
    found = call.uploads.of_bucket(call.bucket, prefix=prefix, after=(key, name))
    page = found[:size]
    return {
        "Bucket": call.bucket,
        "Prefix": prefix,
        "KeyMarker": key,
        "UploadIdMarker": call.text("UploadIdMarker") or "",
        "NextKeyMarker": page[-1].key if page else "",
        "NextUploadIdMarker": page[-1].id if page else "",
        "MaxUploads": size,
        "IsTruncated": len(found) > size,
        "Uploads": [_upload_record(call, upload) for upload in page],
    }


def find_upload(call: Call) -> Upload:
    """The upload that a request names.

    Raises:
        AwsError: NoSuchBucket, NoSuchUpload.
    """
    call.storage.folder(call.bucket)
    return call.uploads.find(call.text("UploadId") or "", call.bucket, call.key)


def read_number(call: Call) -> int:
    """The number of a part.

    Raises:
        AwsError: InvalidArgument.
    """
    number = call.number("PartNumber") or 0
    if not 0 < number <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise invalid_argument(message, "partNumber", number)
    return number


def _algorithm(call: Call) -> tuple[str | None, bool]:
    """The algorithm of the checksum, and whether it is one of the parts' checksums."""
    given, kind = call.text("ChecksumAlgorithm"), call.text("ChecksumType")
    if given is None:
        return None, False
    algorithm = given.lower()
    if algorithm not in SIZES:
        raise not_implemented(f"the checksum {given}")
    is_composite = kind == "COMPOSITE" if kind else algorithm not in _ONLY_FULL
    if algorithm in (_ONLY_FULL if is_composite else _ONLY_COMPOSITE):
        message = f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        raise invalid_argument(message, "x-amz-checksum-type", kind)
    return algorithm, is_composite


def _claim(part: Mapping[str, JSON]) -> Claim:
    number, etag = part.get("PartNumber"), part.get("ETag")
    if not isinstance(number, int) or not isinstance(etag, str):
        raise malformed_xml("a part has no number or no ETag")
    return Claim(number=number, etag=etag, checksums=_checksums(part))


def _checksums(record: Mapping[str, JSON]) -> dict[str, str]:
    """Algorithm -> sum, of a structure that may have one of each."""
    found = {name: record.get(f"Checksum{name.upper()}") for name in SIZES}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _completed_before(call: Call) -> Stored:
    name = call.text("UploadId") or ""
    try:
        stored = call.storage.look(call.bucket, call.key)
    except AwsError:
        raise no_such_upload(name) from None
    if not name or stored.details.upload != name:
        raise no_such_upload(name)
    return stored


def _page_size(call: Call, name: str) -> int:
    given = call.number(name)
    if given is not None and given < 0:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name, given)
    return _MOST_LISTED if given is None else min(given, _MOST_LISTED)


def _sum_of(checksum: Checksum | None) -> dict[str, JSON]:
    return {f"Checksum{checksum.algorithm.upper()}": checksum.value} if checksum else {}


def _checksum_of(upload: Upload) -> dict[str, JSON]:
    if upload.algorithm is None:
        return {}
    kind = "COMPOSITE" if upload.is_composite else "FULL_OBJECT"
    return {"ChecksumAlgorithm": upload.algorithm.upper(), "ChecksumType": kind}


def _part_record(part: Part) -> JSON:
    return {
        "PartNumber": part.number,
        "LastModified": part.modified,
        "ETag": part.etag,
        "Size": part.size,
        **_sum_of(part.checksum),
    }


def _upload_record(call: Call, upload: Upload) -> JSON:
    return {
        "UploadId": upload.id,
        "Key": upload.key,
        "Initiated": upload.started,
        "StorageClass": upload.details.headers.get("StorageClass", "STANDARD"),
        "Owner": call.account.owner,
        "Initiator": call.account.owner,
        **_checksum_of(upload),
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreateMultipartUpload": create_multipart_upload,
    "CompleteMultipartUpload": complete_multipart_upload,
    "AbortMultipartUpload": abort_multipart_upload,
    "ListParts": list_parts,
    "ListMultipartUploads": list_multipart_uploads,
}
TRANSFERS: Mapping[str, Transfer] = {"UploadPart": upload_part}
