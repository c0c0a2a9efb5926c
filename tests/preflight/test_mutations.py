"""Random fields of correct definitions get values that the API model forbids: all are found."""

import json
import re

import botocore.session
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preflight.definitions import CONFORMANCE, GOLDEN, changed, errors, parts
from workflows.definition.expressions import is_expression

OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
    "EndpointConfig": "CreateEndpointConfig",
    "Endpoint": "CreateEndpoint",
}
# Pipelines fills these in.
_FILLED_IN = re.compile(r"(JobName|ModelName|EndpointName|EndpointConfigName|RoleArn)$")
_ODD = "\u00e4 \n*"
_SAGEMAKER = botocore.session.Session().get_service_model("sagemaker")
_WRONG = {
    "string": (7, True, {"a": 1}),
    "integer": ("7", 1.5, True, None),
    "float": ("0.5", [0.5]),
    "boolean": ("true", 1),
    "structure": ("text", [1]),
    "map": ("text", [1]),
    "list": ("text", {"a": 1}),
}


def _steps(nodes, at):
    for index, step in enumerate(nodes):
        yield step, f"{at}/{index}"
        for side in ("IfSteps", "ElseSteps") if step["Type"] == "Condition" else ():
            yield from _steps(step["Arguments"].get(side, []), f"{at}/{index}/Arguments/{side}")


def _sites(value, shape, at, depth=0):
    """Every field below a value, with its shape."""
    yield at, value, shape, depth
    if is_expression(value):
        return
    if shape.type_name == "structure":
        children = [(key, entry, shape.members[key]) for key, entry in value.items()]
    elif shape.type_name == "map":
        children = [(key, entry, shape.value) for key, entry in value.items()]
    elif shape.type_name == "list":
        children = [(index, entry, shape.member) for index, entry in enumerate(value)]
    else:
        return
    for key, entry, inner in children:
        yield from _sites(entry, inner, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}", depth + 1)


def _forbidden(at, value, shape, depth):
    """Changes of one field: the place, its new value (none: it goes), and where an error is to stand."""
    # The request as a whole is the step's Arguments, which other rules look at.
    for wrong in _WRONG.get(shape.type_name, ()) if depth else ():
        yield (at, wrong), at
    if shape.type_name == "structure" and not is_expression(value):
        yield (f"{at}/NoSuchField", 1), f"{at}/NoSuchField"
        for member in sorted(set(shape.required_members) & set(value)):
            if depth or not _FILLED_IN.search(member):
                yield (f"{at}/{member}",), at
    for wrong in _forbidden_scalars(shape):
        yield (at, wrong), at


def _forbidden_scalars(shape):
    limits = shape.metadata
    if shape.type_name == "string" and shape.enum:
        yield "no-such-choice"
    elif shape.type_name == "string":
        if "max" in limits:
            yield "x" * (limits["max"] + 1)
        pattern = limits.get("pattern", r"\p")
        # Python has no classes such as \p{L}.
        if r"\p" not in pattern and not re.fullmatch(pattern, _ODD):
            yield _ODD
    elif shape.type_name in ("integer", "float"):
        yield from (limits[end] + step for end, step in (("min", -1), ("max", 1)) if end in limits)


def _all_changes(file):
    document = json.loads(file.read_text())
    for step, at in _steps(document["Steps"], "/Steps"):
        if step["Type"] in OPERATIONS:
            shape = _SAGEMAKER.operation_model(OPERATIONS[step["Type"]]).input_shape
            for site in _sites(step["Arguments"], shape, f"{at}/Arguments"):
                for change, expected in _forbidden(*site):
                    yield document, change, expected


CHANGES = [change for file in (*GOLDEN, *CONFORMANCE) for change in _all_changes(file)]


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(CHANGES))
def test_what_the_api_model_forbids_is_found_where_it_stands(change):
    document, (place, *value), expected = change
    assert parts(place)
    assert expected in [error.pointer for error in errors(changed(document, place, *value))]
