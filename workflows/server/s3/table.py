"""Which operations there are on this machine; of all others it says that they are not."""

from collections.abc import Mapping

from workflows.server.s3.call import Operation, Transfer
from workflows.server.s3.operations import (
    buckets,
    copies,
    deletions,
    downloads,
    lists,
    settings,
    tags,
    uploads,
    writes,
)

OPERATIONS: Mapping[str, Operation] = {
    **buckets.OPERATIONS,
    **copies.OPERATIONS,
    **deletions.OPERATIONS,
    **downloads.OPERATIONS,
    **lists.OPERATIONS,
    **settings.OPERATIONS,
    **tags.OPERATIONS,
    **uploads.OPERATIONS,
}
TRANSFERS: Mapping[str, Transfer] = {**downloads.TRANSFERS, **uploads.TRANSFERS, **writes.TRANSFERS}
