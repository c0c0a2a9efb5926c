"""Tuning steps: training jobs with proposed hyperparameters, the best of them, and what goes wrong."""

import json
import sys
import tarfile
import threading
import time
from dataclasses import replace

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.toys import REGISTRY, TOY_IMAGES, definition, get, join, training
from workflows.definition.errors import RefusedByPlan
from workflows.local.faults import Fault
from workflows.local.images import ImageTable
from workflows.local.naming import Names
from workflows.local.records import HYPER_PARAMETER_TUNING_JOB, MODEL, TRAINING_JOB
from workflows.local.request import Request, RequestError
from workflows.local.runners import tuning
from workflows.local.runners.base import Site, StepFailed, Task
from workflows.local.tuning.job import read_job
from workflows.local.tuning.refusals import image_refusals, refusals
from workflows.pipelines import sdk

# Its objective is best, 0, at x = 0.3. Every run leaves a line in the file that RUNS names.
TUNED_ALGORITHM = """
import json, os, pathlib, sys, time
root = pathlib.Path(os.environ.get("OPT_ML", "/opt/ml"))
settings = json.loads((root / "input/config/hyperparameters.json").read_text())
resources = json.loads((root / "input/config/resourceconfig.json").read_text())
began = time.time()
x = float(settings["x"])
time.sleep(30 if settings.get("slow_at") == settings["x"] else float(settings.get("sleep", 0)))
print("log line of a training job")
if x > float(settings.get("fail_above", "inf")):
    (root / "output/failure").write_text("x is too large")
    sys.exit(2)
if "mute" not in settings:
    print(f"objective={-(x - 0.3) ** 2:.6f};")
(root / "model/settings.json").write_text(json.dumps(settings))
if "RUNS" in os.environ:
    with open(os.environ["RUNS"], "a") as file:
        file.write(json.dumps([os.environ["TRAINING_JOB_NAME"], began, time.time()]) + "\\n")
"""
IMAGES = ImageTable(
    {
        **TOY_IMAGES,
        "toy-tuned": {
            "command": [sys.executable, "-S", "-c", TUNED_ALGORITHM],
            "metrics": {"objective": r"objective=([-+0-9.eE]+);"},
        },
    }
)
X = {"Name": "x", "MinValue": "0", "MaxValue": "1", "ScalingType": "Linear"}


@pytest.fixture
def machine(machine):
    machine.images = IMAGES
    return machine


def training_definition(**static):
    return {
        "AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/toy-tuned:1", "TrainingInputMode": "File"},
        "StaticHyperParameters": static,
        "OutputDataConfig": {"S3OutputPath": "s3://toys/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": "arn:aws:iam::123456789012:role/toys",
    }


def tuning_arguments(strategy="Random", jobs=4, parallel=2, *, ranges=None, static=None, **config):
    limits = {"MaxParallelTrainingJobs": parallel, **({"MaxNumberOfTrainingJobs": jobs} if jobs else {})}
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "ResourceLimits": limits,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "objective"},
            "ParameterRanges": ranges or {"ContinuousParameterRanges": [X]},
            **config,
        },
        "TrainingJobDefinition": training_definition(**(static or {})),
    }


def tuning_step(*args, **kwargs):
    return {"Name": "Tune", "Type": "Tuning", "Arguments": tuning_arguments(*args, **kwargs)}


def model_step(name, job):
    container = {
        "Image": f"{REGISTRY}/toy-trainer:1",
        "ModelDataUrl": join(
            "s3:/", "toys", "tuned", get(f"Steps.Tune.{job}.TrainingJobName"), "output/model.tar.gz"
        ),
    }
    return {"Name": name, "Type": "Model", "Arguments": {"PrimaryContainer": container}}


def tuned(outcome):
    """The record of the one tuning job."""
    (record,) = outcome.store.all(HYPER_PARAMETER_TUNING_JOB)
    return record


def distance(record):
    return abs(float(record["HyperParameters"]["x"]) - 0.3)


class Bench:
    """A site of its own that remembers, and the runner called by hand."""

    def __init__(self, machine, folder):
        self.store, self.folder, self.lines, self.metrics = machine.store, folder, [], []
        self.runs = folder / "runs"
        self.folder.mkdir()
        names = Names(region="eu-west-1", account="123456789012")
        self.site = Site(
            objects=machine.store.objects,
            images=IMAGES,
            find=machine.store.find,
            records=lambda kind, parent: machine.store.all(kind, parent=parent),
            arn=names.arn,
            now=lambda: "2026-01-02T03:04:05+00:00",
            execution_arn="arn",
            record=machine.store.put,
            report=lambda _, line: self.lines.append(line),
            metric=lambda *metric: self.metrics.append(metric),
            environment={"RUNS": str(self.runs)},
        )

    def task(self, arguments, **more):
        return Task(
            step="Tune",
            name="pipelines-0123456789ab-Tune-0a1b2c3d4e",
            request=Request(arguments, "Steps[0] Arguments"),
            fields=Request({}, "Steps[0]"),
            folder=self.folder,
            **more,
        )

    def run(self, arguments, **more):
        return tuning.run(self.task(arguments, **more), self.site).description

    def trained(self):
        """Name, start and end of every training job that ran to its end, in this order."""
        return [json.loads(line) for line in self.runs.read_text().splitlines()]


@pytest.fixture
def bench(machine, tmp_path):
    return Bench(machine, tmp_path / "bench")


# In a pipeline


def test_the_best_training_jobs_artifact_is_what_later_steps_use(machine):
    steps = [
        tuning_step("Random", 5, RandomSeed=1, static={"epochs": "3"}),
        model_step("Best", "BestTrainingJob"),
        model_step("Second", "TrainingJobSummaries[1]"),
    ]
    outcome = machine.run(definition(*steps))
    assert outcome.status == "Succeeded"
    children = sorted(machine.store.all(TRAINING_JOB), key=distance)
    assert len(children) == 5
    uris = {
        record["PrimaryContainer"]["ModelDataUrl"].split("/")[4]: record["PrimaryContainer"]["ModelDataUrl"]
        for record in machine.store.all(MODEL)
    }
    best, second = children[0], children[1]
    assert set(uris) == {best["TrainingJobName"], second["TrainingJobName"]}
    assert best["ModelArtifacts"]["S3ModelArtifacts"] == uris[best["TrainingJobName"]]
    with tarfile.open(machine.store.objects.path(uris[best["TrainingJobName"]])) as archive:
        settings = json.load(archive.extractfile("settings.json"))
    assert settings == {
        "x": best["HyperParameters"]["x"],
        "epochs": "3",
        "_tuning_objective_metric": "objective",
    }
    arn = outcome.steps["Tune"]["Metadata"]["TuningJob"]["Arn"]
    assert arn == tuned(outcome)["HyperParameterTuningJobArn"]
    assert {child["TuningJobArn"] for child in children} == {arn}


def test_a_tuning_job_is_described_as_sagemaker_does(machine):
    outcome = machine.run(definition(tuning_step("Random", 3, RandomSeed=1)))
    record = tuned(outcome)
    summaries = record.pop("TrainingJobSummaries")
    shapes = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    for name, value in (
        ("DescribeHyperParameterTuningJobResponse", record),
        ("HyperParameterTrainingJobSummaries", summaries),
        ("PipelineExecutionStepMetadata", outcome.steps["Tune"]["Metadata"]),
    ):
        assert ParamValidator().validate(value, shapes.shape_for(name)).generate_report() == ""
    assert record["HyperParameterTuningJobStatus"] == "Completed"
    assert record["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert record["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    assert summaries[0] == record["BestTrainingJob"]
    objectives = [entry["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for entry in summaries]
    assert objectives == sorted(objectives, reverse=True)
    child = machine.store.find(TRAINING_JOB, summaries[0]["TrainingJobName"])
    assert summaries[0]["TunedHyperParameters"] == {"x": child["HyperParameters"]["x"]}
    assert objectives[0] == pytest.approx(-(distance(child) ** 2), abs=1e-6)
    for entry in summaries:
        name, _, suffix = entry["TrainingJobName"].rpartition("-")
        assert name[:-4] == record["HyperParameterTuningJobName"] == entry["TuningJobName"]
        assert len(suffix) == 8 and len(entry["TrainingJobName"]) <= 63


def test_each_training_job_that_ends_is_told_with_its_values_and_the_best_so_far(machine):
    outcome = machine.run(definition(tuning_step("Random", 3, parallel=1, RandomSeed=1)))
    lines = [line for step, line in outcome.recorder.lines if step == "Tune"]
    children = {record["TrainingJobName"]: record for record in machine.store.all(TRAINING_JOB)}
    assert len(lines) == 3
    best = None
    for line in lines:
        name, values, outcome_of_it = line.split(": ", 2)
        child = children[name]
        best = min((entry for entry in (child, best) if entry), key=distance)
        assert values == f"x={child['HyperParameters']['x']}"
        assert outcome_of_it.startswith("objective=-")
        assert outcome_of_it.endswith(f", {best['TrainingJobName']})")
    assert [name for _, name, _ in outcome.recorder.metrics] == ["objective"] * 3


def test_a_tuning_step_whose_request_is_wrong_is_refused_before_the_start(machine):
    first = training("Train", channels={"train": "s3://toys/none"})
    with pytest.raises(RefusedByPlan, match="Hyperband does not run on this machine"):
        machine.run(definition(first, tuning_step("Hyperband")))
    with pytest.raises(RefusedByPlan, match="did you mean 'objective'"):
        objective = {"Type": "Maximize", "MetricName": "objectiv"}
        machine.run(definition(first, tuning_step(HyperParameterTuningJobObjective=objective)))
    assert machine.store.all(TRAINING_JOB) == []


@pytest.fixture
def compiled_by_the_sdk():
    """A tuning step as version 3 of the SDK writes it, and where it finds the best model."""
    with sdk.offline():
        from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
        from sagemaker.mlops.workflow.steps import TuningStep
        from sagemaker.train.tuner import HyperparameterTuner

        session = sdk.offline_session(region="eu-west-1", default_bucket="toys")
        low = sdk.ParameterFloat("Low", default_value=0.01)
        sleep = sdk.ParameterInteger("Sleep", default_value=0)
        trainer = sdk.ModelTrainer(
            training_image=f"{REGISTRY}/toy-tuned:1",
            role="arn:aws:iam::123456789012:role/toys",
            sagemaker_session=session,
            compute=sdk.Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
            stopping_condition=sdk.StoppingCondition(max_runtime_in_seconds=600),
            output_data_config=sdk.OutputDataConfig(s3_output_path="s3://toys/tuned"),
            hyperparameters={"sleep": sdk.as_text(sleep)},
        )
        ranges = {
            "x": ContinuousParameter(low, 1.0, scaling_type="Logarithmic"),
            "layers": IntegerParameter(2, 5),
            "optimizer": CategoricalParameter(["sgd", "adam"]),
        }
        tuner = HyperparameterTuner(
            trainer,
            "objective",
            ranges,
            metric_definitions=[{"Name": "objective", "Regex": "objective=([-0-9.e]+)"}],
            objective_type="Maximize",
            max_jobs=3,
            max_parallel_jobs=2,
            random_seed=7,
        )
        inputs = [sdk.InputData(channel_name="train", data_source="s3://toys/data")]
        step = TuningStep(name="Tune", step_args=tuner.tune(inputs=inputs, wait=False))
        pipeline = sdk.Pipeline(name="toys", parameters=[low, sleep], steps=[step], sagemaker_session=session)
    return json.loads(sdk.definition_text(pipeline)), step.get_top_model_s3_uri(0, "toys", "tuned").expr


def test_a_tuning_step_that_the_sdk_has_compiled_runs_and_its_top_model_is_found(
    machine, compiled_by_the_sdk
):
    document, top_model = compiled_by_the_sdk
    machine.put("s3://toys/data/one.txt", "one")
    container = {"Image": f"{REGISTRY}/toy-trainer:1", "ModelDataUrl": top_model}
    document["Steps"].append({"Name": "Best", "Type": "Model", "Arguments": {"PrimaryContainer": container}})
    outcome = machine.run(json.dumps(document), Low="0.2")
    assert outcome.status == "Succeeded"
    for job in machine.store.all(TRAINING_JOB):
        assert job["HyperParameters"].keys() == {
            "x",
            "layers",
            "optimizer",
            "sleep",
            "_tuning_objective_metric",
        }
        assert 0.2 <= float(job["HyperParameters"]["x"]) <= 1
    (model,) = machine.store.all(MODEL)
    with tarfile.open(machine.store.objects.path(model["PrimaryContainer"]["ModelDataUrl"])) as archive:
        settings = json.load(archive.extractfile("settings.json"))
    assert settings["x"] == tuned(outcome)["BestTrainingJob"]["TunedHyperParameters"]["x"]


# Training jobs


def test_a_training_job_that_fails_is_left_out_and_the_search_goes_on(bench):
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.9", "0.2", "0.5"]}]}
    record = bench.run(tuning_arguments("Grid", None, ranges=grid, static={"fail_above": "0.8"}))
    assert record["TrainingJobStatusCounters"]["Completed"] == 2
    assert record["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert record["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 1}
    assert [entry["TunedHyperParameters"]["x"] for entry in record["TrainingJobSummaries"]] == ["0.2", "0.5"]
    (failed,) = [child for child in bench.store.all(TRAINING_JOB) if child["TrainingJobStatus"] == "Failed"]
    assert failed["HyperParameters"]["x"] == "0.9"
    assert failed["FailureReason"] == "AlgorithmError: x is too large, exit code: 2"
    assert any(": x=0.9: AlgorithmError: x is too large" in line for line in bench.lines)


def test_when_the_first_five_training_jobs_fail_the_tuning_job_does(bench):
    with pytest.raises(StepFailed) as failed:
        bench.run(tuning_arguments("Random", 20, parallel=2, static={"fail_above": "-1"}))
    assert failed.value.reason.startswith(
        "No training job succeeded after 5 attempts. Please take a look at the training job failures to get "
        "more details. The first: 0123456789ab-Tune-0a1b2c3d4e-001-"
    )
    assert "AlgorithmError: x is too large" in failed.value.reason
    record = failed.value.result.description
    assert record["HyperParameterTuningJobStatus"] == "Failed"
    assert record["FailureReason"] == failed.value.reason
    assert record["TrainingJobStatusCounters"]["NonRetryableError"] == 5
    assert "BestTrainingJob" not in record
    assert len(bench.store.all(TRAINING_JOB)) == 5


def test_training_jobs_that_publish_no_objective_count_as_failed(bench):
    with pytest.raises(StepFailed, match="No objective metrics found after running 2 training jobs"):
        bench.run(tuning_arguments("Random", 2, static={"mute": "1"}))
    assert all("it published no value of metric 'objective'" in line for line in bench.lines)
    assert [job["TrainingJobStatus"] for job in bench.store.all(TRAINING_JOB)] == ["Completed", "Completed"]


def test_inputs_that_are_not_there_fail_the_training_job_with_their_uri(bench):
    arguments = tuning_arguments("Random", 1)
    arguments["TrainingJobDefinition"]["InputDataConfig"] = [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://toys/nowhere"}},
        }
    ]
    with pytest.raises(StepFailed, match="s3://toys/nowhere"):
        bench.run(arguments)
    (job,) = bench.store.all(TRAINING_JOB)
    assert job["TrainingJobStatus"] == "Failed"
    assert "s3://toys/nowhere" in job["FailureReason"]


def test_no_more_training_jobs_run_at_once_than_allowed(bench):
    bench.run(tuning_arguments("Random", 6, parallel=2, static={"sleep": "0.3"}))
    jobs = bench.trained()
    assert len(jobs) == 6
    at_once = [sum(began <= moment < ended for _, began, ended in jobs) for _, moment, _ in jobs]
    assert max(at_once) == 2


def test_training_jobs_are_asked_for_as_the_service_would(bench):
    arguments = tuning_arguments("Random", 1, RandomSeed=3, static={"epochs": "2"})
    asked = arguments["TrainingJobDefinition"]
    del asked["ResourceConfig"]
    configs = [
        {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
        {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 9},
    ]
    asked["HyperParameterTuningResourceConfig"] = {
        "AllocationStrategy": "Prioritized",
        "InstanceConfigs": configs,
    }
    asked["CheckpointConfig"] = {"S3Uri": "s3://toys/checkpoints/", "LocalPath": "/opt/ml/checkpoints"}
    asked["Environment"] = {"SEED": "4"}
    bench.run(arguments)
    (job,) = bench.store.all(TRAINING_JOB)
    assert job["ResourceConfig"] == configs[0]
    assert job["CheckpointConfig"] == {
        "S3Uri": f"s3://toys/checkpoints/{job['TrainingJobName']}",
        "LocalPath": "/opt/ml/checkpoints",
    }
    assert job["Environment"] == {"SEED": "4"}
    assert job["HyperParameters"].keys() == {"x", "epochs", "_tuning_objective_metric"}
    assert all(isinstance(value, str) for value in job["HyperParameters"].values())
    assert "StaticHyperParameters" not in job


def test_a_fault_is_met_by_the_first_training_job(bench):
    record = bench.run(tuning_arguments("Random", 3, parallel=1), fault=Fault("exit", code=7))
    assert record["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    (failed,) = [job for job in bench.store.all(TRAINING_JOB) if job["TrainingJobStatus"] == "Failed"]
    assert "-001-" in failed["TrainingJobName"]


# Strategies and criteria, as far as the runner sees them


def test_a_bayesian_search_finds_a_better_value_than_it_began_with_and_the_same_again(
    bench, machine, tmp_path
):
    arguments = tuning_arguments("Bayesian", 12, parallel=2, RandomSeed=5)
    first = bench.run(arguments)
    again = Bench(machine, tmp_path / "again")
    assert [entry["TrainingJobName"] for entry in first["TrainingJobSummaries"]] == [
        entry["TrainingJobName"] for entry in again.run(arguments)["TrainingJobSummaries"]
    ]
    best = first["BestTrainingJob"]
    assert abs(float(best["TunedHyperParameters"]["x"]) - 0.3) < 0.05
    number = int(best["TrainingJobName"].split("-")[-2])
    assert number > 5


def test_without_a_seed_the_tuning_jobs_name_is_one(bench, machine, tmp_path):
    first = bench.run(tuning_arguments("Random", 2))
    other = Bench(machine, tmp_path / "other")
    task = replace(other.task(tuning_arguments("Random", 2)), name="pipelines-0123456789ab-Tune-ffffffffff")
    second = tuning.run(task, other.site).description
    values = [
        {entry["TunedHyperParameters"]["x"] for entry in record["TrainingJobSummaries"]}
        for record in (first, second)
    ]
    assert values[0].isdisjoint(values[1])


def test_the_search_ends_when_the_target_is_reached(bench):
    criteria = {"TargetObjectiveMetricValue": -0.01}
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.9", "0.35", "0.3", "0.8"]}]}
    record = bench.run(tuning_arguments("Grid", None, 1, ranges=grid, TuningJobCompletionCriteria=criteria))
    assert record["HyperParameterTuningJobStatus"] == "Completed"
    assert [entry["TunedHyperParameters"]["x"] for entry in record["TrainingJobSummaries"]] == ["0.35", "0.9"]


def test_the_search_ends_when_nothing_has_improved_for_a_while(bench):
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    values = ["0.9", "0.3", "0.5", "0.6", "0.7", "0.31", "0.32"]
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": values}]}
    record = bench.run(tuning_arguments("Grid", None, 1, ranges=grid, TuningJobCompletionCriteria=criteria))
    assert record["TrainingJobStatusCounters"]["Completed"] == 5
    assert record["TuningJobCompletionDetails"] == {"NumberOfTrainingJobsObjectiveNotImproving": 3}


def test_the_better_of_two_algorithms_wins(bench):
    def algorithm(name, *values):
        return {
            **training_definition(epochs="1"),
            "DefinitionName": name,
            "TuningObjective": {"Type": "Maximize", "MetricName": "objective"},
            "HyperParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": list(values)}]},
        }

    config = {"Strategy": "Grid", "ResourceLimits": {"MaxParallelTrainingJobs": 2}}
    record = bench.run(
        {
            "HyperParameterTuningJobConfig": config,
            "TrainingJobDefinitions": [algorithm("far", "0.9", "0.8"), algorithm("near", "0.4", "0.35")],
        }
    )
    assert record["TrainingJobStatusCounters"]["Completed"] == 4
    assert record["BestTrainingJob"]["TrainingJobDefinitionName"] == "near"
    assert record["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0.35"}


# Stopping and going on


class EngineDies(BaseException):
    """Nothing after it is recorded, as after kill -9."""


def dying_after(site, jobs):
    """A site whose engine dies when this many training jobs are recorded as Completed."""
    lock, completed = threading.Lock(), []

    def record(kind, name, body):
        with lock:
            if len(completed) >= jobs:
                raise EngineDies
            site.record(kind, name, body)
            if kind == TRAINING_JOB and body["TrainingJobStatus"] == "Completed":
                completed.append(name)

    return replace(site, record=record)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
@pytest.mark.parametrize("jobs", [pytest.param(1, id="early"), pytest.param(5, id="late")])
def test_after_its_engine_died_a_tuning_job_goes_on_and_ends_the_same(
    bench, machine, tmp_path, strategy, jobs
):
    arguments = tuning_arguments(strategy, 7, parallel=2, RandomSeed=2)
    with pytest.raises(EngineDies):
        tuning.run(bench.task(arguments), dying_after(bench.site, jobs))
    died = {
        record["TrainingJobName"]
        for record in bench.store.all(TRAINING_JOB)
        if record["TrainingJobStatus"] == "Completed"
    }
    assert len(died) == jobs
    bench.runs.unlink()
    resumed = bench.run(arguments)
    assert died.isdisjoint(name for name, _, _ in bench.trained())
    assert len(bench.trained()) == 7 - jobs
    assert sum("from an earlier try" in line for line in bench.lines) == jobs
    undisturbed = Bench(type(machine)(tmp_path / "other-home"), tmp_path / "undisturbed").run(arguments)
    assert [entry["TrainingJobName"] for entry in resumed["TrainingJobSummaries"]] == [
        entry["TrainingJobName"] for entry in undisturbed["TrainingJobSummaries"]
    ]
    assert resumed["BestTrainingJob"] == undisturbed["BestTrainingJob"]


def test_stopping_ends_the_running_training_jobs_and_starts_no_more(bench):
    def stop_soon():
        while not any(job["TrainingJobStatus"] == "Completed" for job in bench.store.all(TRAINING_JOB)):
            time.sleep(0.05)
        bench.site.stopped.set()

    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.2", "0.3", "0.4"]}]}
    arguments = tuning_arguments("Grid", None, parallel=1, ranges=grid, static={"sleep": "1"})
    stopper = threading.Thread(target=stop_soon)
    stopper.start()
    with pytest.raises(StepFailed, match="the execution was stopped") as stopped:
        bench.run(arguments)
    stopper.join()
    record = stopped.value.result.description
    assert record["HyperParameterTuningJobStatus"] == "Stopped"
    assert record["TrainingJobStatusCounters"]["Completed"] == 1
    assert len(bench.trained()) == 1
    assert len(bench.store.all(TRAINING_JOB)) <= 2


@pytest.mark.parametrize("ended", [pytest.param(1, id="one-has-ended"), pytest.param(0, id="none-has-ended")])
def test_when_the_time_is_up_running_training_jobs_are_stopped_and_the_best_so_far_counts(bench, ended):
    values = ["0.4", "0.3"] if ended else ["0.3", "0.4"]
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": values}]}
    task = bench.task(tuning_arguments("Grid", None, parallel=1, ranges=grid, static={"slow_at": "0.3"}))
    job = replace(read_job(task.request), max_runtime_s=3 if ended else 0.7)
    if ended:
        record = tuning.tune(task, bench.site, job).description
        assert record["HyperParameterTuningJobStatus"] == "Completed"
        assert record["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0.4"}
    else:
        with pytest.raises(StepFailed, match="the tuning job has reached its MaxRuntimeInSeconds") as failed:
            tuning.tune(task, bench.site, job)
        record = failed.value.result.description
        assert record["HyperParameterTuningJobStatus"] == "Failed"
    assert record["TrainingJobStatusCounters"]["Completed"] == ended
    assert record["TrainingJobStatusCounters"]["Stopped"] == 1


def test_a_full_disk_ends_the_tuning_job_at_once(bench):
    def record(kind, name, body):
        if body.get("TrainingJobStatus") == "Completed":
            raise OSError(28, "No space left on device")

    site = replace(bench.site, record=record)
    arguments = tuning_arguments("Random", 5, parallel=1)
    with pytest.raises(OSError, match="No space left"):
        tuning.run(bench.task(arguments), site)
    assert len(bench.trained()) == 1


# What is refused


def refused(arguments):
    return list(refusals(arguments, "Steps[0] Arguments"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(tuning_arguments(), id="random"),
        pytest.param(tuning_arguments("Bayesian", 750, 100), id="as-large-as-allowed"),
        pytest.param(
            tuning_arguments(jobs=None, TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 1}),
            id="ends-by-a-criterion",
        ),
        pytest.param(tuning_arguments(get("Parameters.Strategy")), id="strategy-not-known"),
        pytest.param(
            tuning_arguments(
                "Grid", 7, ranges={"CategoricalParameterRanges": [{"Name": get("x"), "Values": [get("y")]}]}
            ),
            id="range-not-known",
        ),
        pytest.param(
            tuning_arguments(
                ranges={"ContinuousParameterRanges": [{**X, "MinValue": join(get("Parameters.Low"))}]}
            ),
            id="bound-not-known",
        ),
        pytest.param(tuning_arguments(jobs=get("Parameters.Jobs")), id="number-not-known"),
        pytest.param(
            tuning_arguments(
                HyperParameterTuningJobObjective={"Type": "Maximize", "MetricName": get("Parameters.M")}
            ),
            id="metric-not-known",
        ),
    ],
)
def test_what_may_be_right_is_not_refused(arguments):
    assert refused(arguments) == []
    assert list(image_refusals(arguments, "Steps[0] Arguments", IMAGES)) == []


ONE_CATEGORY = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2", "3"]}]}
CONFIG = "Steps[0] Arguments.HyperParameterTuningJobConfig"
LIMITS = f"{CONFIG}.ResourceLimits"
RANGES = f"{CONFIG}.ParameterRanges"
JOB = "Steps[0] Arguments.TrainingJobDefinition"


def two_definitions(**second):
    arguments = tuning_arguments(TrainingJobEarlyStoppingType="Auto")
    one = arguments.pop("TrainingJobDefinition")
    arguments["TrainingJobDefinitions"] = [{**one, "DefinitionName": "a"}, {**one, **second}]
    return arguments


def changed(arguments, path, value):
    """The arguments with one field set, or removed for None."""
    *parents, last = path.split(".")
    fields = arguments
    for parent in parents:
        fields = fields[parent]
    if value is None:
        del fields[last]
    else:
        fields[last] = value
    return arguments


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(
            tuning_arguments("Hyperband"),
            f"{CONFIG}.Strategy: Hyperband does not run on this machine; use Bayesian, Random or Grid",
            id="hyperband",
        ),
        pytest.param(
            tuning_arguments("Annealing"),
            f"{CONFIG}.Strategy: must be Bayesian, Random or Grid, is 'Annealing'",
            id="unknown-strategy",
        ),
        pytest.param(
            tuning_arguments(StrategyConfig={"HyperbandStrategyConfig": {}}),
            f"{CONFIG}.StrategyConfig: only Hyperband takes it; remove it",
            id="strategy-config",
        ),
        pytest.param(
            {**tuning_arguments(), "WarmStartConfig": {}},
            "Steps[0] Arguments.WarmStartConfig: starting from earlier tuning jobs is not available on this "
            "machine; remove it for a local run",
            id="warm-start",
        ),
        pytest.param(
            {**tuning_arguments(), "Autotune": {"Mode": "Enabled"}},
            "Steps[0] Arguments.Autotune: choosing ranges and limits by itself is not available on this "
            "machine; remove it for a local run",
            id="autotune",
        ),
        pytest.param(
            tuning_arguments(ranges={"AutoParameters": [{"Name": "x", "ValueHint": "1"}]}),
            f"{RANGES}.AutoParameters: guessing ranges is not available on this machine; remove "
            "it for a local run, and give the parameters ranges",
            id="auto-parameters",
        ),
        pytest.param(
            tuning_arguments(jobs=4, ranges=ONE_CATEGORY),
            f"{LIMITS}.MaxNumberOfTrainingJobs: there are only 3 combinations of the ranges' "
            "values for 4 training jobs; lower it or add ranges",
            id="too-few-combinations",
        ),
        pytest.param(
            tuning_arguments("Grid", 2, ranges=ONE_CATEGORY),
            f"{LIMITS}.MaxNumberOfTrainingJobs: is 2, but the grid has 3 combinations; leave it out",
            id="part-of-a-grid",
        ),
        pytest.param(
            tuning_arguments("Grid", None),
            f"{RANGES}: 'x' is no categorical range, and a Grid search takes no other; list its "
            "values in CategoricalParameterRanges",
            id="grid-of-numbers",
        ),
        pytest.param(
            tuning_arguments(
                "Grid",
                None,
                ranges={
                    "CategoricalParameterRanges": [
                        {"Name": name, "Values": [str(n) for n in range(30)]} for name in "xy"
                    ]
                },
            ),
            f"{LIMITS}.MaxNumberOfTrainingJobs: the grid has 900 combinations, more than the 750 "
            "that one may have",
            id="large-grid",
        ),
        pytest.param(
            tuning_arguments("Bayesian", 751),
            f"{LIMITS}.MaxNumberOfTrainingJobs: 751 are more than the 750 that a Bayesian search may have",
            id="too-many-jobs",
        ),
        pytest.param(
            tuning_arguments(jobs=0),
            f"{LIMITS}.MaxNumberOfTrainingJobs: is missing, and no other limit or criterion ends "
            "the search; set it",
            id="endless",
        ),
        pytest.param(
            tuning_arguments(parallel="2"),
            f"{LIMITS}.MaxParallelTrainingJobs: must be an integer, is '2'",
            id="number-as-text",
        ),
        pytest.param(
            tuning_arguments(parallel=101),
            f"{LIMITS}.MaxParallelTrainingJobs: must be from 1 to 100, is 101",
            id="too-much-at-once",
        ),
        pytest.param(
            changed(
                tuning_arguments(),
                "HyperParameterTuningJobConfig.ResourceLimits.MaxParallelTrainingJobs",
                None,
            ),
            f"{LIMITS}.MaxParallelTrainingJobs: is missing; it is required",
            id="no-parallel",
        ),
        pytest.param(
            tuning_arguments(TuningJobCompletionCriteria={"TargetObjectiveMetricValue": "0.9"}),
            f"{CONFIG}.TuningJobCompletionCriteria.TargetObjectiveMetricValue: must be a number, is '0.9'",
            id="target-as-text",
        ),
        pytest.param(
            tuning_arguments(ranges={"ContinuousParameterRanges": []}),
            f"{RANGES}: has no range; nothing is to be tuned",
            id="nothing-to-tune",
        ),
        pytest.param(
            tuning_arguments(
                ranges={"ContinuousParameterRanges": [{**X, "Name": f"x{n}"} for n in range(31)]}
            ),
            f"{RANGES}: 31 ranges are more than 30",
            id="31-ranges",
        ),
        pytest.param(
            tuning_arguments(ranges={"ContinuousParameterRanges": [X, X]}),
            f"{RANGES}: 'x' has more than one range; leave one",
            id="two-ranges",
        ),
        pytest.param(
            tuning_arguments(ranges={"ContinuousParameterRanges": [{**X, "MinValue": "2"}]}),
            f"{RANGES}.ContinuousParameterRanges[0]: MinValue 2.0 is not below MaxValue 1.0; a "
            "value that does not vary belongs in StaticHyperParameters",
            id="range",
        ),
        pytest.param(
            tuning_arguments(static={"x": "1"}),
            f"{JOB}.StaticHyperParameters.x: has a range, too; remove it here or there",
            id="static-and-tuned",
        ),
        pytest.param(
            tuning_arguments(static={"epochs": 3}),
            f"{JOB}.StaticHyperParameters.epochs: must be a string, is 3",
            id="static-number",
        ),
        pytest.param(
            tuning_arguments(static={f"s{n}": "1" for n in range(99)}),
            f"{JOB}.StaticHyperParameters: with the ranges and _tuning_objective_metric there are 101 "
            "hyperparameters; at most 100 are allowed",
            id="101-hyperparameters",
        ),
        pytest.param(
            tuning_arguments(HyperParameterTuningJobObjective=None),
            f"{CONFIG}.HyperParameterTuningJobObjective: is missing; it names the metric that is to be "
            "improved",
            id="no-objective",
        ),
        pytest.param(
            tuning_arguments(HyperParameterTuningJobObjective={"Type": "Max", "MetricName": "objective"}),
            f"{CONFIG}.HyperParameterTuningJobObjective.Type: 'Max' is neither Maximize nor Minimize",
            id="direction",
        ),
        pytest.param(
            changed(
                tuning_arguments(), "TrainingJobDefinition.AlgorithmSpecification", {"AlgorithmName": "a"}
            ),
            f"{JOB}.AlgorithmSpecification.AlgorithmName: an algorithm resource is not available on this "
            "machine; remove it for a local run, and name a TrainingImage",
            id="algorithm-resource",
        ),
        pytest.param(
            changed(tuning_arguments(), "TrainingJobDefinition.AlgorithmSpecification.TrainingImage", None),
            f"{JOB}.AlgorithmSpecification.TrainingImage: is missing",
            id="no-image",
        ),
        pytest.param(
            changed(tuning_arguments(), "TrainingJobDefinition.OutputDataConfig", None),
            f"{JOB}.OutputDataConfig.S3OutputPath: is missing",
            id="no-output",
        ),
        pytest.param(
            changed(tuning_arguments(), "TrainingJobDefinition", None),
            "Steps[0] Arguments: has no TrainingJobDefinition; nothing says what is to be trained",
            id="no-definition",
        ),
        pytest.param(
            {**tuning_arguments(), "TrainingJobDefinition": "none"},
            "Steps[0] Arguments.TrainingJobDefinition: must be an object",
            id="definition-as-text",
        ),
        pytest.param(
            {**tuning_arguments(), "TrainingJobDefinitions": [training_definition()]},
            "Steps[0] Arguments: has TrainingJobDefinition and TrainingJobDefinitions; remove one of them",
            id="both",
        ),
        pytest.param(
            two_definitions(DefinitionName="b"),
            f"{CONFIG}.TrainingJobEarlyStoppingType: Auto is for one training job definition, here are 2; "
            "set it to Off",
            id="early-stopping-of-several",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_its_place_and_what_to_do(arguments, reason):
    assert refused(arguments) == [reason]


def test_definitions_need_names_of_their_own_and_one_direction():
    arguments = two_definitions(
        DefinitionName="a", TuningObjective={"Type": "Minimize", "MetricName": "objective"}
    )
    found = refused(changed(arguments, "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType", "Off"))
    assert found == [
        "Steps[0] Arguments.TrainingJobDefinitions[1].DefinitionName: 'a' is the name of another one, too",
        "Steps[0] Arguments.TrainingJobDefinitions: some objectives are maximized and some minimized, so no "
        "training job is the best of all; give them the same Type",
    ]
    (missing, _) = refused(two_definitions())[::-1]
    assert missing.endswith(
        "TrainingJobDefinitions[1].DefinitionName: is missing; one of several needs a name"
    )


def test_an_objective_must_be_a_metric_of_the_image_or_of_the_request():
    arguments = tuning_arguments()
    algorithm = arguments["TrainingJobDefinition"]["AlgorithmSpecification"]
    objective = arguments["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    objective["MetricName"] = "loss"
    (reason,) = image_refusals(arguments, "Steps[0] Arguments", IMAGES)
    assert reason == (
        f"{CONFIG}.HyperParameterTuningJobObjective.MetricName: no metric definition of the training job is "
        "named 'loss'; known: objective; add it to AlgorithmSpecification.MetricDefinitions"
    )
    algorithm["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=(.*)"}]
    assert list(image_refusals(arguments, "Steps[0] Arguments", IMAGES)) == []


def test_an_image_that_cannot_run_here_is_refused_with_its_definition(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no Docker
    arguments = tuning_arguments()
    arguments["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = f"{REGISTRY}/other:1"
    (reason,) = image_refusals(arguments, "A", IMAGES)
    assert reason.startswith(f"A.TrainingJobDefinition: nothing stands in for image '{REGISTRY}/other:1'")


def test_more_instances_than_the_image_can_use_here_are_refused():
    images = ImageTable({"toy-tuned": {"metrics": {"objective": "objective=(.*)"}, "max_instances": 1}})
    (reason,) = image_refusals(
        changed(tuning_arguments(), "TrainingJobDefinition.ResourceConfig.InstanceCount", 2),
        "Steps[0] Arguments",
        images,
    )
    assert reason == (
        f"{JOB}.ResourceConfig.InstanceCount: what stands in for 'toy-tuned' runs on at most 1 instances, "
        "not 2; lower it for a local run"
    )


def test_what_is_only_known_when_the_step_runs_is_refused_then(bench):
    with pytest.raises(RequestError, match="Hyperband does not run on this machine"):
        bench.run(tuning_arguments("Hyperband"))
    assert bench.store.all(HYPER_PARAMETER_TUNING_JOB) == []
