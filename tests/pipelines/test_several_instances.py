"""Preparation on several instances: compiled, and run by the engine with the real jobs."""

import json

import pytest

from processing_scripts.vision.recordio import RecordReader
from samples.birds import publish
from tests.pipelines.definitions import BUCKET, arguments, compiled
from workflows.definition.loader import load
from workflows.local.engine import Engine
from workflows.local.executor import Place
from workflows.local.images import ImageTable
from workflows.local.store import Store
from workflows.pipelines.errors import PipelineOptionError

CHANNELS = {
    "birds-detection": ("train", "train_flipped", "validation"),
    "caltech-classification": ("train", "validation"),
}


class Silent:
    def __getattr__(self, _):
        return lambda *_, **__: None


def channel_uris(definition, step):
    return [
        json.dumps(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for channel in arguments(definition, step)["InputDataConfig"]
        if channel["ChannelName"] != "model"
    ]


@pytest.mark.parametrize("pipeline", CHANNELS)
def test_trainings_read_what_joins_the_parts_of_several_instances(pipeline):
    definition = compiled(pipeline, preparation_instances=3)
    cluster = arguments(definition, "PrepareData")["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceCount"] == 3
    joined = arguments(definition, "JoinRecords")["ProcessingOutputConfig"]["Outputs"]
    assert tuple(output["OutputName"] for output in joined) == CHANNELS[pipeline]
    for step in ("TrainBase", "TrainIncremental"):
        assert all("Steps.JoinRecords." in uri for uri in channel_uris(definition, step))


@pytest.mark.parametrize("count", [0, 101])
def test_a_number_of_instances_that_the_service_refuses_is_refused(count):
    with pytest.raises(PipelineOptionError, match="preparation_instances"):
        compiled(preparation_instances=count)


def prepare(definition, home, data):
    """Run the preparation alone; returns what the training channels would hold."""
    kept = [step for step in definition["Steps"] if step["Name"] in ("PrepareData", "JoinRecords")]
    store = Store(home)
    uri = f"s3://{BUCKET}/input"
    store.objects.sync(data, uri)
    engine = Engine(
        store=store, place=Place(region="eu-west-1", account="123456789012", images=ImageTable({}))
    )
    text = json.dumps({**definition, "Steps": kept})
    record = engine.start(
        "birds", load(text), {"InputDataUrl": uri, "Split": "random"}, listener=Silent()
    ).run()
    assert record["PipelineExecutionStatus"] == "Succeeded", record
    last = kept[-1]["Name"]
    return {
        path.name: [bytes(item) for item in RecordReader(path)]
        for _, path in store.objects.keys(f"s3://{BUCKET}/birds-detection/")
        if f"/{last}/" in str(path) and path.suffix == ".rec" and "flipped" not in str(path)
    }


def test_two_instances_prepare_the_records_of_one(tmp_path):
    data = tmp_path / "data"
    publish(data, images_per_species=6, seed=3)
    one = prepare(compiled(), tmp_path / "one", data)
    two = prepare(compiled(preparation_instances=2), tmp_path / "two", data)
    assert set(one) == {"train.rec", "validation.rec"}
    assert one["train.rec"]
    assert two == one
