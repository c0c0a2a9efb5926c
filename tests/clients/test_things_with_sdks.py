"""The classification notebook in the SageMaker SDKs, and a batch transform of its pictures."""

import pytest

from tests.clients.checks import accuracy_series, assert_names_things, assert_trained, truth_of
from tests.clients.conftest import run_script

pytestmark = pytest.mark.clients
# Epochs of the two trainings.
EPOCHS = {"base": 5, "grown": 2}


@pytest.fixture(scope="module", params=["v2", "v3"])
def finished(request, things, tmp_path_factory):
    return run_script(request.param, "things", things, tmp_path_factory.mktemp("user")).answer


@pytest.mark.parametrize("training", EPOCHS)
def test_the_final_metric_is_the_last_of_the_log(finished, training):
    known = finished[training]
    series = accuracy_series("\n".join(known["log"]))
    assert_trained(known["job"], series, metric="validation:accuracy", epochs=EPOCHS[training])


def test_a_training_begins_where_the_former_ended(finished):
    base, grown = (accuracy_series("\n".join(finished[training]["log"])) for training in EPOCHS)
    assert grown[0] > base[0]
    channels = {entry["ChannelName"]: entry for entry in finished["grown"]["job"]["InputDataConfig"]}
    uri = channels["model"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri == finished["base"]["job"]["ModelArtifacts"]["S3ModelArtifacts"]


def test_the_endpoint_names_what_is_in_pictures(finished, things):
    assert_names_things(finished["answers"], truth_of(things))


def test_a_body_that_is_no_picture_is_the_models_error(finished):
    assert finished["refused"]["Error"]["Code"] == "ModelError"
    assert 400 <= finished["refused"]["OriginalStatusCode"] < 500


def test_a_batch_transform_scores_as_the_endpoint_does(finished):
    assert finished["transform"]["TransformJobStatus"] == "Completed"
    assert set(finished["scored"]) == {"0.jpg.out", "5.jpg.out"}
    for number in (0, 5):
        scored = finished["scored"][f"{number}.jpg.out"]["prediction"]
        assert scored == pytest.approx(finished["answers"][number], abs=1e-5)


def test_nothing_is_left_after_the_clean_up(finished):
    assert finished["left"] == {"endpoints": [], "configs": [], "models": []}
