"""The pipelines and their profiles by name."""

import pytest

from tests.pipelines.definitions import BUCKET, REGION, ROLE, compiled
from workflows.pipelines import catalog
from workflows.pipelines.errors import UnknownPipeline, UnknownProfile

PROFILES = [
    (pipeline, profile) for pipeline in catalog.names() for profile in catalog.profile_names(pipeline)
]


def test_every_pipeline_has_one_line_of_description():
    assert set(catalog.descriptions()) == set(catalog.names()) >= {"birds-detection"}
    assert all(text and "\n" not in text for text in catalog.descriptions().values())


def test_every_pipeline_has_a_sample_and_values_for_it():
    assert {name: catalog.sample_of(name) for name in catalog.names()} == {
        "birds-detection": "birds",
        "birds-detection-retrain": "birds",
        "caltech-classification": "caltech",
        "caltech-classification-retrain": "caltech",
    }
    assert all("sample" in catalog.profile_names(name) for name in catalog.names())


def test_an_unknown_pipeline_is_answered_with_the_nearest():
    with pytest.raises(UnknownPipeline, match="did you mean 'birds-detection'"):
        catalog.compile_definition("bird-detection", region=REGION, role=ROLE, default_bucket=BUCKET)


def test_an_unknown_profile_is_answered_with_those_there_are():
    with pytest.raises(UnknownProfile, match="known: sample"):
        catalog.profile("nightly", "birds-detection")


@pytest.mark.parametrize(("pipeline", "profile"), PROFILES)
def test_a_profile_sets_parameters_that_exist_to_values_they_take(pipeline, profile):
    parameters = {parameter["Name"]: parameter for parameter in compiled(pipeline)["Parameters"]}
    casts = {"Integer": int, "Float": float, "String": str}
    for name, override in catalog.overrides(profile, pipeline).items():
        parameter = parameters[name]
        value = casts[parameter["Type"]](override.value)
        assert value != parameter["DefaultValue"], f"{name} sets the default"
        assert value in parameter.get("EnumValues", [value])
        assert len(override.reason) > 10


@pytest.mark.parametrize("parent", ["birds-detection", "caltech-classification"])
def test_a_retraining_differs_from_its_parent_in_no_value_of_the_sample(parent):
    retraining = catalog.profile("sample", f"{parent}-retrain")
    base = catalog.profile("sample", parent)
    shared = {entry["Name"] for entry in compiled(f"{parent}-retrain")["Parameters"]} & set(base)
    assert {name: retraining.get(name) for name in shared} == {name: base[name] for name in shared}
    assert set(retraining) - shared == {"AllowedDrop"}


def test_a_profile_is_the_overrides_without_reasons():
    overrides = catalog.overrides("sample", "birds-detection")
    assert catalog.profile("sample", "birds-detection") == {k: v.value for k, v in overrides.items()}
