import json

import pytest

from processing_scripts.contract import Host, JobError, processing_host


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Write the file that tells a processing job about its instances."""
    monkeypatch.setenv("OPT_ML", str(tmp_path))
    (tmp_path / "config").mkdir()
    return lambda config: (tmp_path / "config" / "resourceconfig.json").write_text(json.dumps(config))


def test_a_job_that_is_not_told_is_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("OPT_ML", str(tmp_path))
    assert processing_host() == Host(index=0, count=1)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        pytest.param("algo-1", 0, id="first"),
        pytest.param("algo-10", 1, id="tenth-comes-before-second"),
        pytest.param("algo-2", 2, id="second"),
    ],
)
def test_instances_are_counted_in_the_order_of_their_names(told, name, index):
    told({"current_host": name, "hosts": ["algo-2", "algo-1", "algo-10"], "network_interface_name": "eth0"})
    assert processing_host() == Host(index=index, count=3)
    assert processing_host().is_first == (index == 0)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]}, id="unknown"),
        pytest.param({"hosts": ["algo-1"]}, id="no-name"),
        pytest.param({"current_host": "algo-1"}, id="no-hosts"),
        pytest.param({"current_host": "algo-1", "hosts": "algo-1"}, id="text-for-hosts"),
        pytest.param({"current_host": "algo-1", "hosts": ["algo-1", "algo-1"]}, id="twice"),
    ],
)
def test_a_job_that_is_told_nonsense_ends(told, config):
    told(config)
    with pytest.raises(JobError, match="resourceconfig.json: current_host .* is not one of the different"):
        processing_host()
