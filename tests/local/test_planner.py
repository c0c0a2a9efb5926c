import pytest

from tests.toys import REGISTRY, definition, get, processing, training
from workflows.definition.errors import RefusedByPlan
from workflows.definition.loader import load
from workflows.local.images import ImageTable, repository_of
from workflows.local.planner import plan
from workflows.local.runners.table import RUNNERS


def planned(text, images, **parameters):
    return plan(load(text), parameters, images=images, functions={}, step_types=frozenset(RUNNERS))


@pytest.fixture
def no_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def images():
    return ImageTable({"toy-processor": {}, "toy-trainer": {"command": ["true"], "max_instances": 1}})


def changed(step, path, value):
    """A step with one field of its arguments changed."""
    *parents, last = path.split(".")
    node = step["Arguments"]
    for part in parents:
        node = node[int(part)] if part.isdigit() else node[part]
    node[last] = value
    return step


def train():
    return training("Train", channels={"train": "s3://b/k"})


@pytest.mark.parametrize(
    ("step", "fragments"),
    [
        pytest.param({"Name": "Wait", "Type": "EMR", "Arguments": {}}, ["'Wait'", "type EMR"], id="type"),
        pytest.param(
            changed(train(), "AlgorithmSpecification.TrainingImage", f"{REGISTRY}/forecasting:1"),
            ["'Train'", f"{REGISTRY}/forecasting:1", "workflows.toml"],
            id="image",
        ),
        pytest.param(changed(train(), "ResourceConfig.InstanceCount", 2), ["'Train'", "not 2"], id="count"),
        pytest.param(
            changed(train(), "ResourceConfig.InstanceCount", get("Parameters.Count")),
            ["'Train'", "not 3"],
            id="count-parameter",
        ),
        pytest.param(
            changed(train(), "AlgorithmSpecification.TrainingInputMode", "Pipe"), ["Pipe mode"], id="pipe"
        ),
        pytest.param(
            changed(train(), "InputDataConfig.0.DataSource.S3DataSource.S3DataType", "ManifestFile"),
            ["ManifestFile"],
            id="manifest",
        ),
        pytest.param(changed(train(), "InputDataConfig.0.CompressionType", "Gzip"), ["Gzip"], id="gzip"),
    ],
)
def test_what_cannot_run_here_is_refused_by_name_before_anything_runs(no_docker, images, step, fragments):
    text = definition(step, parameters=[{"Name": "Count", "Type": "Integer", "DefaultValue": 3}])
    with pytest.raises(RefusedByPlan) as caught:
        planned(text, images, Count=3)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_every_reason_is_told_at_once(no_docker, images):
    first = changed(train(), "ResourceConfig.InstanceCount", 2)
    second = {"Name": "Wait", "Type": "EMR", "Arguments": {}}
    with pytest.raises(RefusedByPlan) as caught:
        planned(definition(first, second), images)
    assert len(caught.value.reasons) == 2


def test_each_field_that_means_less_here_is_in_the_ledger(images):
    step = changed(train(), "EnableManagedSpotTraining", get("Parameters.Spot"))
    step["Arguments"]["HyperParameters"] = {"Tags": "a user's own name"}
    text = definition(step, parameters=[{"Name": "Spot", "Type": "Boolean", "DefaultValue": True}])
    found = {entry.field: (entry.step, entry.value) for entry in planned(text, images, Spot=True).differences}
    assert found == {
        "EnableManagedSpotTraining": ("Train", True),
        "ResourceConfig.InstanceType": ("Train", "ml.g5.xlarge"),
        "ResourceConfig.VolumeSizeInGB": ("Train", 50),
    }


def test_an_unlisted_image_runs_where_docker_answers(images, tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    image = f"{REGISTRY}/forecasting:1"
    step = changed(processing("Forecast", "true"), "AppSpecification.ImageUri", image)
    assert planned(definition(step), images).order == ("Forecast",)
    found = images.find(image)
    assert found is not None and found.docker_image == image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(f"{REGISTRY}/object-detection:1", "object-detection", id="ecr"),
        pytest.param(f"{REGISTRY}/team/thing:tag", "team/thing", id="deep"),
        pytest.param("localhost:5000/thing", "thing", id="port"),
        pytest.param("team/thing@sha256:00", "team/thing", id="digest"),
        pytest.param("python:3.11", "python", id="bare"),
    ],
)
def test_the_repository_is_the_name_without_registry_and_tag(image, expected):
    assert repository_of(image) == expected
