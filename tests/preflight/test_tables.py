"""The same facts stand in two places that must not import each other: both say the same."""

import json
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import workflows.local
from algorithms.image_classification import hyperparameters as classification
from algorithms.object_detection import hyperparameters as detection
from workflows.preflight.builtin.image_classification import IMAGE_CLASSIFICATION
from workflows.preflight.builtin.images import ALGORITHMS, registries
from workflows.preflight.builtin.object_detection import OBJECT_DETECTION
from workflows.preflight.instances import gpus
from workflows.preflight.table import table

TABLES = [
    pytest.param(OBJECT_DETECTION, detection.TABLE, id="object-detection"),
    pytest.param(IMAGE_CLASSIFICATION, classification.TABLE, id="image-classification"),
]
PROBES = [
    *(
        "",
        "0",
        "1",
        "2",
        "-1",
        "0.0",
        "0.5",
        "1.0",
        "1e-8",
        "1.5",
        "32",
        "64",
        "128",
        "299",
        "300",
        "x",
        "True",
        "no",
    ),
    *(
        "sgd",
        "adam",
        "rmsprop",
        "adadelta",
        "nag",
        "vgg-16",
        "resnet-50",
        "resnet-18-half",
        "18",
        "20",
        "152",
        "19",
    ),
    *(
        "crop",
        "crop_color",
        "float16",
        "dist_sync",
        "device",
        "auto",
        "10, 20",
        "0,5",
        "^(conv1_).*",
        "(",
        "1_000",
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), TABLES)
def test_the_stand_ins_have_the_same_hyperparameters(ours, theirs):
    assert set(ours.hyperparameters) == {entry.name for entry in theirs}
    for entry in theirs:
        mine = ours.hyperparameters[entry.name]
        assert mine.required == entry.required, entry.name
        assert (mine.default or "") == (entry.default or ""), entry.name


@pytest.mark.parametrize(("ours", "theirs"), TABLES)
def test_the_stand_ins_take_the_same_values(ours, theirs):
    for entry in theirs:
        mine = ours.hyperparameters[entry.name]
        if mine.kind == "shape":
            continue  # they check it beside their table
        for value in PROBES:
            assert (mine.fault(value) is None) == (entry.fault(value) is None), (entry.name, value)
            assert mine.is_taken_here(value) == entry.taken_locally(value), (entry.name, value)


def test_the_stand_ins_publish_the_same_metrics():
    table = tomllib.loads(Path(workflows.local.__file__).with_name("stand_ins.toml").read_text())
    for name, algorithm in ALGORITHMS.items():
        assert set(algorithm.metrics) == set(table["images"][name]["metrics"])


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_the_registries_are_those_that_the_sdk_knows(name):
    sdk = Path(find_spec("sagemaker").submodule_search_locations[0])
    config = json.loads((sdk / "core" / "image_uri_config" / f"{name}.json").read_text())
    assert dict(registries()) == config["versions"]["1"]["registries"]


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("ml.g5.12xlarge", 4),
        ("ml.g4dn.xlarge", 1),
        ("ml.p3.16xlarge", 8),
        ("ml.m5.large", None),
        ("g5", None),
    ],
)
def test_gpus_of_instances(instance, expected):
    assert gpus(instance) == expected


def test_the_documentation_has_the_table_of_all_rules():
    text = (Path(__file__).parents[2] / "docs" / "preflight.md").read_text()
    assert text.endswith(table())
