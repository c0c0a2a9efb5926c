"""Jobs through boto3's own client: they run here, by the runners of pipelines."""

import io
import tarfile
import time

import pytest
from botocore.exceptions import ClientError

from tests.server.toy_requests import (
    TRAINER,
    eventually,
    lacking,
    model,
    processing,
    put,
    put_model,
    training,
    transform,
    tuning,
)
from tests.toys import REGISTRY
from workflows.local.executor import Place
from workflows.local.images import ImageTable
from workflows.local.job_control import settle
from workflows.local.job_kinds import TRAINING
from workflows.local.job_logs import LOG, folder_of, log_of
from workflows.local.records import HYPER_PARAMETER_TUNING_JOB, PROCESSING_JOB, TRAINING_JOB
from workflows.local.standalone import StandaloneJob

ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
QUICK = {"Delay": 0.05, "MaxAttempts": 400}


@pytest.fixture
def sagemaker(cloud):
    put(cloud.store, "s3://toys/data/a.txt", "cardinal")
    return cloud.client("sagemaker")


def wait(client, waiter, **name):
    client.get_waiter(waiter).wait(**name, WaiterConfig=QUICK)


def until_started(client, name):
    def started():
        return "ProcessingStartTime" in client.describe_processing_job(ProcessingJobName=name)

    assert eventually(started, True)


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def archive(store, uri):
    with tarfile.open(fileobj=io.BytesIO(store.objects.read(uri))) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar if member.isfile()}


def test_a_training_job_trains_and_says_how_it_went(cloud, sagemaker):
    request = training(
        "birds-1",
        HyperParameters={"map": "0.25,0.75"},
        Environment={"COLOUR": "red"},
        Tags=[{"Key": "team", "Value": "birds"}],
    )
    assert sagemaker.create_training_job(**request)["TrainingJobArn"] == f"{ARN}:training-job/birds-1"
    first = sagemaker.describe_training_job(TrainingJobName="birds-1")
    assert first["TrainingJobStatus"] == "InProgress"
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="birds-1")
    job = sagemaker.describe_training_job(TrainingJobName="birds-1")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    assert [entry["Status"] for entry in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [(entry["MetricName"], entry["Value"]) for entry in job["FinalMetricDataList"]] == [
        ("validation:mAP", 0.75)
    ]
    assert job["CreationTime"] == first["CreationTime"] <= job["TrainingEndTime"]
    assert job["Environment"] == {"COLOUR": "red"}
    assert job["HyperParameters"] == {"map": "0.25,0.75"}
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://toys/out/birds-1/output/model.tar.gz"
    assert archive(cloud.store, job["ModelArtifacts"]["S3ModelArtifacts"])["model.txt"] == "cardinal"
    assert lacking(sagemaker, "DescribeTrainingJob", job) == set()
    tags = sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "birds"}]
    assert "validation mAP=(0.75)" in log_of(cloud.store, TRAINING_JOB, "birds-1").read_text()


def test_a_job_is_described_with_what_its_request_left_out(sagemaker):
    request = training("plain")
    del request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"]
    del request["StoppingCondition"]
    sagemaker.create_training_job(**request)
    job = sagemaker.describe_training_job(TrainingJobName="plain")
    # SDK v2 reads these without asking whether they are there.
    assert job["OutputDataConfig"] == {
        "S3OutputPath": "s3://toys/out",
        "KmsKeyId": "",
        "CompressionType": "GZIP",
    }
    assert (job["EnableNetworkIsolation"], job["EnableManagedSpotTraining"]) == (False, False)
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    (channel,) = job["InputDataConfig"]
    assert (channel["CompressionType"], channel["RecordWrapperType"]) == ("None", "None")
    assert channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "FullyReplicated"
    # As with a built-in algorithm: what it publishes comes with its image.
    (metric,) = job["AlgorithmSpecification"]["MetricDefinitions"]
    assert metric["Name"] == "validation:mAP"
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="plain")


def test_a_training_job_that_fails_says_why(sagemaker):
    sagemaker.create_training_job(**training("bad", HyperParameters={"fail": "no feathers"}))
    with pytest.raises(Exception, match="Failed"):
        wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="bad")
    job = sagemaker.describe_training_job(TrainingJobName="bad")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == "AlgorithmError: no feathers, exit code: 3"


def test_a_processing_job_stores_its_outputs(cloud, sagemaker):
    script = "cd /opt/ml; echo $WORD > processing/output/out/x; mkdir output; echo fine > output/message"
    sagemaker.create_processing_job(**processing("count", script, Environment={"WORD": "wren"}))
    wait(sagemaker, "processing_job_completed_or_stopped", ProcessingJobName="count")
    job = sagemaker.describe_processing_job(ProcessingJobName="count")
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "fine")
    assert lacking(sagemaker, "DescribeProcessingJob", job) == set()
    assert job["ProcessingEndTime"] >= job["ProcessingStartTime"] >= job["CreationTime"]
    assert cloud.store.objects.read("s3://toys/count/x") == b"wren\n"


def test_a_processing_job_on_two_hosts_has_a_log_for_each(cloud, sagemaker):
    request = processing(
        "pair", "echo I am $(grep -o 'algo-[12]\",$' /opt/ml/config/resourceconfig.json | head -1)"
    )
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    sagemaker.create_processing_job(**request)
    wait(sagemaker, "processing_job_completed_or_stopped", ProcessingJobName="pair")
    joint = log_of(cloud.store, PROCESSING_JOB, "pair").read_text()
    for host in ("algo-1", "algo-2"):
        own = (folder_of(cloud.store, PROCESSING_JOB, "pair") / host / LOG).read_text().strip()
        assert host in own
        assert f"[{host}] {own}" in joint


def test_a_transform_job_stores_an_answer_for_each_object(cloud, sagemaker):
    sagemaker.create_model(**model("cardinals", put_model(cloud.store, "cardinal")))
    put(cloud.store, "s3://toys/pictures/1", "hello")
    sagemaker.create_transform_job(**transform("score", "cardinals"))
    wait(sagemaker, "transform_job_completed_or_stopped", TransformJobName="score")
    assert cloud.store.objects.read("s3://toys/score/1.out") == b"cardinal says hello"
    job = sagemaker.describe_transform_job(TransformJobName="score")
    assert lacking(sagemaker, "DescribeTransformJob", job) == set()
    assert (job["TransformJobStatus"], job["ModelName"]) == ("Completed", "cardinals")


def test_a_tuning_job_trains_with_several_combinations(cloud, sagemaker):
    sagemaker.create_hyper_parameter_tuning_job(**tuning("tune-birds", jobs=3))
    name = {"HyperParameterTuningJobName": "tune-birds"}

    def status():
        return sagemaker.describe_hyper_parameter_tuning_job(**name)["HyperParameterTuningJobStatus"]

    assert eventually(status, "Completed") == "Completed"
    job = sagemaker.describe_hyper_parameter_tuning_job(**name)
    assert lacking(sagemaker, "DescribeHyperParameterTuningJob", job) == set()
    assert job["TrainingJobStatusCounters"]["Completed"] == 3
    jobs = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        **name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending"
    )["TrainingJobSummaries"]
    values = [entry["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for entry in jobs]
    assert values == sorted(values, reverse=True)
    # The toy publishes the hyperparameter as its metric.
    assert values == pytest.approx([float(entry["TunedHyperParameters"]["map"]) for entry in jobs])
    assert jobs[0]["TrainingJobName"] == job["BestTrainingJob"]["TrainingJobName"]
    best = sagemaker.describe_training_job(TrainingJobName=jobs[0]["TrainingJobName"])
    assert best["TuningJobArn"] == f"{ARN}:{HYPER_PARAMETER_TUNING_JOB}/tune-birds"
    assert "validation mAP" in log_of(cloud.store, TRAINING_JOB, best["TrainingJobName"]).read_text()
    (summary,) = sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert (summary["Strategy"], summary["ResourceLimits"]["MaxNumberOfTrainingJobs"]) == ("Random", 3)


def test_a_failed_training_job_of_a_tuning_job_is_listed_with_what_was_tried(sagemaker):
    request = tuning("tune-bad", jobs=1)
    request["TrainingJobDefinition"]["StaticHyperParameters"] = {"fail": "never"}
    sagemaker.create_hyper_parameter_tuning_job(**request)
    name = {"HyperParameterTuningJobName": "tune-bad"}

    def status():
        return sagemaker.describe_hyper_parameter_tuning_job(**name)["HyperParameterTuningJobStatus"]

    assert eventually(status, "Failed") == "Failed"
    (job,) = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**name)["TrainingJobSummaries"]
    assert (job["TrainingJobStatus"], job["ObjectiveStatus"]) == ("Failed", "Failed")
    assert list(job["TunedHyperParameters"]) == ["map"]


def test_a_stopped_job_ends_at_once_and_has_not_failed(sagemaker):
    sagemaker.create_processing_job(**processing("long", "sleep 60"))
    eventually(
        lambda: "ProcessingStartTime" in sagemaker.describe_processing_job(ProcessingJobName="long"), True
    )
    began = time.monotonic()
    sagemaker.stop_processing_job(ProcessingJobName="long")
    assert sagemaker.describe_processing_job(ProcessingJobName="long")["ProcessingJobStatus"] == "Stopping"
    wait(sagemaker, "processing_job_completed_or_stopped", ProcessingJobName="long")
    job = sagemaker.describe_processing_job(ProcessingJobName="long")
    assert (job["ProcessingJobStatus"], "FailureReason" in job) == ("Stopped", False)
    assert time.monotonic() - began < 10
    assert refused(sagemaker.stop_processing_job, ProcessingJobName="long") == (
        "ValidationException",
        "The request was rejected because the processing job is in status Stopped.",
    )


def test_a_job_that_is_stopped_as_soon_as_it_is_created_does_not_run(cloud, sagemaker):
    sagemaker.create_training_job(**training("early", HyperParameters={"pause": "30", "epochs": "9"}))
    sagemaker.stop_training_job(TrainingJobName="early")
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="early")
    job = sagemaker.describe_training_job(TrainingJobName="early")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert not cloud.store.objects.path("s3://toys/out/early/output/model.tar.gz").exists()


def test_a_stopped_tuning_job_ends_its_training_jobs(sagemaker):
    request = tuning("tune-long", jobs=4)
    request["TrainingJobDefinition"]["StaticHyperParameters"] = {"pause": "30", "epochs": "9"}
    sagemaker.create_hyper_parameter_tuning_job(**request)
    name = {"HyperParameterTuningJobName": "tune-long"}

    def children():
        return sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**name)["TrainingJobSummaries"]

    eventually(lambda: len(children()), 2)
    code, message = refused(sagemaker.stop_training_job, TrainingJobName=children()[0]["TrainingJobName"])
    assert (code, "tuning job tune-long" in message) == ("ValidationException", True)
    sagemaker.stop_hyper_parameter_tuning_job(**name)

    def status():
        return sagemaker.describe_hyper_parameter_tuning_job(**name)["HyperParameterTuningJobStatus"]

    assert eventually(status, "Stopped") == "Stopped"
    assert {job["TrainingJobStatus"] for job in children()} == {"Stopped"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"image": f"{REGISTRY}/unheard-of:1"},
            "nothing stands in for image",
            id="image-without-a-stand-in",
        ),
        pytest.param(
            {"AlgorithmSpecification": {"TrainingImage": TRAINER, "TrainingInputMode": "Pipe"}},
            "Pipe mode is not available on this machine",
            id="pipe-mode",
        ),
        pytest.param(
            {"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}},
            "AlgorithmSpecification.AlgorithmName: algorithm resources are not available",
            id="algorithm-resource",
        ),
        pytest.param(
            {
                "AlgorithmSpecification": {
                    "TrainingImage": TRAINER,
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["python", "train.py"],
                }
            },
            "AlgorithmSpecification.ContainerEntrypoint: the image's own entry point is run",
            id="own-entry-point",
        ),
        pytest.param(
            {"OutputDataConfig": {"S3OutputPath": "toys/out"}},
            "Value 'toys/out' at 'outputDataConfig.s3OutputPath' failed to satisfy constraint",
            id="value-that-the-service-model-refuses",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_made(sagemaker, change, message):
    code, text = refused(sagemaker.create_training_job, **training("refused", **change))
    assert (code, message in text) == ("ValidationException", True), text
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_a_channel_without_data_is_refused_in_the_words_of_the_service(sagemaker):
    request = training("empty")
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://toys/nothing/"
    code, text = refused(sagemaker.create_training_job, **request)
    assert code == "ValidationException"
    assert text.startswith(
        'No S3 objects found under S3 URL "s3://toys/nothing/" given in input data source.'
    )


def test_a_transform_job_of_an_unknown_model_is_refused(sagemaker):
    assert refused(sagemaker.create_transform_job, **transform("score", "wrens")) == (
        "ValidationException",
        f'Could not find model "{ARN}:model/wrens".',
    )


def test_a_tuning_job_that_the_planner_would_refuse_is_refused(sagemaker):
    request = tuning("tune")
    request["HyperParameterTuningJobConfig"]["Strategy"] = "Hyperband"
    code, text = refused(sagemaker.create_hyper_parameter_tuning_job, **request)
    assert (code, "Hyperband does not run on this machine" in text) == ("ValidationException", True)


def test_a_name_that_is_taken_is_in_use(sagemaker):
    sagemaker.create_processing_job(**processing("count", "true"))
    assert refused(sagemaker.create_processing_job, **processing("count", "true")) == (
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        f"({ARN}:processing-job/count)",
    )


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        pytest.param(
            "describe_training_job",
            {"TrainingJobName": "x"},
            "ValidationException",
            "Requested resource not found.",
            id="training-job",
        ),
        pytest.param(
            "stop_training_job",
            {"TrainingJobName": "x"},
            "ValidationException",
            "Requested resource not found.",
            id="training-job-to-stop",
        ),
        pytest.param(
            "describe_processing_job",
            {"ProcessingJobName": "x"},
            "ValidationException",
            "Could not find requested job with name: x",
            id="processing-job",
        ),
        pytest.param(
            "stop_transform_job",
            {"TransformJobName": "x"},
            "ValidationException",
            "Could not find job to update with name: x",
            id="transform-job-to-stop",
        ),
        pytest.param(
            "describe_hyper_parameter_tuning_job",
            {"HyperParameterTuningJobName": "x"},
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job with the name x.",
            id="tuning-job",
        ),
        pytest.param(
            "list_training_jobs_for_hyper_parameter_tuning_job",
            {"HyperParameterTuningJobName": "x"},
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job with the name x.",
            id="training-jobs-of-a-tuning-job",
        ),
    ],
)
def test_a_job_that_does_not_exist_is_said_so(sagemaker, operation, request_, code, message):
    assert refused(getattr(sagemaker, operation), **request_) == (code, message)


def record_jobs(store, count):
    for number in range(count):
        status = ("Completed", "Failed", "Stopped")[number % 3]
        store.put(
            TRAINING_JOB,
            f"job-{number:02}",
            {
                "TrainingJobName": f"job-{number:02}",
                "TrainingJobArn": f"{ARN}:training-job/job-{number:02}",
                "TrainingJobStatus": status,
                "CreationTime": f"2026-01-{number + 1:02}T00:00:00.000Z",
                "LastModifiedTime": f"2026-02-{28 - number:02}T00:00:00.000Z",
            },
        )


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        pytest.param({}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], id="oldest-first"),
        pytest.param({"SortOrder": "Descending"}, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], id="newest-first"),
        pytest.param({"StatusEquals": "Failed"}, [1, 4, 7, 10], id="status"),
        pytest.param({"NameContains": "B-1"}, [10, 11], id="name"),
        pytest.param({"CreationTimeAfter": "2026-01-11"}, [11], id="created-after"),
        pytest.param({"CreationTimeBefore": "2026-01-02"}, [0], id="created-before"),
        pytest.param({"LastModifiedTimeAfter": "2026-02-26T12:00:00Z"}, [0, 1], id="modified-after"),
        pytest.param(
            {"SortBy": "Status", "SortOrder": "Ascending"},
            [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11],
            id="by-status",
        ),
        pytest.param(
            {"SortBy": "Name", "SortOrder": "Descending", "StatusEquals": "Stopped"},
            [11, 8, 5, 2],
            id="by-name",
        ),
        pytest.param({"WarmPoolStatusEquals": "Available"}, [], id="no-warm-pools"),
    ],
)
def test_jobs_are_listed_by_filters_in_order_and_in_pages(cloud, given, numbers):
    record_jobs(cloud.store, 12)
    paginator = cloud.client("sagemaker").get_paginator("list_training_jobs")
    for size in (100, 5):
        pages = paginator.paginate(**given, PaginationConfig={"PageSize": size})
        names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
        assert names == [f"job-{number:02}" for number in numbers]


def test_a_deleted_job_leaves_its_name_and_keeps_what_it_stored(cloud, sagemaker):
    sagemaker.create_training_job(**training("birds-1", Tags=[{"Key": "a", "Value": "b"}]))
    assert refused(sagemaker.delete_training_job, TrainingJobName="birds-1")[0] == "ResourceInUse"
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="birds-1")
    sagemaker.delete_training_job(TrainingJobName="birds-1")
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
    assert not log_of(cloud.store, TRAINING_JOB, "birds-1").exists()
    assert archive(cloud.store, "s3://toys/out/birds-1/output/model.tar.gz")
    sagemaker.create_training_job(**training("birds-1"))
    assert sagemaker.list_tags(ResourceArn=f"{ARN}:training-job/birds-1")["Tags"] == []
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="birds-1")


def test_the_end_of_the_server_ends_its_jobs_and_says_so(cloud, sagemaker):
    sagemaker.create_processing_job(**processing("long", "sleep 60"))
    eventually(
        lambda: "ProcessingStartTime" in sagemaker.describe_processing_job(ProcessingJobName="long"), True
    )
    cloud.machine.background.stop_all()
    job = sagemaker.describe_processing_job(ProcessingJobName="long")
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["FailureReason"] == "the server that ran the job was stopped"


def test_a_job_whose_process_has_died_is_settled_as_failed(cloud, sagemaker):
    place = Place(region="eu-west-1", account="123456789012", images=ImageTable({}))
    request = training("orphan")
    job = StandaloneJob(cloud.store, place, cloud.machine.engine.runners["Training"], TRAINING, request)
    assert job.register()
    assert settle(cloud.store) == ["orphan"]
    described = sagemaker.describe_training_job(TrainingJobName="orphan")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Failed", "Failed")
    assert "the process that ran the job has ended" in described["FailureReason"]
    assert settle(cloud.store) == []
