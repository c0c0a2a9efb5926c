"""Search: resources of one kind, by conditions on their fields and tags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.local.records import (
    ENDPOINT,
    EXECUTION,
    HYPER_PARAMETER_TUNING_JOB,
    MODEL_PACKAGE,
    MODEL_PACKAGE_GROUP,
    PIPELINE,
    TRAINING_JOB,
)
from workflows.server.errors import validation
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine
from workflows.server.paging import page
from workflows.server.sagemaker.tags import all_tags
from workflows.server.shapes import Input, Output

_METRICS = "Metrics."
_DEFAULT_SORT = "LastModifiedTime"


@dataclass(frozen=True, kw_only=True)
class _Searched:
    """A kind of resource that can be searched."""

    kind: str  # of the records
    arn: str  # field


# Resource of the request, which is the member of each result, too.
_RESOURCES: Mapping[str, _Searched] = {
    "TrainingJob": _Searched(kind=TRAINING_JOB, arn="TrainingJobArn"),
    "HyperParameterTuningJob": _Searched(kind=HYPER_PARAMETER_TUNING_JOB, arn="HyperParameterTuningJobArn"),
    "Endpoint": _Searched(kind=ENDPOINT, arn="EndpointArn"),
    "ModelPackage": _Searched(kind=MODEL_PACKAGE, arn="ModelPackageArn"),
    "ModelPackageGroup": _Searched(kind=MODEL_PACKAGE_GROUP, arn="ModelPackageGroupArn"),
    "Pipeline": _Searched(kind=PIPELINE, arn="PipelineArn"),
    "PipelineExecution": _Searched(kind=EXECUTION, arn="PipelineExecutionArn"),
}


def search(machine: Machine, given: Input) -> Output:
    """Search."""
    resource = str(given["Resource"])
    searched = _RESOURCES.get(resource)
    if searched is None:
        known = ", ".join(_RESOURCES)
        raise validation(f"Search: {resource} is not available on this machine; it can search {known}")
    expression = given.get("SearchExpression")
    wanted = _condition(expression) if isinstance(expression, dict) else _everything
    tags = all_tags(machine.store)
    records: list[Record] = [
        {**record, "Tags": list[JSON](tags(str(record[searched.arn]), record))}
        for record in machine.store.all(searched.kind)
    ]
    # Nothing is shared by other accounts.
    is_own = given.get("CrossAccountFilterOption") != "CrossAccount"
    found = [record for record in records if is_own and wanted(record)]
    sort_by = str(given.get("SortBy", _DEFAULT_SORT))
    found.sort(key=lambda record: _sort_key(_value(record, sort_by)))
    if given.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    listed, token = page(found, given)
    results: list[JSON] = [{resource: record} for record in listed]
    return {"Results": results, "NextToken": token, "TotalHits": {"Value": len(found), "Relation": "EqualTo"}}


OPERATIONS: Mapping[str, Operation] = {"Search": search}

Condition = Callable[[Record], bool]


def _everything(_record: Record) -> bool:
    return True


def _condition(expression: Record) -> Condition:
    """A SearchExpression as a function of a resource."""
    if expression.get("NestedFilters"):
        raise validation("Search: NestedFilters are not available on this machine; use Filters")
    parts = [_filter(entry) for entry in objects_of(expression.get("Filters"))]
    parts += [_condition(entry) for entry in objects_of(expression.get("SubExpressions"))]
    together = any if expression.get("Operator") == "Or" else all
    return lambda record: not parts or together(part(record) for part in parts)


def _filter(entry: Record) -> Condition:
    name, operator, wanted = str(entry["Name"]), str(entry.get("Operator", "Equals")), entry.get("Value")
    if operator in ("Exists", "NotExists"):
        return lambda record: (_value(record, name) is not None) is (operator == "Exists")
    if wanted is None:
        raise validation(f"Search: the filter on {name} needs a Value")
    if operator not in _COMPARISONS:
        raise validation(f"Search: operator {operator} is not available on this machine")
    compare, text = _COMPARISONS[operator], str(wanted)

    def holds(record: Record) -> bool:
        value = _value(record, name)
        return operator == "NotEquals" if value is None else compare(value, text)

    return holds


def _equal(value: JSON, wanted: str) -> bool:
    return _text(value) == wanted


def _contains(value: JSON, wanted: str) -> bool:
    return wanted.lower() in _text(value).lower()


def _in(value: JSON, wanted: str) -> bool:
    return _text(value) in wanted.split(",")


def _order(value: JSON, wanted: str) -> int:
    """Below, at or above 0: as numbers where both are, as texts (so times are compared) otherwise."""
    try:
        left, right = float(_text(value)), float(wanted)
    except ValueError:
        return (_text(value) > wanted) - (_text(value) < wanted)
    return (left > right) - (left < right)


_COMPARISONS: Mapping[str, Callable[[JSON, str], bool]] = {
    "Equals": _equal,
    "NotEquals": lambda value, wanted: not _equal(value, wanted),
    "Contains": _contains,
    "In": _in,
    "GreaterThan": lambda value, wanted: _order(value, wanted) > 0,
    "GreaterThanOrEqualTo": lambda value, wanted: _order(value, wanted) >= 0,
    "LessThan": lambda value, wanted: _order(value, wanted) < 0,
    "LessThanOrEqualTo": lambda value, wanted: _order(value, wanted) <= 0,
}


def _value(record: Record, name: str) -> JSON:
    """The value of a property: Field, Field.Member…, Tags.KEY, HyperParameters.NAME or Metrics.NAME."""
    head, _, rest = name.partition(".")
    if head == "Tags" and rest:
        return _named(record.get("Tags"), "Key", rest)
    if name.startswith(_METRICS):
        return _named(record.get("FinalMetricDataList"), "MetricName", rest)
    value: JSON = record.get(head)
    while rest and isinstance(value, dict):
        # A hyperparameter's name may have a dot in it.
        if rest in value:
            return value[rest]
        head, _, rest = rest.partition(".")
        value = value.get(head)
    return None if rest else value


def _named(entries: JSON, key: str, name: str) -> JSON:
    return next((entry.get("Value") for entry in objects_of(entries) if entry.get(key) == name), None)


def _text(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sort_key(value: JSON) -> tuple[bool, float, str]:
    """Resources without the property come first; numbers are compared as such."""
    if isinstance(value, (int, float)):
        return True, float(value), ""
    return value is not None, 0.0, "" if value is None else _text(value)
