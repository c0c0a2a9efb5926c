"""Whatever stands wherever: a check goes on, and is never more lenient than the loader."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preflight.definitions import CONFORMANCE, GOLDEN, changed, errors
from workflows.definition.errors import DefinitionError
from workflows.definition.loader import load

VALUES = [
    *(None, True, 0, -1, 10**400, 1.5, 1e999, "", "text", "Condition", "Tuning", "Lambda"),
    *([], {}, [7], ["a", "a"], [{"Name": "a"}, {"Name": "a"}], {"a": {"b": [None]}}),
    *({"Get": path} for path in (None, "Parameters.Epochs", "Steps.TrainBase", "Steps.A.B[0]['c']")),
    {"Get": "Steps.PrepareData.ProcessingOutputConfig.Outputs"},
    *({"Std:Join": body} for body in ({}, {"On": 1, "Values": []}, {"On": "", "Values": [[]]})),
    *({"Std:JsonGet": body} for body in ({}, {"S3Uri": {"Std:Join": {"Values": ["s3://a"]}}, "Path": "a"})),
    {"Std:Unknown": 1},
]


def _places(node, at=""):
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        place = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
        yield place
        yield from _places(value, place)


DOCUMENTS = [json.loads(file.read_text()) for file in (*GOLDEN, *CONFORMANCE)]
PLACES = [(document, place) for document in DOCUMENTS for place in _places(document)]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(PLACES), st.sampled_from(VALUES))
def test_what_the_loader_refuses_is_an_error_at_its_place(chosen, value):
    document = changed(*chosen, value)
    found = errors(document, {"Epochs": "7"})
    try:
        load(json.dumps(document), from_s3=True)
    except DefinitionError:
        # A rule has seen it: the loader's own words are the last resort.
        assert "definition-refused" not in [error.identifier for error in found]
        assert [
            error for error in found if error.refused_here and error.identifier != "wrong-parameter-value"
        ]
