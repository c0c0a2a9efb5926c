import json

import pytest

from tests.preflight.definitions import changed, errors, findings, found, golden, removed
from workflows.preflight.findings import Severity

BIRDS = golden("birds-detection")


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        pytest.param("{", "not-json", id="cut-off"),
        pytest.param('{"Steps": [NaN]}', "not-json", id="no-json-number"),
        pytest.param("[]", "not-json", id="no-object"),
        pytest.param("{}", "not-json", id="no-steps"),
        pytest.param('{"Steps": {}}', "not-json", id="steps-are-no-list"),
        pytest.param("[" * 100_000, "not-json", id="too-deep-to-parse-and-cut-off"),
        pytest.param('{"Steps": [' + '{"a": ' * 120 + "1" + "}" * 120 + "]}", "too-deep", id="too-deep"),
    ],
)
def test_what_is_no_definition_is_one_finding(text, identifier):
    (finding,) = errors(text)
    assert finding.identifier in (identifier, "too-deep")
    assert finding.pointer == ""


def test_ten_mistakes_of_different_kinds_are_reported_at_once():
    document = BIRDS
    for place, value in {
        "$Epochs/DefaultValue": "many",
        "PrepareData/RetryPolicies/0/MaxAttempts": 50,
        "PrepareData/PropertyFiles/0/OutputName": "reports",
        "TrainBase/Arguments/HyperParameters/base_network": "resnet-51",
        "TrainBase/Arguments/ResourceConfig/VolumeSize": 50,
        "TrainBase/Arguments/EnableManagedSpotTraining": True,
        "TrainIncremental/Arguments/InputDataConfig/2/ContentType": "text/csv",
        "ScoreValidation/Arguments/BatchStrategy": "Single",
        "CheckQuality/Arguments/Conditions/0/LeftValue": {"Get": "Steps.Trian.FinalMetricDataList"},
        "CheckQuality/Arguments/Conditions/1/Type": "AtLeast",
        "Evaluate/Type": "Procesing",
    }.items():
        document = changed(document, place, value)
    assert {
        "malformed-parameter",
        "malformed-retry",
        "malformed-property-file",
        "wrong-hyperparameter",
        "unknown-field",
        "spot-without-wait",
        "wrong-content-type",
        "not-a-choice",
        "unknown-step",
        "malformed-condition",
        "unknown-step-type",
    } <= {error.identifier for error in errors(document)}


def test_findings_come_in_the_order_of_the_document():
    document = changed(BIRDS, "ScoreValidation/Arguments/BatchStrategy", "Single")
    document = changed(document, "$Epochs/DefaultValue", "many")
    document = changed(document, "PrepareData/Arguments/StoppingCondition/MaxRuntimeInSeconds", 0)
    assert [error.identifier for error in errors(document)] == [
        "malformed-parameter",
        "out-of-range",
        "not-a-choice",
    ]


def test_a_finding_names_the_innermost_step():
    document = changed(BIRDS, "RegisterModel/Arguments/Task", 3)
    assert [error.step for error in errors(document)] == ["RegisterModel"]


def test_a_pointer_is_escaped():
    document = changed(BIRDS, "ScoreValidation/Arguments/Environment", {})
    document["Steps"][4]["Arguments"]["Environment"]["a/b~c"] = 1
    assert ("wrong-type", "/Steps/4/Arguments/Environment/a~1b~0c") in found(document)


def test_a_value_names_the_parameter_that_it_comes_from():
    (finding, _) = errors(BIRDS, {"BaseNetwork": "vgg-61"})
    assert "BaseNetwork" in finding.text


def test_given_values_count_instead_of_defaults():
    assert errors(changed(BIRDS, "$ImageShape/DefaultValue", 100), {"ImageShape": "512"}) == []


def test_a_parameter_without_value_is_checked_by_its_type():
    document = removed(BIRDS, "$TrainingInstanceType/DefaultValue")
    assert errors(document) == []
    document = changed(document, "$TrainingInstanceType/Type", "Integer")
    assert {error.identifier for error in errors(document)} == {"wrong-type"}


def test_types_and_fields_that_are_newer_than_this_check_do_not_stop_it():
    document = changed(
        BIRDS, "/Steps/-", {"Name": "New", "Type": "QuantumJob", "Arguments": {"A": [{"Get": 1}]}}
    )
    (finding,) = findings(document)
    assert (finding.identifier, finding.severity) == ("unknown-step-type", Severity.WARNING)


def test_a_key_that_stands_twice_is_told():
    text = json.dumps(BIRDS).replace('"Version":', '"Version": "2020-12-01", "Version":', 1)
    assert [(each.identifier, each.pointer) for each in findings(text)] == [("repeated-key", "/Version")]


def test_a_definition_that_only_s3_takes_is_told():
    text = json.dumps(BIRDS, indent=None) + " " * 1_048_576
    assert [each.identifier for each in findings(text)] == ["definition-too-long"]


def test_many_parameters_and_steps_are_told():
    several = [{"Name": f"P{number}", "Type": "String", "DefaultValue": "a"} for number in range(201)]
    steps = [
        {
            "Name": f"S{number}",
            "Type": "Fail",
            "Arguments": {"ErrorMessage": {"Get": f"Parameters.P{number}"}},
        }
        for number in range(51)
    ]
    identifiers = {each.identifier for each in findings({"Parameters": several, "Steps": steps})}
    assert {"too-many-parameters", "many-steps"} <= identifiers


def test_a_long_parameter_name_is_told():
    document = changed(BIRDS, "/Parameters/-", {"Name": "P" * 65, "Type": "String", "DefaultValue": "a"})
    assert "long-parameter-name" in [identifier for identifier, _ in found(document)]


def test_a_condition_in_a_branch_is_refused():
    inner = {"Name": "Inner", "Type": "Condition", "Arguments": {"Conditions": []}}
    document = changed(BIRDS, "CheckQuality/Arguments/IfSteps/-", inner)
    assert [error.identifier for error in errors(document)] == ["nested-condition"]


@pytest.mark.parametrize(
    ("value", "at"),
    [
        pytest.param({"Step": "CheckQuality", "Trigger": "Never"}, "/0", id="unknown-trigger"),
        pytest.param(7, "/0", id="number"),
    ],
)
def test_a_malformed_dependency_is_refused(value, at):
    document = changed(BIRDS, "CheckApproval/DependsOn/0", value)
    assert ("malformed-dependency", f"/Steps/7/DependsOn{at}") in found(document)
