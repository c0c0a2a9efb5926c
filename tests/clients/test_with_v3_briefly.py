"""Version 3 of the SageMaker SDK, which this project has anyway: one training, asked and cleaned up."""

from tests.clients.checks import assert_detections, assert_gone, assert_trained, map_series
from tests.clients.conftest import run_script


def test_a_training_shows_its_log_and_its_model_is_asked_and_deleted(few_birds, tmp_path):
    finished = run_script("v3", "birds", few_birds, tmp_path, "--once")
    known = finished.answer["base"]
    series = map_series("\n".join(known["log"]))
    assert_trained(known["job"], series, metric="validation:mAP", epochs=2)
    assert map_series(finished.shown) == series
    for rows in known["answers"]:
        assert_detections(rows)
    assert_gone(known["gone"])
    assert finished.answer["endpoints"] == []
