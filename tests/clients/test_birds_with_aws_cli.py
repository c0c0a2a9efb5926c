"""The detection notebook's path in the AWS CLI: from `aws s3 cp` to clean-up."""

import json
import re

import pytest

from tests.clients.checks import (
    assert_finds_objects,
    assert_trained,
    map_series,
    recipe_of,
    truth_of,
)
from tests.clients.conftest import aws_cli, sooner_or_later

pytestmark = pytest.mark.clients
ROLE = "arn:aws:iam::111122223333:role/notebook"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/object-detection:1"
LOGS = "/aws/sagemaker/TrainingJobs"
EPOCHS = {"base": 8, "grown": 3}


@pytest.fixture(scope="module")
def aws(served, birds, tmp_path_factory):
    aws = aws_cli(served, tmp_path_factory.mktemp("user"))
    aws("s3", "mb", "s3://birds")
    for name in ("train", "validation", "flips"):
        aws("s3", "cp", str(birds / f"{name}.rec"), f"s3://birds/{name}/", "--quiet")
    return aws


@pytest.fixture(scope="module")
def base(aws, birds):
    return train(aws, "base", recipe_of(birds), train="train")


@pytest.fixture(scope="module")
def grown(aws, birds, base):
    more = {"epochs": "3", "lr_scheduler_step": "2", "num_training_samples": "96"}
    return train(
        aws,
        "grown",
        {**recipe_of(birds), **more},
        train="flips",
        model=base["ModelArtifacts"]["S3ModelArtifacts"],
    )


@pytest.fixture
def trained(request):
    return request.getfixturevalue(request.param)


both = pytest.mark.parametrize("trained", EPOCHS, indirect=True)


def request_of(name, hyperparameters, *, train, model=None):
    channels = {"train": f"s3://birds/{train}", "validation": "s3://birds/validation"}
    if model is not None:
        channels["model"] = model
    types = {"model": "application/x-sagemaker-model"}
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "ContentType": types.get(channel, "application/x-recordio"),
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": uri,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for channel, uri in channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://birds/output"},
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def train(aws, name, hyperparameters, **channels):
    """DescribeTrainingJob's answer about a job that has ended well."""
    start(aws, name, hyperparameters, **channels)
    job = ended(aws, name)
    # It looks every two minutes: here it agrees at once.
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", name)
    return job


def start(aws, name, hyperparameters, **channels):
    made = create(aws, "training-job", request_of(name, hyperparameters, **channels))
    assert made["TrainingJobArn"].endswith(f":training-job/{name}")


def create(aws, kind, request):
    (aws.folder / "job.json").write_text(json.dumps(request))
    return aws.json("sagemaker", f"create-{kind}", "--cli-input-json", "file://job.json")


def ended(aws, name, kind="training-job"):
    """The Describe call's answer about a job, as soon as it has ended."""
    status = kind.title().replace("-", "") + "Status"

    def known():
        job = aws.json("sagemaker", f"describe-{kind}", f"--{kind}-name", name)
        return None if job[status] in ("InProgress", "Stopping") else job

    return sooner_or_later(known)


@both
def test_the_final_metric_is_the_last_of_the_log(aws, trained):
    name = trained["TrainingJobName"]
    named = ("--log-group-name", LOGS, "--log-stream-name-prefix", name)
    (stream,) = aws.json("logs", "describe-log-streams", *named)["logStreams"]
    of_stream = ("--log-group-name", LOGS, "--log-stream-name", stream["logStreamName"])
    read = aws.json("logs", "get-log-events", *of_stream, "--start-from-head")["events"]
    series = map_series("\n".join(event["message"] for event in read))
    assert_trained(trained, series, metric="validation:mAP", epochs=EPOCHS[name])


def test_a_filter_finds_the_lines_of_the_chart(aws, base, birds):
    pattern = ("--filter-pattern", '"validation mAP <score>="', "--query", "events[].message")
    found = aws.json(
        "logs", "filter-log-events", "--log-group-name", LOGS, "--log-stream-name-prefix", "base", *pattern
    )
    assert len(found) == len(map_series("\n".join(found))) == EPOCHS["base"]


def test_the_second_training_begins_with_the_first_ones_model(aws, grown):
    lines = aws(
        "logs",
        "filter-log-events",
        "--log-group-name",
        LOGS,
        "--log-stream-name-prefix",
        "grown",
        "--output",
        "text",
    )
    assert "Start training from the model in the model channel." in lines


@both
def test_a_deployed_model_finds_what_is_in_pictures_until_it_is_deleted(aws, birds, trained):
    name = f"birds-{trained['TrainingJobName']}"
    deploy(aws, name, trained["ModelArtifacts"]["S3ModelArtifacts"])
    answers = [ask(aws, name, path) for path in sorted(birds.glob("?.jpg"))]
    assert_finds_objects(answers, truth_of(birds))
    aws("sagemaker", "delete-endpoint", "--endpoint-name", name)
    sooner_or_later(lambda: status_of_endpoint(aws, name) is None)
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", name)
    aws("sagemaker", "delete-endpoint-config", "--endpoint-config-name", name)
    aws("sagemaker", "delete-model", "--model-name", name)
    for noun, option, said in (
        ("endpoint", "--endpoint-name", "endpoint"),
        ("endpoint-config", "--endpoint-config-name", "endpoint configuration"),
        ("model", "--model-name", "model"),
    ):
        refusal = aws.refusal("sagemaker", f"describe-{noun}", option, name)
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:{noun}/{name}"
        assert "An error occurred (ValidationException)" in refusal
        assert refusal.endswith(f'Could not find {said} "{arn}".')


def deploy(aws, name, artifact):
    container = json.dumps({"Image": IMAGE, "ModelDataUrl": artifact})
    made = aws.json(
        *("sagemaker", "create-model", "--model-name", name, "--execution-role-arn", ROLE),
        *("--primary-container", container),
    )
    assert made["ModelArn"].endswith(f":model/{name}")
    variant = f"VariantName=All,ModelName={name},InitialInstanceCount=1,InstanceType=ml.m4.xlarge"
    aws(
        *("sagemaker", "create-endpoint-config", "--endpoint-config-name", name),
        *("--production-variants", variant),
    )
    aws("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    # The waiters look every half minute: here they agree at once.
    sooner_or_later(lambda: status_of_endpoint(aws, name) != "Creating")
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)


def status_of_endpoint(aws, name):
    listed = aws.json("sagemaker", "list-endpoints", "--name-contains", name)["Endpoints"]
    return next((entry["EndpointStatus"] for entry in listed), None)


def ask(aws, endpoint, picture):
    said = aws.json(
        *("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", endpoint),
        *("--content-type", "image/jpeg", "--body", f"fileb://{picture}", "answer.json"),
    )
    assert (said["ContentType"], said["InvokedProductionVariant"]) == ("application/json", "All")
    return json.loads((aws.folder / "answer.json").read_text())["prediction"]


def test_a_processing_job_leaves_its_outputs_and_its_log(aws, birds):
    where = "/opt/ml/processing"
    script = f"import os; print(*os.listdir('{where}/in')); open('{where}/out/sizes', 'w').write('9')"
    request = {
        "ProcessingJobName": "look",
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-vision-processing:1",
            "ContainerEntrypoint": ["python3", "-c", script],
        },
        "ProcessingInputs": [
            {
                "InputName": "in",
                "S3Input": {
                    "S3Uri": "s3://birds/train",
                    "LocalPath": f"{where}/in",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": "s3://birds/look",
                        "LocalPath": f"{where}/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
    }
    create(aws, "processing-job", request)
    assert ended(aws, "look", "processing-job")["ProcessingJobStatus"] == "Completed"
    aws("sagemaker", "wait", "processing-job-completed-or-stopped", "--processing-job-name", "look")
    assert aws("s3", "cp", "s3://birds/look/sizes", "-") == "9"
    read = ("logs", "filter-log-events", "--log-group-name", "/aws/sagemaker/ProcessingJobs")
    assert aws.json(*read, "--query", "events[].message") == ["train.rec"]


def test_a_batch_transform_scores_pictures(aws, base, birds):
    container = {"Image": IMAGE, "ModelDataUrl": base["ModelArtifacts"]["S3ModelArtifacts"]}
    aws(
        *("sagemaker", "create-model", "--model-name", "batch", "--execution-role-arn", ROLE),
        *("--primary-container", json.dumps(container)),
    )
    aws("s3", "sync", str(birds), "s3://birds/pictures", "--exclude", "*", "--include", "*.jpg")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://birds/pictures"}}
    request = {
        "TransformJobName": "score",
        "ModelName": "batch",
        "TransformInput": {"ContentType": "image/jpeg", "DataSource": source},
        "TransformOutput": {"S3OutputPath": "s3://birds/scored"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    create(aws, "transform-job", request)
    assert ended(aws, "score", "transform-job")["TransformJobStatus"] == "Completed"
    aws("sagemaker", "wait", "transform-job-completed-or-stopped", "--transform-job-name", "score")
    aws("s3", "sync", "s3://birds/scored", "scored")
    answers = [json.loads(path.read_text()) for path in sorted((aws.folder / "scored").glob("*.jpg.out"))]
    assert_finds_objects([answer["prediction"] for answer in answers], truth_of(birds))


def test_artifacts_are_fetched_as_archives(aws, base, tmp_path):
    uri = base["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == "s3://birds/output/base/output/model.tar.gz"
    aws("s3", "cp", uri, str(tmp_path))
    assert (tmp_path / "model.tar.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert re.search(
        r"\d+ output/base/output/model.tar.gz", aws("s3", "ls", "--recursive", "s3://birds/output")
    )


def test_a_failed_job_says_why_and_the_waiter_ends(aws, birds):
    start(aws, "broken", {**recipe_of(birds), "num_classes": "many"}, train="train")
    job = ended(aws, "broken")
    assert job["TrainingJobStatus"] == "Failed"
    assert "num_classes" in job["FailureReason"]
    wait = ("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "broken")
    assert "Waiter encountered a terminal failure state" in aws.refusal(*wait)


def test_a_job_is_stopped(aws, birds):
    start(aws, "endless", {**recipe_of(birds), "epochs": "5000"}, train="train")
    aws("sagemaker", "stop-training-job", "--training-job-name", "endless")
    assert ended(aws, "endless")["TrainingJobStatus"] == "Stopped"
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "endless")
    stopped = aws.json("sagemaker", "list-training-jobs", "--status-equals", "Stopped")
    assert [job["TrainingJobName"] for job in stopped["TrainingJobSummaries"]] == ["endless"]


def test_jobs_are_listed_page_by_page(aws, base, grown):
    listed = ("sagemaker", "list-training-jobs", "--sort-by", "Name", "--sort-order", "Ascending")
    first = aws.json(*listed, "--max-items", "1")
    rest = aws.json(*listed, "--starting-token", first["NextToken"], "--page-size", "1")
    names = [job["TrainingJobName"] for page in (first, rest) for job in page["TrainingJobSummaries"]]
    assert names == sorted(names)
    assert {"base", "grown"} <= set(names)


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        pytest.param(
            ("sagemaker", "list-notebook-instances"), "sagemaker: ListNotebookInstances", id="sagemaker"
        ),
        pytest.param(("s3", "website", "s3://birds"), "S3: PutBucketWebsite", id="s3"),
        pytest.param(("logs", "describe-export-tasks"), "logs: DescribeExportTasks", id="logs"),
        pytest.param(("events", "list-event-buses"), "events: ListEventBuses", id="events"),
        pytest.param(
            ("scheduler", "create-schedule-group", "--name", "mine"),
            "scheduler: CreateScheduleGroup",
            id="scheduler",
        ),
        pytest.param(("sts", "get-federation-token", "--name", "me"), "sts: GetFederationToken", id="sts"),
    ],
)
def test_an_operation_that_is_not_here_is_refused_by_its_name(aws, words, operation):
    refusal = aws.refusal(*words)
    assert refusal.startswith("An error occurred (NotImplemented)")
    assert refusal.endswith(f"{operation} is not available on this machine")


def test_everybody_is_the_same_caller(aws):
    caller = aws.json("sts", "get-caller-identity")
    assert caller["Arn"] == "arn:aws:sts::000000000000:assumed-role/workflows/local"
