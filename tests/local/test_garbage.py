"""What a removal takes and what it leaves, on executions that have really run."""

import json
import os
import random
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tests.local import stores
from tests.toys import (
    definition,
    endpoint,
    endpoint_config,
    get,
    join,
    model,
    output_of,
    processing,
    register,
    training,
    transform,
)
from workflows.local import callbacks, records
from workflows.local.garbage import Choice, NothingChosen, choose, examine
from workflows.local.hosting import Hosts
from workflows.local.liveness import engine_of
from workflows.local.records import (
    CALLBACK,
    ENDPOINT,
    EXECUTION,
    MODEL,
    MODEL_PACKAGE,
    STEP_RESULT,
    TRAINING_JOB,
)
from workflows.local.remaining import KINDS
from workflows.local.selection import Selection
from workflows.local.sweep import sweep

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
NOW = datetime.now(UTC)


def prepare(text="birds", **more):
    return processing("Prepare", f"echo {text} > /opt/ml/processing/output/out/data.txt", **more)


def train(**more):
    return training("Train", channels={"train": output_of("Prepare", "out")}, **more)


def simple(text="birds"):
    return definition(prepare(text), train())


def cached(map_="0.5"):
    """Preparation comes from the cache, training from there if `map_` is the same."""
    return definition(prepare(**CACHED), train(hyperparameters={"map": map_}, **CACHED))


def serving(text="birds"):
    return definition(
        prepare(text),
        train(),
        register("Register", "birds", "Train"),
        model("Model", "Train"),
        endpoint_config("Config", "Model"),
        endpoint("Deploy", "Config", "birds"),
    )


def remove(machine, *names, now=NOW, **choice):
    swept = sweep(machine.store, Choice(executions=names, **choice), now=now)
    assert swept.failures == ()
    return swept.garbage


def what_would_go(machine, *names, now=NOW, **choice):
    choice = Choice(executions=names, **choice)
    return examine(machine.store, choice, choose(machine.store, choice, now=now), now=now)


def objects(machine):
    return stores.objects(machine.store)


def everything(machine):
    return stores.files(machine.store), stores.records(machine.store), stores.run_folders(machine.store)


def test_an_execution_goes_with_all_that_is_its_own_and_leaves_the_others_as_they_were(machine):
    other = machine.run(simple("other"))
    before = everything(machine)
    outcome = machine.run(simple())
    pictures = machine.store.home / "pictures" / outcome.execution.id
    pictures.mkdir(parents=True)
    (pictures / "chart.png").write_bytes(b"png")
    garbage = remove(machine, outcome.execution.id)
    assert everything(machine) == before
    assert before[2] == [other.execution.id]
    assert not pictures.exists()
    assert not (machine.store.home / "s3/toys" / outcome.execution.id).exists()
    assert [len(share.objects) for share in garbage.shares] == [2]


def test_a_failed_execution_goes_with_its_containers_trees(machine):
    outcome = machine.run(
        definition(processing("Fail", "echo half > /opt/ml/processing/output/out/x; exit 1"))
    )
    assert any("opt-ml" in name for name in everything(machine)[0])
    remove(machine, outcome.execution.id)
    assert everything(machine) == ({}, set(), [])


def test_a_dry_run_changes_nothing_and_foretells_what_goes(machine):
    outcome = machine.run(simple())
    machine.run(simple())
    before = everything(machine)
    foretold = what_would_go(machine, keep=1)
    assert everything(machine) == before
    done = remove(machine, keep=1)
    assert [share.execution for share in foretold.shares] == [outcome.execution.id]
    assert done.shares == foretold.shares
    assert (
        foretold.size
        == done.size
        == sum(map(len, before[0].values())) - sum(map(len, everything(machine)[0].values()))
    )


def test_bytes_that_somebody_else_links_to_are_not_freed(machine, tmp_path):
    outcome = machine.run(
        definition(processing("Make", "head -c 5000 /dev/zero > /opt/ml/processing/output/out/x"))
    )
    alone = what_would_go(machine, outcome.execution.id).size
    os.link(machine.store.objects.path(f"s3://toys/{outcome.execution.id}/Make/out/x"), tmp_path / "link")
    assert what_would_go(machine, outcome.execution.id).size == alone - 5000
    assert remove(machine, outcome.execution.id).size == alone - 5000


def test_what_a_later_execution_took_from_the_cache_stays_until_that_one_goes(machine):
    first = machine.run(cached())
    machine.run(cached("0.5"))
    second = machine.run(cached("0.7"))
    third = machine.run(cached("0.5"))
    before = objects(machine)
    garbage = remove(machine, first.execution.id)
    assert [(share.objects, share.is_whole) for share in garbage.shares] == [((), False)]
    assert objects(machine) == before
    # The later one's metrics are those of the first one's job.
    job = first.steps["Train"]["Metadata"] if first.steps else third.steps["Train"]["Metadata"]
    name = job["TrainingJob"]["Arn"].rpartition("/")[2]
    assert machine.store.find(TRAINING_JOB, name)["TrainingJobStatus"] == "Completed"
    assert machine.store.find(EXECUTION, first.execution.id) is None
    assert machine.store.all(STEP_RESULT, parent="toys/Prepare") != []
    remove(machine, keep=0)
    assert everything(machine) == ({}, set(), [])
    assert second.status == third.status == "Succeeded"


def test_a_removed_execution_is_no_source_for_the_cache_any_more(machine):
    first = machine.run(cached())
    remove(machine, first.execution.id)
    again = machine.run(cached())
    assert again.status == "Succeeded"
    assert "CacheHitResult" not in again.steps["Prepare"]


def test_an_execution_that_only_differs_from_an_earlier_one_does_not_keep_it(machine):
    first = machine.run(cached("0.5"))
    # Says in its records what has changed since the first one, with the first one's URIs.
    second = machine.run(
        definition(prepare("other", **CACHED), train(hyperparameters={"map": "0.5"}, **CACHED))
    )
    assert f"s3://toys/{first.execution.id}" in json.dumps(second.steps["Train"]["CacheMiss"])
    assert all(share.is_whole for share in remove(machine, first.execution.id).shares)
    assert not any(first.execution.id in uri for uri in objects(machine))


def test_an_execution_that_failed_before_it_read_its_input_can_still_be_resumed(machine, tmp_path):
    first = machine.run(simple())
    where = {"Name": "Where", "Type": "String"}
    wait = processing("Wait", f"test -e {tmp_path}/ready")
    read = processing(
        "Read", "cat /opt/ml/processing/input/data/data.txt", inputs={"data": get("Parameters.Where")}
    )
    text = definition(wait, read | {"DependsOn": ["Wait"]}, parameters=[where])
    second = machine.run(text, Where=f"s3://toys/{first.execution.id}/Prepare/out")
    assert second.status == "Failed"
    remove(machine, first.execution.id)
    (tmp_path / "ready").touch()
    assert machine.resume(second.execution.id).status == "Succeeded"


def at(place, step):
    """The step, with its outputs at a fixed place."""
    arguments = step["Arguments"]
    if "OutputDataConfig" in arguments:
        arguments["OutputDataConfig"]["S3OutputPath"] = place
    for output in arguments.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        output["S3Output"]["S3Uri"] = place
    return step


def test_a_bucket_in_which_everybody_writes_keeps_nothing_alive(machine):
    text = definition(
        prepare(),
        at("s3://toys", train()),
        parameters=[{"Name": "Bucket", "Type": "String", "DefaultValue": "s3://toys/"}],
    )
    first, second = machine.run(text), machine.run(text)
    remove(machine, first.execution.id)
    left = objects(machine)
    assert not any(first.execution.id in uri for uri in left)
    assert len([uri for uri in left if second.execution.id in uri]) == 2


def test_a_bucket_that_is_read_keeps_everything_in_it_alive(machine):
    first = machine.run(simple())
    machine.run(definition(processing("Read", "true", inputs={"all": "s3://toys/"})))
    before = objects(machine)
    remove(machine, first.execution.id)
    assert objects(machine) == before


def test_a_name_that_begins_with_another_one_is_not_below_it(machine):
    first = machine.run(definition(at("s3://toys/data10", prepare())))
    machine.put("s3://toys/data1/file", "x")
    machine.run(definition(processing("Read", "true", inputs={"one": "s3://toys/data1/"})))
    remove(machine, first.execution.id)
    assert "s3://toys/data10/data.txt" not in objects(machine)
    assert "s3://toys/data1/file" in objects(machine)


def test_an_object_that_a_later_execution_has_written_again_is_not_the_first_ones(machine):
    text = definition(at("s3://toys/latest", prepare()))
    first, second = machine.run(text), machine.run(text)
    remove(machine, first.execution.id)
    assert machine.store.objects.read("s3://toys/latest/data.txt") == b"birds\n"
    remove(machine, second.execution.id)
    assert objects(machine) == set()


def test_an_object_that_another_execution_lists_as_its_own_stays(machine):
    first, second = machine.run(simple()), machine.run(definition(processing("Prepare", "true")))
    for name in ("stored.txt", "stored-states.txt"):
        shutil.copy(first.execution.folder / "Prepare" / name, second.execution.folder / "Prepare")
    remove(machine, first.execution.id)
    assert objects(machine) == {f"s3://toys/{first.execution.id}/Prepare/out/data.txt"}


def test_data_of_users_and_checkpoints_stay(machine):
    machine.put("s3://toys/mine/file", "mine")
    step = train()
    step["Arguments"]["CheckpointConfig"] = {"S3Uri": "s3://toys/checkpoints/1"}
    machine.put("s3://toys/checkpoints/1/epoch-3", "weights")
    outcome = machine.run(definition(prepare(inputs={"mine": "s3://toys/mine/"}), step))
    remove(machine, outcome.execution.id)
    assert objects(machine) == {"s3://toys/mine/file", "s3://toys/checkpoints/1/epoch-3"}


def test_registered_versions_and_endpoints_outlive_their_execution(machine):
    outcome = machine.run(serving())
    (package,) = machine.store.all(MODEL_PACKAGE)
    garbage = remove(machine, outcome.execution.id)
    assert [len(share.objects) for share in garbage.shares] == [1]  # what Prepare has made
    assert machine.store.all(MODEL_PACKAGE) == [package]
    (container,) = package["InferenceSpecification"]["Containers"]
    assert objects(machine) == {container["ModelDataUrl"]}
    with Hosts(machine.store, images=machine.images, environment={}) as hosts:
        assert hosts.invoke("birds", b"1", {}).body == b"birds says 1"
    assert machine.store.find(EXECUTION, outcome.execution.id) is None


def test_an_artifact_goes_when_the_last_that_needs_it_is_deleted(machine):
    outcome = machine.run(serving())
    remove(machine, outcome.execution.id)
    machine.store.delete(MODEL_PACKAGE, "birds/1")
    assert remove(machine, keep=9).shares == ()
    machine.store.delete(ENDPOINT, "birds")
    (share,) = remove(machine, keep=9).shares
    assert (share.record, len(share.objects), share.is_whole) == (None, 1, True)
    found_files, found_records, folders = everything(machine)
    assert (found_files, folders) == ({}, [])
    assert {kind for kind, *_ in found_records} == {"model-package-group"}


def test_an_endpoint_keeps_the_model_that_it_serves_not_those_that_it_served(machine):
    first, second = machine.run(serving()), machine.run(serving("finches"))
    for version in ("birds/1", "birds/2"):
        machine.store.delete(MODEL_PACKAGE, version)
    remove(machine, first.execution.id, second.execution.id)
    assert len(machine.store.all(MODEL)) == 1
    assert len(objects(machine)) == 1
    with Hosts(machine.store, images=machine.images, environment={}) as hosts:
        assert hosts.invoke("birds", b"1", {}).body == b"finches says 1"


def test_a_running_execution_and_those_whose_results_it_may_take_stay(machine):
    first, other = machine.run(simple()), machine.prepare(simple(), pipeline="others")[0]
    other.run()
    second = machine.run(simple())
    before = everything(machine)
    with engine_of(second.execution.folder):
        garbage = remove(machine, first.execution.id, second.execution.id)
        reasons = {kept.execution: kept.reason for kept in garbage.kept}
        neighbour = f"execution {second.execution.id} of the same pipeline is running"
        assert reasons == {
            second.execution.id: "it is running",
            first.execution.id: f"{neighbour}, and may take its results",
        }
        assert everything(machine) == before
        assert [share.execution for share in remove(machine, other.id).shares] == [other.id]
    assert len(remove(machine, first.execution.id, second.execution.id).shares) == 2


def test_an_execution_whose_engine_died_can_be_removed(machine):
    execution, _ = machine.prepare(simple())
    assert machine.store.find(EXECUTION, execution.id)["PipelineExecutionStatus"] == "Executing"
    remove(machine, execution.id)
    assert everything(machine) == ({}, set(), [])


def test_a_source_of_selective_execution_stays_as_long_as_that_can_be_resumed(machine, tmp_path):
    script = f"test -e {tmp_path}/ready"
    text = definition(prepare(), processing("Use", script, inputs={"data": output_of("Prepare", "out")}))
    (tmp_path / "ready").touch()
    source = machine.run(text)
    (tmp_path / "ready").unlink()
    execution, _ = machine.prepare(text, selection=Selection(steps=("Use",), source_arn=source.execution.arn))
    assert execution.run()["PipelineExecutionStatus"] == "Failed"
    (kept,) = remove(machine, source.execution.id).kept
    assert kept.reason == f"execution {execution.id}, which can be resumed, takes results of it"
    (tmp_path / "ready").touch()
    assert machine.resume(execution.id).status == "Succeeded"
    # Nothing is left to be resumed; what it has taken over, it still refers to.
    remove(machine, source.execution.id)
    assert objects(machine) == {f"s3://toys/{source.execution.id}/Prepare/out/data.txt"}
    remove(machine, execution.id)
    assert objects(machine) == set()


def reachable(machine, execution):
    """Slow and obvious: every object below a URI that a step's result has as an input or as an output."""
    uris = set()
    for result in machine.store.all(STEP_RESULT):
        if result["PipelineExecutionArn"].endswith(execution):
            job = result["Properties"]
            uris |= {
                entry["S3Output"]["S3Uri"]
                for entry in job.get("ProcessingOutputConfig", {}).get("Outputs", ())
            }
            uris |= {entry["DataSource"]["S3DataSource"]["S3Uri"] for entry in job.get("InputDataConfig", ())}
            uris |= set(job.get("ModelArtifacts", {}).values())
    return {found for found in objects(machine) if any(f"{found}/".startswith(f"{uri}/") for uri in uris)}


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_executions_go_the_others_keep_what_they_use_and_nothing_is_left(machine, seed):
    choose_from = random.Random(seed)
    alive = []
    for _ in range(8):
        if alive and choose_from.random() < 0.4:
            going = choose_from.sample(alive, choose_from.randint(1, len(alive)))
            alive = [execution for execution in alive if execution not in going]
            before = {execution: reachable(machine, execution) for execution in alive}
            remove(machine, *going)
            assert {execution: reachable(machine, execution) for execution in alive} == before
        else:
            text = prepare(choose_from.choice(["birds", "finches"]), **CACHED)
            trained = train(hyperparameters={"map": choose_from.choice(["0.1", "0.2"])}, **CACHED)
            outcome = machine.run(definition(text, trained))
            assert len(reachable(machine, outcome.execution.id)) == 2
            alive.append(outcome.execution.id)
    assert alive
    remove(machine, *alive)
    assert everything(machine) == ({}, set(), [])


def tuned():
    """Two training jobs of which the better one, of 0.9, becomes a model version."""
    trained = train()["Arguments"]
    job = {
        "AlgorithmSpecification": {
            **trained["AlgorithmSpecification"],
            "MetricDefinitions": [{"Name": "mAP", "Regex": r"validation mAP=\(([-+0-9.eE]+)\)"}],
        },
        "InputDataConfig": trained["InputDataConfig"],
        "OutputDataConfig": {"S3OutputPath": "s3://toys/tuned"},
        "ResourceConfig": trained["ResourceConfig"],
        "StoppingCondition": trained["StoppingCondition"],
        "RoleArn": "arn:aws:iam::123456789012:role/toys",
    }
    config = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "mAP"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "map", "Values": ["0.2", "0.9"]}]},
    }
    arguments = {"HyperParameterTuningJobConfig": config, "TrainingJobDefinition": job}
    best = join("s3://toys/tuned", get("Steps.Tune.BestTrainingJob.TrainingJobName"), "output/model.tar.gz")
    registered = register("Register", "birds", "Train")
    (container,) = registered["Arguments"]["InferenceSpecification"]["Containers"]
    container["ModelDataUrl"] = best
    return definition(prepare(), {"Name": "Tune", "Type": "Tuning", "Arguments": arguments}, registered)


def test_of_a_tuning_job_only_the_registered_artifact_stays(machine):
    outcome = machine.run(tuned())
    assert outcome.status == "Succeeded", outcome.record
    (package,) = machine.store.all(MODEL_PACKAGE)
    (container,) = package["InferenceSpecification"]["Containers"]
    assert len(machine.store.all(TRAINING_JOB)) == 2
    remove(machine, outcome.execution.id)
    assert objects(machine) == {container["ModelDataUrl"]}
    machine.store.delete(MODEL_PACKAGE, "birds/1")
    remove(machine, keep=0)
    found_files, found_records, folders = everything(machine)
    assert (found_files, folders) == ({}, [])
    assert {kind for kind, *_ in found_records} == {"model-package-group"}


def test_the_answers_of_a_transform_job_go_and_what_it_asked_about_stays(machine):
    machine.put("s3://toys/pictures/one.txt", "1")
    score = transform("Score", "Model", "s3://toys/pictures")
    outcome = machine.run(definition(prepare(), train(), model("Model", "Train"), score))
    assert outcome.read("Score", "one.txt.out") == "birds says 1"
    remove(machine, outcome.execution.id)
    assert objects(machine) == {"s3://toys/pictures/one.txt"}
    assert everything(machine)[1:] == (set(), [])


def test_every_kind_of_record_is_looked_at_for_what_it_refers_to():
    kinds = {value for name, value in vars(records).items() if name.isupper() and name != "JSON"}
    assert kinds | {callbacks.CALLBACK_ANSWER} == KINDS


def test_the_messages_of_callback_steps_go_with_their_execution(machine):
    first, second = machine.run(definition(prepare())), machine.run(definition(prepare()))
    for outcome, token in ((first, "t1"), (second, "t2")):
        machine.store.put(CALLBACK, token, {"token": token, "pipelineExecutionArn": outcome.execution.arn})
        answer = {"CallbackToken": token, "PipelineExecutionArn": outcome.execution.arn}
        machine.store.put(callbacks.CALLBACK_ANSWER, token, answer)
    remove(machine, first.execution.id)
    left = {name for kind, name, *_ in everything(machine)[1] if kind.startswith("callback")}
    assert left == {"t2"}


@pytest.fixture
def history(machine):
    """Executions of two pipelines, as they would be after some days; newest first."""

    def add(name, pipeline, days):
        when = (NOW - timedelta(days=days)).isoformat()
        record = {
            "PipelineArn": f"arn:aws:sagemaker:r:1:pipeline/{pipeline}",
            "PipelineExecutionArn": f"arn:aws:sagemaker:r:1:pipeline/{pipeline}/execution/{name}",
            "PipelineExecutionStatus": "Succeeded",
            "CreationTime": when,
            "LastModifiedTime": when,
        }
        machine.store.put(EXECUTION, name, record, parent=pipeline)

    for name, pipeline, days in (
        ("a1", "a", 9),
        ("b1", "b", 8),
        ("a2", "a", 5),
        ("a3", "a", 1),
        ("b2", "b", 0),
    ):
        add(name, pipeline, days)
    return machine.store


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        pytest.param({"executions": ("a3", "a1")}, ["a3", "a1"], id="by-id"),
        pytest.param({"keep": 1}, ["a2", "b1", "a1"], id="all-but-the-newest-of-each-pipeline"),
        pytest.param({"keep": 0}, ["b2", "a3", "a2", "b1", "a1"], id="all"),
        pytest.param({"keep": 5}, [], id="none"),
        pytest.param({"older_than": timedelta(days=4)}, ["a2", "b1", "a1"], id="older"),
        pytest.param({"keep": 2, "older_than": timedelta(days=4)}, ["a1"], id="both"),
        pytest.param({"executions": ("a1", "a3"), "keep": 1}, ["a1"], id="by-id-but-not-the-newest"),
        pytest.param({"inputs": True}, [], id="inputs-only"),
    ],
)
def test_every_part_of_a_choice_narrows_it(history, choice, chosen):
    assert choose(history, Choice(**choice), now=NOW) == chosen


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        pytest.param({}, "say what may go", id="nothing"),
        pytest.param({"executions": ("a9",)}, "no execution 'a9'", id="unknown"),
    ],
)
def test_a_choice_must_say_what_may_go(history, choice, message):
    with pytest.raises(NothingChosen, match=message):
        choose(history, Choice(**choice), now=NOW)
