"""Tokens of pages that nobody was given."""

import base64

import pytest

from tests.server.fuzz.asking import check_json

FORGED = {
    "a place before the first": b"-1",
    "a far place before the first": b"-99999999999999999999",
    "no number": b"one",
    "5000 digits": b"9" * 5000,
    "a key and no number": b'["a", null]',
    "a key and a number below 0": b'["a", -1]',
    "a key and a number that no database has": b'["a", 9223372036854775808]',
    "a number and a key": b'[1, "a"]',
    "half a pair": b'["\\ud800", 1]',
    "deep": b"[" * 5000,
    "no text": b"\xff\xfe",
}
LISTS = (
    "SageMaker.ListEndpoints",
    "SageMaker.ListModelPackageGroups",
    "SageMaker.ListModels",
    "SageMaker.ListPipelines",
    "SageMaker.ListTrainingJobs",
    "AWSEvents.ListRules",
)


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(target, operation, content):
    answer = target.call(operation, {"NextToken": base64.urlsafe_b64encode(content).decode()})
    check_json(answer)
    assert answer.status == 400
    assert answer.code == "ValidationException"
