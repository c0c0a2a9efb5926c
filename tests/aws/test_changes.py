"""What an upsert would change, on the compiled pipelines as the golden files hold them."""

import copy
import json
from pathlib import Path

import pytest

from workflows.aws.changes import changes
from workflows.aws.executions import definition_steps
from workflows.aws.pipelines import Wanted

GOLDEN = Path(__file__).parents[1] / "golden"
ROLE = "arn:aws:iam::123456789012:role/vision"
BIRDS = json.loads((GOLDEN / "birds-detection.json").read_text())


def step(document, name):
    return next(found for found in definition_steps(document) if found["Name"] == name)


def nothing(document):
    """Change nothing."""


def plan(change, *, before=BIRDS, role=ROLE, description=None):
    """The changes that a function makes to the document."""
    after = copy.deepcopy(before)
    change(after)
    there = {
        "PipelineDefinition": json.dumps(before),
        "RoleArn": ROLE,
        "PipelineDescription": "Finds birds.",
        "LastModifiedTime": "2026-11-01T00:00:00.000Z",
    }
    wanted = Wanted(name="birds", definition=json.dumps(after), role=role, description=description)
    return changes(there, wanted)


def fields(found):
    return {entry.step: [change.field for change in entry.fields] for entry in found.steps}


def lost(found):
    return {entry.step: entry.cache_lost_by for entry in found.steps if entry.cache_lost_by}


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_nothing_changes_where_nothing_was_changed(name):
    found = plan(nothing, before=json.loads((GOLDEN / f"{name}.json").read_text()))
    assert (found.action, found.steps, found.downstream) == ("unchanged", (), ())


def test_another_processing_image_runs_preparation_and_all_that_reads_from_it_again():
    def change(document):
        step(document, "PrepareData")["Arguments"]["AppSpecification"]["ImageUri"] = "other:2"

    found = plan(change)
    assert fields(found) == {"PrepareData": ["Arguments.AppSpecification.ImageUri"]}
    (changed,) = found.steps[0].fields
    assert changed.after == "other:2"
    assert lost(found) == {"PrepareData": ("AppSpecification.ImageUri",)}
    assert found.downstream == ("TrainBase", "TrainIncremental", "ScoreValidation", "Evaluate")


def test_the_last_cached_step_takes_no_other_along():
    def change(document):
        step(document, "Evaluate")["Arguments"]["AppSpecification"]["ImageUri"] = "other:2"

    found = plan(change)
    assert lost(found) == {"Evaluate": ("AppSpecification.ImageUri",)}
    assert found.downstream == ()


def test_a_hyperparameter_is_named_where_it_is_given():
    def change(document):
        step(document, "TrainIncremental")["Arguments"]["HyperParameters"]["momentum"] = "0.5"

    found = plan(change)
    assert lost(found) == {"TrainIncremental": ("HyperParameters.momentum",)}
    assert found.downstream == ("ScoreValidation", "Evaluate")


def test_the_default_of_a_parameter_runs_the_steps_again_whose_keys_it_is_in():
    def change(document):
        for parameter in document["Parameters"]:
            if parameter["Name"] == "Epochs":
                parameter["DefaultValue"] = 50

    found = plan(change)
    (changed,) = found.parameters
    assert (changed.field, changed.before, changed.after) == ("Epochs.DefaultValue", 100, 50)
    assert fields(found) == {"TrainBase": []}
    assert lost(found) == {"TrainBase": ("HyperParameters.epochs",)}
    assert found.downstream == ("TrainIncremental", "ScoreValidation", "Evaluate")


def test_the_default_of_an_instance_type_loses_no_cache():
    def change(document):
        for parameter in document["Parameters"]:
            if parameter["Name"] == "TrainingInstanceType":
                parameter["DefaultValue"] = "ml.p3.2xlarge"

    found = plan(change)
    assert [changed.field for changed in found.parameters] == ["TrainingInstanceType.DefaultValue"]
    assert (found.steps, found.downstream) == ((), ())


def test_where_results_are_written_is_no_part_of_the_key():
    def change(document):
        step(document, "TrainBase")["Arguments"]["OutputDataConfig"]["S3OutputPath"] = "s3://elsewhere"

    found = plan(change)
    assert list(fields(found)) == ["TrainBase"]
    assert (lost(found), found.downstream) == ({}, ())


def test_a_step_is_added():
    def change(document):
        added = copy.deepcopy(step(document, "PrepareData"))
        document["Steps"].append({**added, "Name": "PrepareAgain"})

    found = plan(change)
    assert [(entry.step, entry.kind) for entry in found.steps] == [("PrepareAgain", "added")]


def test_a_step_is_removed():
    def change(document):
        document["Steps"] = [entry for entry in document["Steps"] if entry["Name"] != "CheckApproval"]

    found = plan(change)
    assert {entry.step: entry.kind for entry in found.steps} == {
        "CheckApproval": "removed",
        "CreateEndpointConfig": "removed",
        "CreateEndpoint": "removed",
    }
    assert found.downstream == ()


def test_a_cache_that_is_switched_on_has_nothing_in_it_yet():
    before = copy.deepcopy(BIRDS)
    del step(before, "Evaluate")["CacheConfig"]

    def change(document):
        step(document, "Evaluate")["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}

    found = plan(change, before=before)
    assert fields(found) == {"Evaluate": ["CacheConfig"]}
    assert lost(found) == {"Evaluate": ("CacheConfig",)}


def test_another_order_of_steps_is_an_update_that_changes_nothing():
    found = plan(lambda document: document["Steps"].reverse())
    assert found.action == "updated"
    assert (found.steps, found.parameters, found.other, found.downstream) == ((), (), (), ())


def test_a_step_that_moves_to_the_other_branch_is_a_change_of_its_condition():
    def change(document):
        condition = step(document, "CheckApproval")["Arguments"]
        condition["IfSteps"], condition["ElseSteps"] = condition["ElseSteps"], condition["IfSteps"]

    assert fields(plan(change)) == {
        "CheckApproval": ["Arguments.ElseSteps", "Arguments.IfSteps"],
    }


@pytest.mark.parametrize(
    ("member", "value"),
    [
        pytest.param(
            "RetryPolicies", [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 9}], id="retries"
        ),
        pytest.param("DisplayName", "Train", id="display-name"),
        pytest.param("Description", "The first run.", id="description"),
        pytest.param("DependsOn", ["PrepareData"], id="order"),
    ],
)
def test_no_member_of_a_step_changes_unseen(member, value):
    def change(document):
        step(document, "TrainBase")[member] = value

    found = plan(change)
    assert list(fields(found)) == ["TrainBase"]
    assert all(field.startswith(member) for field in fields(found)["TrainBase"])
    assert lost(found) == {}


def test_a_shorter_life_in_the_cache_is_shown():
    def change(document):
        step(document, "TrainBase")["CacheConfig"]["ExpireAfter"] = "P1D"

    assert fields(plan(change)) == {"TrainBase": ["CacheConfig.ExpireAfter"]}


def test_role_and_description_are_settings_of_the_pipeline():
    found = plan(nothing, role="arn:aws:iam::1:role/other", description="Finds owls.")
    assert [(change.field, change.before) for change in found.settings] == [
        ("RoleArn", ROLE),
        ("PipelineDescription", "Finds birds."),
    ]
    assert found.steps == ()


def test_a_new_pipeline_is_all_new():
    found = changes(None, Wanted(name="birds", definition=json.dumps(BIRDS), role=ROLE))
    assert found.action == "created"
    assert {entry.kind for entry in found.steps} == {"added"}
    assert len(found.steps) == len(list(definition_steps(BIRDS)))


def test_a_plan_knows_for_which_definition_it_was_made():
    one, other = plan(nothing), plan(lambda document: document["Steps"].pop())
    assert one.digest == plan(nothing).digest != other.digest
    assert one.record()["Digest"] == one.digest
