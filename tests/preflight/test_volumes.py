"""Volumes against the data that are copied to them; the large files have holes and take no room."""

import pytest

from tests.preflight.definitions import changed, golden, removed, report

GB = 1 << 30
JOB = "TrainBase/Arguments"
VOLUME = "/Steps/1/Arguments/ResourceConfig/VolumeSizeInGB"


@pytest.fixture
def data(tmp_path):
    """Makes channels of so many GB each."""

    def make(**channels):
        for name, size in channels.items():
            folder = tmp_path / name / "deeper"
            folder.mkdir(parents=True)
            with (folder / "file").open("wb") as file:
                file.truncate(int(size * GB))
        return tmp_path

    return make


def training(volume_gb=10, instance="ml.p3.2xlarge"):
    document = changed(golden("birds-detection"), f"{JOB}/ResourceConfig/VolumeSizeInGB", volume_gb)
    # The base training alone is on an instance without a disk of its own.
    return changed(document, f"{JOB}/ResourceConfig/InstanceType", instance)


def found(document, folder):
    findings = report(document, data=folder).findings
    return [(each.identifier, each.pointer) for each in findings if each.identifier.startswith("data-volume")]


@pytest.mark.parametrize(
    ("train_gb", "expected"),
    [
        pytest.param(6.9, [], id="with-room"),
        pytest.param(7.2, [("data-volume-nearly-full", VOLUME)], id="hardly-any-room"),
        pytest.param(8.1, [("data-volume-too-small", VOLUME)], id="too-large"),
    ],
)
def test_all_channels_must_fit_together(data, train_gb, expected):
    assert found(training(), data(train=train_gb, validation=2)) == expected


def test_the_remedy_names_a_volume_with_room(data):
    folder = data(train=17, validation=1)
    (finding,) = [each for each in report(training(), data=folder).findings if "volume" in each.identifier]
    assert "train and validation have 18.00 GB, and the volume has 10" in finding.text
    assert finding.remedy == "write 21 or more"
    assert found(training(21), folder) == []


@pytest.mark.parametrize("instance", ["ml.g5.2xlarge", "ml.g4dn.xlarge"])
def test_a_local_disk_has_its_own_size(data, instance):
    assert found(training(instance=instance), data(train=20)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("InputMode", "Pipe"),
        ("InputMode", "FastFile"),
        ("DataSource/S3DataSource/S3DataDistributionType", "ShardedByS3Key"),
    ],
    ids=["pipe", "fast-file", "sharded"],
)
def test_what_is_not_copied_whole_does_not_count(data, field, value):
    document = changed(training(), f"{JOB}/InputDataConfig/0/{field}", value)
    assert found(document, data(train=20, validation=2)) == []


def test_the_mode_of_the_whole_job_counts_where_a_channel_has_none(data):
    document = changed(training(), f"{JOB}/AlgorithmSpecification/TrainingInputMode", "Pipe")
    for index in (0, 1):
        document = removed(document, f"{JOB}/InputDataConfig/{index}/InputMode")
    assert found(document, data(train=20)) == []


def test_other_folders_and_names_that_lead_out_do_not_count(data):
    folder = data(train=1, other=50)
    document = changed(training(), f"{JOB}/InputDataConfig/1/ChannelName", "../" + folder.name + "/other")
    assert found(document, folder) == []
