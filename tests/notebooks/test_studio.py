"""Settings where Studio gives some, executions that are followed below a cell, and held-out pictures."""

import json

import pytest

from tests.toys import definition, processing
from workflows import studio
from workflows.aws import executions, pipelines
from workflows.aws.executions import Start
from workflows.aws.pictures import held_out
from workflows.aws.pipelines import Wanted
from workflows.settings import SettingsError

SPACE_ROLE = "arn:aws:iam::222233334444:role/service-role/space"
OWN_ROLE = "arn:aws:iam::555566667777:role/pipelines"
REGION = {"AWS_REGION": "eu-central-1"}


@pytest.fixture
def metadata(tmp_path):
    """The file that SageMaker leaves in a space."""
    file = tmp_path / "resource-metadata.json"
    app = "arn:aws:sagemaker:eu-central-1:222233334444:app/d-1/space/JupyterLab/default"
    file.write_text(json.dumps({"ExecutionRoleArn": SPACE_ROLE, "ResourceArn": app}))
    return file


def chosen(tmp_path, metadata, environment):
    found = studio.settings(tmp_path, environment=environment, metadata=metadata)
    return {name: (found[name], found.values[name].origin) for name in ("region", "role", "bucket")}


def test_in_studio_region_role_and_bucket_are_the_spaces(tmp_path, metadata):
    assert chosen(tmp_path, metadata, {}) == {
        "region": ("eu-central-1", "Studio"),
        "role": (SPACE_ROLE, "Studio"),
        "bucket": ("sagemaker-eu-central-1-222233334444", "Studio"),
    }


def test_what_is_set_comes_first(tmp_path, metadata):
    (tmp_path / "workflows.toml").write_text('bucket = "pictures"\n')
    own = {"AWS_REGION": "eu-west-1", "SAGEMAKER_PIPELINE_ROLE_ARN": OWN_ROLE}
    assert chosen(tmp_path, metadata, own) == {
        "region": ("eu-west-1", "AWS_REGION"),
        "role": (OWN_ROLE, "SAGEMAKER_PIPELINE_ROLE_ARN"),
        "bucket": ("pictures", "workflows.toml"),
    }


def test_the_default_bucket_is_in_the_account_of_the_role(tmp_path, metadata):
    found = chosen(tmp_path, metadata, REGION | {"SAGEMAKER_PIPELINE_ROLE_ARN": OWN_ROLE})
    assert found["bucket"] == ("sagemaker-eu-central-1-555566667777", "Studio")


def test_against_a_server_of_this_machine_nothing_is_needed(tmp_path):
    local = REGION | {"AWS_ENDPOINT_URL": "http://127.0.0.1:8080"}
    found = chosen(tmp_path, tmp_path / "absent.json", local)
    assert found["bucket"] == ("workflows-artifacts", "default")
    assert found["role"][1] == "default"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no-file"),
        pytest.param("{", id="no-json"),
        pytest.param("[]", id="no-object"),
        pytest.param('{"ResourceName": "notebook"}', id="no-role"),
    ],
)
def test_outside_of_studio_a_role_is_asked_for(tmp_path, text):
    file = tmp_path / "resource-metadata.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match="set `role` in workflows.toml or SAGEMAKER_PIPELINE_ROLE_ARN"):
        chosen(tmp_path, file, REGION)


def started(clients, text):
    pipelines.upsert(clients, Wanted(name="toys", definition=text, role=OWN_ROLE))
    return executions.start(clients, "toys", Start(parameters={}), token="0" * 32)


@pytest.fixture
def here(monkeypatch, clients):
    """The calls go to a server of this machine: it is asked often."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", clients.endpoint_url)


def test_an_execution_is_told_in_lines_and_gives_its_steps(clients, here):
    lines = []
    arn = started(clients, definition(processing("Prepare", "echo made")))
    steps = studio.follow(clients, arn, tell=lines.append)
    assert [(step["StepName"], step["StepStatus"]) for step in steps] == [("Prepare", "Succeeded")]
    assert lines[0] == "* Prepare (Processing)"
    assert lines[1].startswith("* Prepare Succeeded after ")


def test_a_failure_ends_the_cell_with_the_reason_behind_the_end_of_the_log(clients, here):
    lines = []
    arn = started(clients, definition(processing("Prepare", "seq 12000; echo no pictures here; exit 3")))
    with pytest.raises(studio.ExecutionFailed, match=r"Failed\nPrepare: .+"):
        studio.follow(clients, arn, tell=lines.append)
    said = [line for line in lines if line.startswith("<")]
    # What a page of the log does not reach.
    assert said[-3:] == ["< Prepare  11999", "< Prepare  12000", "< Prepare  no pictures here"]


NAMES = [f"{species}/{number}.jpg" for species in ("cardinal", "jay", "wren") for number in range(4)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(3, ["0.jpg of cardinal", "0.jpg of jay", "0.jpg of wren"], id="one-of-each"),
        pytest.param(1, ["0.jpg of cardinal"], id="one"),
    ],
)
def test_held_out_pictures_come_evenly_out_of_all(clients, tmp_path, count, expected):
    clients.s3.create_bucket(
        Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": clients.region}
    )
    for name in [*NAMES, "cardinal/notes.txt"]:
        species, _, file = name.partition("/")
        clients.s3.put_object(Bucket="pictures", Key=f"held-out/{name}", Body=f"{file} of {species}".encode())
    package = {"CustomerMetadataProperties": {"ValidationPictures": "s3://pictures/held-out/"}}
    found = [path.read_text() for path in held_out(clients, package, tmp_path / "fetched", count=count)]
    assert found == expected
