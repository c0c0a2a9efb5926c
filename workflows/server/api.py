"""The part of SageMaker's API that functions inside pipelines need: finding model versions.

JSON 1.1, dispatched by X-Amz-Target, over the records of this machine, which have the API's shapes already.
"""

import json
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workflows.local.records import MODEL_PACKAGE, Record
from workflows.local.store import Store

_TARGET = "x-amz-target"
_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)
_DEFAULT_PAGE = 10

Input = Mapping[str, object]


class ApiError(Exception):
    """An error that the API answers with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def api_app(store: Store) -> Starlette:
    """An application with nothing but these operations."""
    return Starlette(routes=[api_route(store)])


def api_route(store: Store) -> Route:
    """POST / for the operations that exist here."""
    operations: Mapping[str, Callable[[Store, Input], object]] = {
        "SageMaker.ListModelPackages": list_model_packages,
        "SageMaker.DescribeModelPackage": describe_model_package,
    }

    async def call(request: Request) -> Response:
        target = request.headers.get(_TARGET, "")
        try:
            if target not in operations:
                raise ApiError("UnknownOperationException", f"{target or 'no operation'} does not exist here")
            body = json.loads(await request.body() or b"{}")
            return _json(await run_in_threadpool(operations[target], store, body), 200)
        except ValueError:
            return _error(ApiError("SerializationException", "the body is not JSON"))
        except ApiError as error:
            return _error(error)

    return Route("/", call, methods=["POST"])


def list_model_packages(store: Store, given: Input) -> object:
    """ListModelPackages: by group, approval status and order, in pages."""
    group = given.get("ModelPackageGroupName")
    packages = store.all(MODEL_PACKAGE, parent=str(group) if group else None)
    status = given.get("ModelApprovalStatus")
    if status:
        packages = [package for package in packages if package["ModelApprovalStatus"] == status]
    # Kept in the order of their creation.
    if given.get("SortOrder", "Descending") == "Descending":
        packages.reverse()
    start, size = _number(given, "NextToken", 0), _number(given, "MaxResults", _DEFAULT_PAGE)
    page = packages[start : start + size]
    answer: dict[str, object] = {"ModelPackageSummaryList": [_summary(package) for package in page]}
    if start + size < len(packages):
        answer["NextToken"] = str(start + size)
    return answer


def describe_model_package(store: Store, given: Input) -> object:
    """DescribeModelPackage by ARN or GROUP/VERSION."""
    name = str(given.get("ModelPackageName", ""))
    record = store.find(MODEL_PACKAGE, name.rpartition(":model-package/")[2])
    if record is None:
        raise ApiError("ValidationException", f"ModelPackage {name} does not exist.")
    return record


def _summary(package: Record) -> Record:
    return {key: package[key] for key in _SUMMARY if key in package}


def _number(given: Input, key: str, default: int) -> int:
    value = given.get(key, default)
    if not isinstance(value, (int, str)) or not str(value).isdigit():
        raise ApiError("ValidationException", f"{key} is not a number: {value!r}")
    return int(value)


def _json(document: object, status: int, **headers: str) -> Response:
    return Response(json.dumps(document), status, headers=headers, media_type="application/x-amz-json-1.1")


def _error(error: ApiError) -> Response:
    return _json({"__type": error.code, "message": error.message}, 400, **{"x-amzn-errortype": error.code})
