import json

import pytest

from tests.preflight.definitions import changed, findings, golden
from workflows.definition.errors import WorkflowError
from workflows.preflight.sarif import sarif_of
from workflows.preflight.silences import apply_silences, check_silences

BROKEN = changed(
    changed(golden("birds-detection"), "TrainBase/Arguments/HyperParameters/base_network", "resnet-5"),
    "ScoreValidation/Arguments/BatchStrategy",
    "Single",
)
LEVELS = {"error", "warning", "note", "none"}


def test_a_silenced_finding_is_kept_apart_with_its_reason():
    heard = apply_silences(findings(BROKEN), {"not-a-choice": "we know"})
    assert [each.identifier for each in heard.findings] == ["wrong-hyperparameter", "parent-differs"]
    assert [(each.identifier, reason) for each, reason in heard.silenced] == [("not-a-choice", "we know")]
    assert heard.idle == ()


def test_a_silence_of_nothing_is_told():
    assert apply_silences(findings(BROKEN), {"no-image": "once"}).idle == ("no-image",)


def test_a_silence_without_reason_is_refused():
    with pytest.raises(WorkflowError, match="say why: no-image=REASON"):
        check_silences({"no-image": " "})


def test_a_silence_of_no_rule_is_refused_with_the_nearest_one():
    with pytest.raises(WorkflowError, match="did you mean 'no-image'"):
        check_silences({"no-images": "a reason"})


def test_sarif_has_what_its_schema_requires():
    heard = apply_silences(findings(BROKEN), {"not-a-choice": "we know"})
    log = sarif_of(heard, file="birds.json", text=json.dumps(BROKEN, indent=1), lines={})
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert len(set(identifiers)) == len(identifiers)
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in LEVELS
        assert identifiers[result["ruleIndex"]] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "birds.json"
        assert location["physicalLocation"]["region"]["startLine"] > 1
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("/Steps/")
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in LEVELS


def test_sarif_says_what_is_silenced_and_why():
    log = sarif_of(apply_silences(findings(BROKEN), {"not-a-choice": "we know"}), file="birds.json", lines={})
    suppressed = [result for result in log["runs"][0]["results"] if "suppressions" in result]
    assert [(each["ruleId"], each["suppressions"]) for each in suppressed] == [
        ("not-a-choice", [{"kind": "external", "justification": "we know"}])
    ]
