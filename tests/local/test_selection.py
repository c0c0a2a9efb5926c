import json

import pytest

from workflows.definition.errors import RefusedByPlan
from workflows.definition.loader import load
from workflows.local.selection import reused_steps

# A -> B -> C -> D, A -> E, and Z beside them.
CHAIN = {"A": [], "B": ["A"], "C": ["B"], "D": ["C"], "E": ["A"], "Z": []}


@pytest.fixture(scope="module")
def chain():
    steps = [
        {"Name": name, "Type": "Lambda", "Arguments": {}, "FunctionArn": "f", "DependsOn": needs}
        for name, needs in CHAIN.items()
    ]
    return load(json.dumps({"Version": "2020-12-01", "Steps": steps}))


@pytest.mark.parametrize(
    ("selected", "reused"),
    [
        pytest.param(["A"], set(), id="the-first"),
        pytest.param(["C"], {"B"}, id="one-in-the-middle"),
        pytest.param(["C", "D"], {"B"}, id="the-end"),
        pytest.param(["B", "C", "D"], {"A"}, id="several"),
    ],
)
def test_only_what_the_selected_steps_need_is_reused(chain, selected, reused):
    assert reused_steps(chain, selected, list(CHAIN)) == reused


@pytest.mark.parametrize(
    ("selected", "available", "reason"),
    [
        pytest.param(["B", "D"], list(CHAIN), "'C' lies between the selected 'B' and 'D'", id="a-gap"),
        pytest.param(["B", "Z"], list(CHAIN), "must hang together", id="two-islands"),
        pytest.param(["B"], [], "step 'A' is not selected and did not succeed", id="nothing-to-reuse"),
        pytest.param(["Bee"], list(CHAIN), "no step is named 'Bee'", id="unknown"),
        pytest.param([], list(CHAIN), "select 1 to 50 steps", id="none"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused(chain, selected, available, reason):
    with pytest.raises(RefusedByPlan, match=reason):
        reused_steps(chain, selected, available)
