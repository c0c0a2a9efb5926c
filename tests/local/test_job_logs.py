"""The logs of jobs that steps of pipelines have made are found by the jobs' names."""

from tests.toys import definition, output_of, processing, training
from workflows.local.job_logs import LOG, folder_of, log_of
from workflows.local.records import (
    ENDPOINT,
    HYPER_PARAMETER_TUNING_JOB,
    PROCESSING_JOB,
    TRAINING_JOB,
)

WRITE = "echo I write; echo birds > /opt/ml/processing/output/out/x"


def only(store, kind):
    (record,) = store.all(kind)
    return next(str(value) for key, value in record.items() if key.endswith("JobName"))


def test_logs_of_steps_are_found(machine):
    prepare = processing("Prepare_data", WRITE)
    prepare["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    train = training("Train", channels={"train": output_of("Prepare_data", "out")})
    assert machine.run(definition(prepare, train)).status == "Succeeded"
    job = only(machine.store, PROCESSING_JOB)
    folder = folder_of(machine.store, PROCESSING_JOB, job)
    assert [(folder / host / LOG).read_text() for host in ("algo-1", "algo-2")] == ["I write\n"] * 2
    joint = log_of(machine.store, PROCESSING_JOB, job).read_text()
    assert sorted(joint.splitlines()) == ["[algo-1] I write", "[algo-2] I write"]
    job = only(machine.store, TRAINING_JOB)
    assert "validation mAP=(0.9)" in log_of(machine.store, TRAINING_JOB, job).read_text()


def test_logs_of_the_training_jobs_of_a_tuning_step_are_found(machine):
    machine.put("s3://toys/data/a", "birds")
    step = training("Train", channels={"train": "s3://toys/data/"})["Arguments"]
    metric = {"Name": "validation:mAP", "Regex": r"validation mAP=\(([-+0-9.eE]+)\)"}
    step["AlgorithmSpecification"]["MetricDefinitions"] = [metric]
    step["StaticHyperParameters"] = step.pop("HyperParameters")
    arguments = {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:mAP"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "map", "MinValue": "0.1", "MaxValue": "0.9"}]
            },
        },
        "TrainingJobDefinition": step,
    }
    outcome = machine.run(definition({"Name": "Tune_all", "Type": "Tuning", "Arguments": arguments}))
    assert outcome.status == "Succeeded"
    folder = outcome.execution.folder / "Tune_all"
    tuning = only(machine.store, HYPER_PARAMETER_TUNING_JOB)
    assert log_of(machine.store, HYPER_PARAMETER_TUNING_JOB, tuning).parent == folder
    job = only(machine.store, TRAINING_JOB)
    assert log_of(machine.store, TRAINING_JOB, job).parent == folder / job
    assert "validation mAP" in log_of(machine.store, TRAINING_JOB, job).read_text()


def test_a_job_that_nobody_knows_has_no_logs(machine):
    for name in ("pipelines-0123456789ab-Train-0a1b2c3d4e", "nobody"):
        assert not log_of(machine.store, TRAINING_JOB, name).exists()
    assert log_of(machine.store, ENDPOINT, "birds") == machine.store.home / "endpoints/birds/log.txt"
