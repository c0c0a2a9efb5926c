"""What SageMaker would not accept of a transform job, and what does not run on this machine.

Sources: CreateTransformJob in the API reference; SageMaker Developer Guide, "Associate Prediction Results
with Input Records" and "Use Batch Transform".
"""

from collections.abc import Iterator, Mapping

from workflows.definition.model import JSON
from workflows.local import constraints
from workflows.local.request import Request
from workflows.local.transform.association import CSV, FORMATS
from workflows.local.transform.jsonpath import JsonPath, PathError, parse
from workflows.local.transform.options import (
    FILTERS,
    LARGEST_PAYLOAD_MB,
    MOST_CONCURRENT,
    MOST_RETRIES,
    PAYLOAD_MB,
    STRATEGIES,
    accept,
    content_type,
    is_processed,
)
from workflows.local.transform.splitting import SPLITTERS

_MODEL_NAME = r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"
_LONGEST_NAME = 63
_LONGEST_TIMEOUT_S = 3600
_MOST_VARIABLES = 16
_DATA_TYPE = "TransformInput.DataSource.S3DataSource.S3DataType"


def refusals(arguments: Mapping[str, JSON], _fields: Mapping[str, JSON], where: str) -> Iterator[str]:
    """What SageMaker would not accept of a transform job, or what does not run here, as far as known."""
    request = Request(arguments, f"{where} Arguments")
    yield from _missing(request)
    yield from constraints.name(request, "ModelName", _MODEL_NAME, longest=_LONGEST_NAME)
    yield from constraints.one_of(request, "BatchStrategy", tuple(STRATEGIES.values()))
    yield from constraints.one_of(request, "TransformInput.SplitType", tuple(SPLITTERS))
    yield from constraints.one_of(request, "TransformInput.CompressionType", ("None", "Gzip"))
    yield from constraints.one_of(request, "TransformOutput.AssembleWith", ("None", "Line"))
    yield from constraints.one_of(request, _DATA_TYPE, ("S3Prefix", "ManifestFile"))
    yield from _sizes(request)
    yield from constraints.at_most(request, "Environment", _MOST_VARIABLES)
    yield from _data_processing(request)


def _missing(request: Request) -> Iterator[str]:
    for path in (
        "ModelName",
        "TransformInput.DataSource.S3DataSource.S3Uri",
        "TransformOutput.S3OutputPath",
        "TransformResources.InstanceCount",
        "TransformResources.InstanceType",
    ):
        if constraints.is_missing(request, path):
            yield f"{request.where}.{path}: is missing"


def _sizes(request: Request) -> Iterator[str]:
    if constraints.known(request, "MaxPayloadInMB") == 0:
        yield (
            f"{request.where}.MaxPayloadInMB: 0 asks for requests in chunks of HTTP, which are not made on "
            "this machine, and which built-in algorithms do not take; set a size"
        )
    else:
        yield from constraints.whole_number(request, "MaxPayloadInMB", 1, LARGEST_PAYLOAD_MB)
    yield from constraints.whole_number(request, "MaxConcurrentTransforms", 0, MOST_CONCURRENT)
    yield from constraints.whole_number(request, "TransformResources.InstanceCount", 1)
    yield from constraints.whole_number(
        request, "ModelClientConfig.InvocationsTimeoutInSeconds", 1, _LONGEST_TIMEOUT_S
    )
    yield from constraints.whole_number(request, "ModelClientConfig.InvocationsMaxRetries", 0, MOST_RETRIES)
    yield from _product(request)


def _product(request: Request) -> Iterator[str]:
    concurrency = constraints.known(request, "MaxConcurrentTransforms")
    payload_mb = constraints.known(request, "MaxPayloadInMB")
    if payload_mb is None and request.find("MaxPayloadInMB") is None:
        payload_mb = PAYLOAD_MB
    if isinstance(concurrency, int) and isinstance(payload_mb, int):
        product = concurrency * payload_mb
        if product > LARGEST_PAYLOAD_MB:
            yield (
                f"{request.where}: MaxConcurrentTransforms {concurrency} times MaxPayloadInMB {payload_mb} "
                f"is {product}; at most {LARGEST_PAYLOAD_MB} MB are allowed at once"
            )


def _data_processing(request: Request) -> Iterator[str]:
    yield from constraints.one_of(request, "DataProcessing.JoinSource", ("None", "Input"))
    for field in FILTERS:
        text = constraints.known(request, f"DataProcessing.{field}")
        if isinstance(text, str):
            try:
                yield from _csv_filter(parse(text), field, request)
            except PathError as error:
                yield f"{request.where}.DataProcessing.{field}: {error}"
    if is_processed(request):
        yield from _formats(request)


def _csv_filter(path: JsonPath, field: str, request: Request) -> Iterator[str]:
    content = content_type(request) if field == "InputFilter" else accept(request)
    if content == CSV and not path.fits_csv:
        yield (
            f"{request.where}.DataProcessing.{field}: '{path.text}': a row of CSV is a list, so that only "
            "indexes and ranges, such as $[0] or $[1:], can be applied"
        )


def _formats(request: Request) -> Iterator[str]:
    content, answers = content_type(request), accept(request)
    if constraints.is_missing(request, "TransformInput.ContentType"):
        yield f"{request.where}.TransformInput.ContentType: is missing; DataProcessing needs it"
    for field, kind in (("TransformInput.ContentType", content), ("TransformOutput.Accept", answers)):
        if kind is not None and kind not in FORMATS:
            yield (
                f"{request.where}.{field}: with DataProcessing it must be {' or '.join(FORMATS)}, is '{kind}'"
            )
    joins = constraints.known(request, "DataProcessing.JoinSource") == "Input"
    if joins and content and answers and (content == CSV) != (answers == CSV):
        yield f"{request.where}.DataProcessing.JoinSource: {content} and {answers} cannot be joined"
    yield from _delimiters(request, content, answers)


def _delimiters(request: Request, content: str | None, answers: str | None) -> Iterator[str]:
    split = _choice(request, "TransformInput.SplitType")
    assemble = _choice(request, "TransformOutput.AssembleWith")
    if split not in ("None", "Line", None):
        yield f"{request.where}.DataProcessing: records of {split} cannot be filtered or joined; use Line"
    elif CSV in (content, answers) and split == "None":
        yield f"{request.where}.TransformInput.SplitType: with DataProcessing of {CSV} it must be Line"
    elif answers == CSV and assemble == "None":
        yield f"{request.where}.TransformOutput.AssembleWith: with DataProcessing of {CSV} it must be Line"


def _choice(request: Request, path: str) -> JSON:
    """A value, "None" where it is missing, and None where an expression decides it."""
    return "None" if constraints.is_missing(request, path) else constraints.known(request, path)
