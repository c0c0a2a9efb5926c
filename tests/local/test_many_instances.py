"""Jobs of several instances: each host with its own tree, their outputs brought together."""

import json
import os
import sys
import tarfile
import threading
import time
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import running, wait_until
from tests.toys import definition, processing, training
from workflows.definition.errors import WorkflowError
from workflows.local import container
from workflows.local.container import namespaces_work
from workflows.local.hosts import MAX_HOSTS, hosts_of, write_hosts_file
from workflows.local.images import ImageTable, StandIn
from workflows.local.merging import merge
from workflows.local.records import TRAINING_JOB
from workflows.local.request import Request
from workflows.local.runners.base import StepFailed, Task
from workflows.local.runners.job_containers import Instances, make_containers

IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output/out"
HOST = """$(sed -n 's/.*"current_host": "\\(.*\\)".*/\\1/p' /opt/ml/config/resourceconfig.json)"""


def spread(step, count, **more):
    """The same step on several instances."""
    arguments = step["Arguments"]
    config = (
        arguments["ResourceConfig"] if "ResourceConfig" in arguments else arguments["ProcessingResources"]
    )
    config.get("ClusterConfig", config).update(InstanceCount=count, **more)
    return step


@pytest.fixture(params=["namespaces", "none"])
def machines(request, monkeypatch):
    """Machines with and without namespaces."""
    if request.param == "namespaces" and not namespaces_work():
        pytest.skip("this machine allows no namespaces")
    if request.param == "none":
        monkeypatch.setattr(container, "namespaces_work", lambda: False)
    return request.param


def test_each_host_has_its_tree_and_knows_the_others(machine, machines):
    script = f"cp /opt/ml/config/resourceconfig.json {OUT}/{HOST}.json; ls {OUT} | wc -l"
    outcome = machine.run(definition(spread(processing("Look", script), 3)))
    assert outcome.status == "Succeeded"
    hosts = ["algo-1", "algo-2", "algo-3"]
    for host in hosts:
        assert json.loads(outcome.read("Look", "out", f"{host}.json")) == {
            "current_host": host,
            "hosts": hosts,
            "network_interface_name": "lo",
            "current_instance_type": "ml.m5.large",
        }
    assert sorted(line for _, line in outcome.recorder.lines if "WARNING" not in line) == [
        f"[{host}] 1" for host in hosts
    ]
    assert any("do not resolve" in line for _, line in outcome.recorder.lines) is (machines == "none")


def test_the_hosts_of_ten_are_listed_as_the_service_sorts_them(machine):
    script = f"test {HOST} != algo-10 || cp /opt/ml/config/resourceconfig.json {OUT}"
    outcome = machine.run(definition(spread(processing("Look", script), 10)))
    config = json.loads(outcome.read("Look", "out", "resourceconfig.json"))
    assert config["hosts"][:3] == ["algo-1", "algo-10", "algo-2"]


def sharded(step):
    for item in step["Arguments"].get("ProcessingInputs", []):
        item["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    for item in step["Arguments"].get("InputDataConfig", []):
        item["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    return step


def test_sharded_inputs_are_dealt_out_and_outputs_come_together(machine, machines):
    for name in "abcde":
        machine.put(f"s3://data/in/{name}", name)
    script = f"cd {IN}/data; for f in $(ls); do echo {HOST} $(cat $f) > {OUT}/$f; done"
    step = sharded(processing("Share", script, inputs={"data": "s3://data/in/"}))
    outcome = machine.run(definition(spread(step, 2)))
    assert [outcome.read("Share", "out", name) for name in "abcde"] == [
        "algo-1 a\n",
        "algo-2 b\n",
        "algo-1 c\n",
        "algo-2 d\n",
        "algo-1 e\n",
    ]


def test_a_host_beyond_the_number_of_objects_gets_an_empty_folder(machine):
    machine.put("s3://data/in/only", "x")
    step = sharded(processing("Share", f"ls {IN}/data > {OUT}/{HOST}", inputs={"data": "s3://data/in/"}))
    outcome = machine.run(definition(spread(step, 2)))
    assert [outcome.read("Share", "out", host) for host in ("algo-1", "algo-2")] == ["only\n", ""]


def test_replicated_is_the_default(machine):
    for name in "ab":
        machine.put(f"s3://data/in/{name}", name)
    step = processing("Copy", f"ls {IN}/data | wc -l > {OUT}/{HOST}", inputs={"data": "s3://data/in/"})
    outcome = machine.run(definition(spread(step, 2)))
    assert [outcome.read("Copy", "out", host) for host in ("algo-1", "algo-2")] == ["2\n", "2\n"]


def test_an_unknown_distribution_is_refused(machine):
    machine.put("s3://data/in/a", "x")
    step = processing("Share", "true", inputs={"data": "s3://data/in/"})
    step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] = "Sharded"
    outcome = machine.run(definition(step))
    assert "must be FullyReplicated or ShardedByS3Key" in outcome.steps["Share"]["FailureReason"]


def test_the_same_name_written_differently_is_told_and_the_last_hosts_is_kept(machine):
    script = f"echo same > {OUT}/same; echo {HOST} > {OUT}/report"
    outcome = machine.run(definition(spread(processing("Write", script), 3)))
    assert outcome.read("Write", "out", "report") == "algo-3\n"
    warnings = [line for _, line in outcome.recorder.lines if line.startswith("WARNING")]
    assert [warning.partition(":")[0] for warning in warnings] == [
        "WARNING algo-1 and algo-2 wrote different 'report'",
        "WARNING algo-2 and algo-3 wrote different 'report'",
    ]


SERVE = """
import json, socket, time
config = json.load(open("/opt/ml/config/resourceconfig.json"))
me, peers = config["current_host"], config["hosts"]
if me == peers[0]:
    with socket.create_server((me, 7777)) as server:
        for _ in peers[1:]:
            connection, (address, _) = server.accept()
            name = connection.recv(100).decode()
            print(name, address == socket.gethostbyname(name))
            connection.close()
else:
    for _ in range(100):
        try:
            connection = socket.create_connection((peers[0], 7777), source_address=(me, 0))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    connection.sendall(me.encode())
    connection.close()
"""


@pytest.mark.skipif(not namespaces_work(), reason="this machine allows no namespaces")
def test_hosts_reach_each_other_by_name_and_those_of_another_job_are_others(machine):
    def step(name):
        made = spread(processing(name, ""), 3)
        made["Arguments"]["AppSpecification"].update(
            ContainerEntrypoint=[sys.executable, "-c"], ContainerArguments=[SERVE]
        )
        return made

    # Side by side, both with a server at the same port.
    outcome = machine.run(definition(step("One"), step("Other")))
    assert outcome.status == "Succeeded"
    for name in ("One", "Other"):
        said = sorted(line for step, line in outcome.recorder.lines if step == name)
        assert said == ["[algo-1] algo-2 True", "[algo-1] algo-3 True"]


def test_when_one_host_fails_the_others_are_ended_and_it_is_named(machine, machines, tmp_path):
    script = f"""
        mkdir -p /opt/ml/output; echo "{HOST} says" > /opt/ml/output/message
        touch {tmp_path}/{HOST}
        while ! test -e {tmp_path}/algo-1 || ! test -e {tmp_path}/algo-3; do sleep 0.02; done
        test {HOST} != algo-2 || exit 5
        sleep 60
    """
    began = time.monotonic()
    outcome = machine.run(definition(spread(processing("Break", script), 3)))
    assert time.monotonic() - began < 30
    reason = "AlgorithmError: algo-2: algo-1 says\nalgo-2 says\nalgo-3 says, exit code: 5"
    assert outcome.steps["Break"]["FailureReason"] == reason
    assert wait_until(lambda: not running(str(tmp_path)), 1)
    kept = outcome.execution.folder / "Break" / "algo-3" / "opt-ml" / "output" / "message"
    assert kept.read_text() == "algo-3 says\n"


def test_a_host_that_says_nothing_shows_the_end_of_its_own_log(machine):
    script = f"echo from {HOST}; test {HOST} != algo-1"
    outcome = machine.run(definition(spread(processing("Break", script), 2)))
    reason = "AlgorithmError: algo-1: no message; its log ends: from algo-1, exit code: 1"
    assert outcome.steps["Break"]["FailureReason"] == reason


def test_a_time_limit_ends_every_host(machine, tmp_path):
    outcome = machine.run(definition(spread(processing("Slow", f"sleep 60; # {tmp_path}", limit_s=1), 2)))
    assert "MaxRuntimeExceeded" in outcome.steps["Slow"]["FailureReason"]
    assert wait_until(lambda: not running(str(tmp_path)), 1)


def test_a_stop_ends_every_host_soon(machine, tmp_path):
    script = f"touch {tmp_path}/{HOST}; sleep 60"
    execution, recorder = machine.prepare(definition(spread(processing("Wait", script), 2)))

    def stop_when_all_run():
        wait_until(lambda: len(list(tmp_path.glob("algo-*"))) == 2)
        os.kill(os.getpid(), 2)

    threading.Thread(target=stop_when_all_run).start()
    with pytest.raises(KeyboardInterrupt):
        execution.run()
    assert recorder.ended["Wait"][0] == "Stopped"
    assert not running(str(tmp_path))


TRAIN = """
    name=$(sed -n 's/.*"current_host": "\\(.*\\)".*/\\1/p' /opt/ml/input/config/resourceconfig.json)
    mkdir /opt/ml/model/$name; cat /opt/ml/input/data/train/* > /opt/ml/model/$name/seen
    echo $name > /opt/ml/output/data/$name
    test $name = algo-1 || sleep 0.5
    echo "accuracy of $name: (0.${#name}${name#algo-})"
"""


def test_training_on_several_hosts_makes_one_model_and_reads_the_metrics_of_all(machine):
    machine.images = ImageTable(
        {
            "toy-trainer": {
                "command": ["sh", "-euc", TRAIN],
                "metrics": {f"{n}:accuracy": rf"^accuracy of algo-{n}: \((.*)\)" for n in (1, 2)}
                | {"accuracy": r"^accuracy of .*: \((.*)\)"},
            }
        }
    )
    for name in "abc":
        machine.put(f"s3://data/in/{name}", name)
    step = sharded(training("Train", channels={"train": "s3://data/in/"}))
    outcome = machine.run(definition(spread(step, 2)))
    assert outcome.status == "Succeeded"
    (job,) = machine.store.all(TRAINING_JOB)
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    with tarfile.open(machine.store.objects.path(model)) as tar:
        assert tar.getnames() == ["algo-1", "algo-1/seen", "algo-2", "algo-2/seen"]
        assert [tar.extractfile(f"algo-{n}/seen").read() for n in (1, 2)] == [b"ac", b"b"]
    with tarfile.open(machine.store.objects.path(model.replace("model.tar", "output.tar"))) as tar:
        assert tar.getnames() == ["algo-1", "algo-2"]
    assert {entry["MetricName"]: entry["Value"] for entry in job["FinalMetricDataList"]} == {
        "1:accuracy": 0.61,
        "2:accuracy": 0.62,
        "accuracy": 0.62,  # the last
    }
    folder = outcome.execution.folder / "Train"
    assert (folder / "algo-1" / "log.txt").read_text() == "accuracy of algo-1: (0.61)\n"
    assert (folder / "log.txt").read_text().splitlines() == [
        "[algo-1] accuracy of algo-1: (0.61)",
        "[algo-2] accuracy of algo-2: (0.62)",
    ]
    assert [path.name for path in sorted(folder.rglob("*")) if path.is_dir()] == ["algo-1", "algo-2"]


def test_instance_groups_are_refused_by_name(machine):
    machine.put("s3://data/in/a", "x")
    step = training("Train", channels={"train": "s3://data/in/"})
    groups = [{"InstanceType": "ml.m5.large", "InstanceCount": 2, "InstanceGroupName": "a"}]
    step["Arguments"]["ResourceConfig"] = {"InstanceGroups": groups, "VolumeSizeInGB": 1}
    try:
        reason = machine.run(definition(step)).steps["Train"]["FailureReason"]
    except WorkflowError as refused:
        reason = str(refused)
    assert "InstanceGroups" in reason
    assert "Train" in reason


def test_several_hosts_do_not_run_in_docker(tmp_path):
    request = Request({}, "step 'Train' Arguments")
    task = Task(step="Train", name="job", request=request, fields=request, folder=tmp_path)
    stand_in = StandIn(repository="some", command=None, docker_image="some:1")
    with pytest.raises(StepFailed, match="'Train' .* 2 instances does not run through Docker"):
        make_containers(task, None, stand_in=stand_in, instances=Instances(2, None), argv=(), environment={})


def test_the_built_in_stand_ins_say_that_they_train_on_one_instance():
    images = ImageTable()
    assert images.find("1.dkr.ecr.eu-west-1.amazonaws.com/object-detection:1").max_instances == 1
    assert images.find("1.dkr.ecr.eu-west-1.amazonaws.com/image-classification:1").max_instances == 1
    assert images.find("sagemaker-vision-processing:1").max_instances is None


@pytest.mark.parametrize("value", [0, -1, "2", True, 1.5])
def test_a_wrong_number_of_instances_in_the_table_is_told(value):
    with pytest.raises(WorkflowError, match=r"\[images.mine\] max_instances: must be a number above 0"):
        ImageTable({"mine": {"max_instances": value}})


@given(st.text(min_size=1), st.integers(1, MAX_HOSTS))
def test_every_host_has_a_loopback_address_of_its_own(job, count):
    hosts = hosts_of(job, count)
    assert [host.name for host in hosts] == [f"algo-{number}" for number in range(1, count + 1)]
    assert len({host.address for host in hosts}) == count
    for host in hosts:
        assert ip_address(host.address) in ip_network("127.0.0.0/8")
        assert ip_address(host.address) not in ip_network("127.0.0.0/16")
    assert hosts == hosts_of(job, count)


def test_too_many_hosts_are_refused():
    with pytest.raises(WorkflowError, match="between 1 and 254"):
        hosts_of("job", 255)


def test_the_hosts_file_holds_this_machines_names_too(tmp_path):
    write_hosts_file(tmp_path / "hosts", hosts_of("job", 2))
    lines = (tmp_path / "hosts").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines[-2:]] == ["algo-1", "algo-2"]
    own = Path("/etc/hosts")
    if own.is_file():
        assert lines[:-2] == own.read_text().rstrip().splitlines()


def test_merging_knows_folders_links_and_files(tmp_path):
    for host in ("algo-1", "algo-2"):
        folder = tmp_path / host
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "same").write_text("x")
        (folder / "link").symlink_to("deep")
        (folder / "mixed").mkdir() if host == "algo-1" else (folder / "mixed").write_text("")
        (folder / host).mkdir()
    warnings = []
    folders = {host: tmp_path / host for host in ("algo-1", "algo-2")}
    merged = {str(name): path.relative_to(tmp_path) for name, path in merge(folders, warnings.append).items()}
    assert list(merged) == ["algo-1", "algo-2", "deep", "deep/same", "link", "mixed"]
    assert {str(path).partition("/")[0] for name, path in merged.items() if name != "algo-1"} == {"algo-2"}
    assert ["'mixed'" in warning for warning in warnings] == [True]
