"""How a transform job splits, sends and assembles: its request, its container's wishes, the defaults.

Sources: CreateTransformJob in the API reference; SageMaker Developer Guide, "Use Your Own Inference Code with
Batch Transform".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local import constraints
from workflows.local.request import Request
from workflows.local.transform.association import (
    CSV,
    FORMATS,
    JSON_LINES,
    Association,
    media_type,
)
from workflows.local.transform.jsonpath import ROOT, JsonPath, parse

MIB = 1024 * 1024
STRATEGIES: Mapping[str, str] = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
PAYLOAD_MB, LARGEST_PAYLOAD_MB = 6, 100
MOST_CONCURRENT = 100  # of 1 MB each
_TIMEOUT_S = 600
MOST_RETRIES = 3
FILTERS = ("InputFilter", "OutputFilter")


class OptionError(WorkflowError):
    """The container wishes for what no transform job can do."""


@dataclass(frozen=True, kw_only=True)
class TransformOptions:
    """One transform job, decided."""

    split: str  # a key of SPLITTERS
    compressed: bool
    single: bool  # SingleRecord
    line_after_answer: bool  # AssembleWith Line
    concurrency: int
    payload_mb: int
    timeout_s: int
    retries: int
    headers: Mapping[str, str]
    association: Association | None

    @property
    def limit(self) -> int:
        """The most bytes that a request may have."""
        return self.payload_mb * MIB

    def __str__(self) -> str:
        """As the service writes it into the job's log."""
        strategy = "SINGLE_RECORD" if self.single else "MULTI_RECORD"
        return (
            f"MaxConcurrentTransforms={self.concurrency}, MaxPayloadInMB={self.payload_mb}, "
            f"BatchStrategy={strategy}"
        )


def environment(request: Request) -> dict[str, str]:
    """What the container is told; the last three only where the request says so."""
    found = {"SAGEMAKER_BATCH": "true"}
    if payload_mb := request.number("MaxPayloadInMB", 0):
        found["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(payload_mb)
    if concurrency := request.number("MaxConcurrentTransforms", 0):
        found["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(concurrency)
    for variable, strategy in STRATEGIES.items():
        if request.find("BatchStrategy") == strategy:
            found["SAGEMAKER_BATCH_STRATEGY"] = variable
    return found


def read_options(request: Request, wishes: Mapping[str, JSON]) -> TransformOptions:
    """Decide: the request's value, the container's, the default.

    Args:
        request: of CreateTransformJob; `refusals` has nothing against it.
        wishes: what the container answers to GET /execution-parameters.

    Raises:
        OptionError: a wish cannot be fulfilled.
        RequestError: a field is of a wrong type.
    """
    return TransformOptions(
        split=request.text("TransformInput.SplitType", "None"),
        compressed=request.text("TransformInput.CompressionType", "None") == "Gzip",
        single=request.text("BatchStrategy", _wished_strategy(wishes)) == "SingleRecord",
        line_after_answer=request.text("TransformOutput.AssembleWith", "None") == "Line",
        concurrency=request.number("MaxConcurrentTransforms", 0)
        or _wished_number(wishes, "MaxConcurrentTransforms", 1, MOST_CONCURRENT),
        payload_mb=request.number("MaxPayloadInMB", 0)
        or _wished_number(wishes, "MaxPayloadInMB", PAYLOAD_MB, LARGEST_PAYLOAD_MB),
        timeout_s=request.number("ModelClientConfig.InvocationsTimeoutInSeconds", _TIMEOUT_S),
        retries=request.number("ModelClientConfig.InvocationsMaxRetries", MOST_RETRIES),
        headers=_headers(request),
        association=_association(request),
    )


def content_type(request: Request) -> str | None:
    """The format of records, as far as it is known."""
    value = constraints.known(request, "TransformInput.ContentType")
    return media_type(value) if isinstance(value, str) else None


def accept(request: Request) -> str | None:
    """The format of answers, as far as it is known; where the request does not say, that of the records."""
    value = constraints.known(request, "TransformOutput.Accept")
    return media_type(value) if isinstance(value, str) else content_type(request)


def is_processed(request: Request) -> bool:
    """Whether anything is filtered or joined."""
    filters = [constraints.known(request, f"DataProcessing.{field}") for field in FILTERS]
    joins = constraints.known(request, "DataProcessing.JoinSource") == "Input"
    return joins or any(text not in (None, "$") for text in filters)


def _headers(request: Request) -> dict[str, str]:
    headers = {"Content-Type": request.text("TransformInput.ContentType", "application/octet-stream")}
    if accept := request.text("TransformOutput.Accept", ""):
        headers["Accept"] = accept
    return headers


def _association(request: Request) -> Association | None:
    if not is_processed(request):
        return None
    content = str(content_type(request))
    return Association(
        input_format=FORMATS[content],
        output_format=FORMATS[str(accept(request))],
        by_line=request.text("TransformInput.SplitType", "None") == "Line" or content in (CSV, JSON_LINES),
        input_filter=_filter(request, "InputFilter"),
        output_filter=_filter(request, "OutputFilter"),
        joins=request.text("DataProcessing.JoinSource", "None") == "Input",
    )


def _filter(request: Request, field: str) -> JsonPath:
    text = request.text(f"DataProcessing.{field}", "$")
    return ROOT if text == "$" else parse(text)


def _wished_strategy(wishes: Mapping[str, JSON]) -> str:
    wish = wishes.get("BatchStrategy", "MULTI_RECORD")
    if not isinstance(wish, str) or wish not in STRATEGIES:
        raise OptionError(
            f"the container's /execution-parameters name BatchStrategy {wish!r}; "
            f"it must be {' or '.join(STRATEGIES)}"
        )
    return STRATEGIES[wish]


def _wished_number(wishes: Mapping[str, JSON], name: str, default: int, highest: int) -> int:
    wish = wishes.get(name, default)
    if not isinstance(wish, int) or isinstance(wish, bool) or not 1 <= wish <= highest:
        raise OptionError(
            f"the container's /execution-parameters name {name} {wish!r}; on this machine it must be a whole "
            f"number from 1 to {highest}"
        )
    return wish
