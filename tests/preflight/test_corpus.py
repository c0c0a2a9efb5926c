import pytest

from tests.preflight.corpus import CORPUS
from tests.preflight.definitions import found
from workflows.preflight.catalog import RULES

# The document as a whole, policies and limits that the user asks for: each is tested beside its own.
_ELSEWHERE = {
    "not-json",
    "too-deep",
    "definition-too-long",
    "definition-refused",
    "repeated-key",
    "many-steps",
    "too-many-parameters",
    "long-parameter-name",
    "nested-condition",
    "malformed-dependency",
    "undefined-metric",
    "no-kms-key",
    "cost-above-limit",
}


@pytest.mark.parametrize("planted", [pytest.param(each, id=each.name) for each in CORPUS])
def test_a_planted_mistake_is_found_where_it_is(planted):
    assert (planted.identifier, planted.pointer) in found(planted.document, planted.given)


def test_every_rule_has_a_planted_mistake():
    # What is found in data is tested with data.
    rules = {identifier for identifier in RULES if not identifier.startswith("data-")}
    assert {each.identifier for each in CORPUS} | _ELSEWHERE == rules
