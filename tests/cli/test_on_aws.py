"""Commands with --on aws, against `workflows serve` in a process of its own."""

import json
import secrets
import subprocess

import pytest

from tests.aws.answers import answering
from tests.aws.toy_models import DETECTOR, answer
from tests.cli.conftest import WORKFLOWS
from tests.processes import wait_until
from tests.toys import condition, definition, fail, get, output_of, processing, training
from workflows.cli.place import on_aws
from workflows.settings import load

LIMIT_S = 60
COPY = "cp /opt/ml/processing/input/data/* /opt/ml/processing/output/out; echo copied"
TYPES = ["ml.m5.large"]
PARAMETERS = [
    {"Name": "InputDataUrl", "Type": "String", "DefaultValue": "s3://toys-data/right"},
    {"Name": "Map", "Type": "String", "DefaultValue": "0.25,0.75,0.5"},
]


def register(name, group, trained_by):
    container = {
        "Image": DETECTOR,
        "ModelDataUrl": get(f"Steps.{trained_by}.ModelArtifacts.S3ModelArtifacts"),
    }
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["image/jpeg"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": TYPES,
    }
    arguments = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": specification,
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments}


def detector(group, script=COPY):
    """Its model is the data, and the data is what the endpoint answers."""
    return definition(
        processing("Prepare", script, inputs={"data": get("Parameters.InputDataUrl")}),
        training(
            "Train",
            channels={"train": output_of("Prepare", "out")},
            hyperparameters={"map": get("Parameters.Map")},
        ),
        register("Register", group, "Train"),
        parameters=PARAMETERS,
    )


@pytest.fixture(scope="session")
def data(served_clients):
    s3 = served_clients.s3
    s3.create_bucket(Bucket="toys-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="toys-data", Key="right/answer.json", Body=answer().encode())
    wrong = answer('{"prediction": [[0, 9, 0, 0, 1, 1]]}')
    s3.put_object(Bucket="toys-data", Key="wrong/answer.json", Body=wrong.encode())


@pytest.fixture
def name():
    """Of a pipeline: the tests share a server."""
    return f"toys-{secrets.token_hex(4)}"


@pytest.fixture
def write(tmp_path, name):
    """Writes a definition to the file that the pipeline is named after."""

    def to_file(text):
        (tmp_path / f"{name}.json").write_text(text)
        return f"{name}.json"

    return to_file


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "cardinal.jpg"
    file.write_bytes(b"a picture")
    return file


def upserted(aws, write, text):
    file = write(text)
    done = aws("upsert", file)
    assert done.returncode == 0, done.stderr
    return file


def started(aws, name, *arguments):
    """Start an execution; returns its id."""
    done = aws("start", name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("/")[2]


def test_from_a_definition_to_an_endpoint_a_schedule_and_away_again(aws, data, name, write, picture, served):
    file = write(detector(name))
    assert f"{name} would be created" in aws("plan", file, "--output", "plan.json").stdout
    assert aws("upsert", file, "--plan", "plan.json").stdout.strip().endswith(f"pipeline/{name} created")

    execution = started(aws, name, "--token", "build-1")
    watched = aws("watch", execution)
    assert watched.returncode == 0, watched.stderr
    assert "* Prepare (Processing)" in watched.stderr
    assert "* Train Succeeded after" in watched.stderr
    assert f"model      {name}/1 PendingManualApproval" in watched.stdout
    assert "copied" in aws("logs", execution, "Prepare").stdout.splitlines()

    early = aws("deploy", f"{name}/1", "--picture", picture)
    assert early.returncode == 2
    assert f"only an Approved one is deployed: workflows models approve {name}/1 --on aws" in early.stderr
    assert aws("models", "approve", f"{name}/1").stdout == f"{name}/1 Approved\n"
    assert aws("deploy", f"{name}/1", "--picture", picture).returncode == 0

    aws("models", "approve", _second_version(aws, name))
    assert aws("deploy", f"{name}/2", "--picture", picture).returncode == 0
    back = aws("rollback", name)
    assert (back.returncode, f"{name}: went back from {name}-v2-" in back.stdout) == (0, True)

    assert aws("schedule", name, "--rate", "7 days").returncode == 0
    assert name in aws("schedules").stdout
    assert aws("unschedule", name).returncode == 0

    kinds = [entry["Kind"] for entry in aws.json("cleanup", name, "--all")["Leftovers"]]
    assert kinds[0] == "endpoint" and kinds[-1] == "pipeline"
    assert aws("cleanup", name, "--all", "--delete").returncode == 0
    gone = aws("plan", file)
    assert f"{name} would be created" in gone.stdout


def _second_version(aws, name):
    again = aws("start", name, "--wait", "--set", "Map=0.5,0.9", "--json")
    assert again.returncode == 0, again.stderr
    (package,) = again.document["ModelPackages"]
    return f"{name}/{package['ModelPackageVersion']}"


def test_an_approved_version_with_wrong_answers_never_stays(aws, data, name, write, picture):
    upserted(aws, write, detector(name))
    for source in ("right", "wrong"):
        done = aws("start", name, "--wait", "--set", f"InputDataUrl=s3://toys-data/{source}")
        assert done.returncode == 0, done.stderr
    aws("models", "approve", f"{name}/1")
    aws("models", "approve", f"{name}/2")
    assert aws("deploy", f"{name}/1", "--picture", picture).returncode == 0
    done = aws("deploy", f"{name}/2", "--picture", picture)
    assert (done.returncode, f"{name} went back to {name}-v1-" in done.stderr) == (1, True)


def test_a_plan_tells_field_by_field_and_changes_nothing(aws, data, name, write):
    upserted(aws, write, detector(name))
    file = write(detector(name, COPY.replace("copied", "moved")))
    done = aws("plan", file)
    assert done.returncode == 0
    assert f"{name} would be updated" in done.stdout
    assert "~ step Prepare" in done.stdout
    assert "Arguments.AppSpecification.ContainerArguments[0]: " in done.stdout
    assert aws.json("plan", file)["Action"] == "updated"
    assert aws("upsert", file).stdout.strip().endswith("updated")
    assert aws("plan", file).stdout == f"{name}: nothing would change\n"


def test_a_stale_plan_is_refused(aws, data, name, write, served_clients):
    file = upserted(aws, write, detector(name))
    write(detector(name, "date"))
    aws("plan", file, "--output", "plan.json")
    served_clients.sagemaker.update_pipeline(
        PipelineName=name,
        PipelineDefinition=detector(name, "uptime"),
        RoleArn="arn:aws:iam::123456789012:role/x",
    )
    stale = aws("upsert", file, "--plan", "plan.json")
    assert stale.returncode == 2
    assert f"{name} was changed" in stale.stderr
    assert "since the plan was made; look at a new one" in stale.stderr


def test_a_plan_of_another_definition_is_refused_and_one_that_came_true_is_not(aws, data, name, write):
    file = write(detector(name))
    aws("plan", file, "--output", "plan.json")
    write(detector(name, "date"))
    other = aws("upsert", file, "--plan", "plan.json")
    assert (other.returncode, "has changed since the plan was made" in other.stderr) == (2, True)
    write(detector(name))
    assert aws("upsert", file, "--plan", "plan.json").stdout.strip().endswith("created")
    assert aws("upsert", file, "--plan", "plan.json").stdout.strip().endswith("unchanged")


@pytest.mark.parametrize("text", ["{", "[]", '{"PipelineName": "x"}'])
def test_what_is_no_plan_is_refused(aws, name, write, tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    done = aws("upsert", write(detector(name)), "--plan", "plan.json")
    assert (done.returncode, "plan.json: not a plan" in done.stderr) == (2, True)


def test_a_plan_that_cannot_be_written_is_told(aws, name, write):
    done = aws("plan", write(detector(name)), "--output", "nowhere/plan.json")
    assert (done.returncode, "nowhere/plan.json: cannot be written" in done.stderr) == (2, True)


def test_one_token_starts_one_execution(aws, data, name, write):
    upserted(aws, write, definition(processing("Prepare", "true", outputs=())))
    first = aws.json("start", name, "--token", "build 17")
    assert aws.json("start", name, "--token", "build 17") == first
    assert aws.json("start", name, "--token", "build 18") != first
    listed = aws.json("executions", "--pipeline", name)
    assert len(listed) == 2
    for entry in listed:
        aws("watch", entry["execution"])


def test_a_failure_is_told_with_its_reason_and_the_end_of_the_log(aws, name, write):
    script = "for i in $(seq 1 30); do echo line $i; done; echo the data is broken >&2; exit 7"
    upserted(aws, write, definition(processing("Prepare", script, outputs=())))
    done = aws("start", name, "--wait")
    assert done.returncode == 1
    assert "ERROR Prepare: " in done.stderr
    assert "< Prepare  the data is broken" in done.stderr
    assert "< Prepare  line 30" in done.stderr
    assert "< Prepare  line 5\n" not in done.stderr
    execution = aws.json("executions", "--pipeline", name)[0]["execution"]
    assert f"TIP   go on from there: workflows retry {execution} --on aws" in done.stderr
    watched = aws("watch", execution, "--json")
    assert (watched.returncode, watched.document["PipelineExecutionStatus"]) == (1, "Failed")
    assert "Traceback" not in done.stderr + watched.stderr


def test_who_may_not_read_logs_is_told_the_reason_all_the_same(aws, name, write, monkeypatch):
    upserted(aws, write, definition(processing("Prepare", "exit 7", outputs=())))
    with answering() as (answers, url):
        answers.refuse("AccessDeniedException", "not authorized", status=403)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", url)
        done = aws("start", name, "--wait")
    assert done.returncode == 1
    assert "* the log of Prepare cannot be read: DescribeLogStreams is not allowed" in done.stderr
    assert "ERROR execution" in done.stderr


def test_what_a_fail_step_has_ended_is_not_proposed_to_be_retried(aws, name, write):
    test = {"Type": "Equals", "LeftValue": 1, "RightValue": 2}
    upserted(aws, write, definition(condition("Gate", test, else_steps=[fail("Refuse", "not good enough")])))
    done = aws("start", name, "--wait")
    assert done.returncode == 1
    assert "not good enough" in done.stderr
    assert "workflows retry" not in done.stderr


def test_an_execution_is_stopped_and_the_watch_says_so(aws, name, write):
    upserted(aws, write, definition(processing("Wait", "echo waiting; exec sleep 600", outputs=())))
    execution = started(aws, name)
    limited = aws("watch", execution, "--limit", "1")
    assert limited.returncode == 1
    assert f"has not ended within 1 s; it goes on: workflows watch {execution} --on aws" in limited.stderr
    assert wait_until(lambda: "waiting" in aws("logs", execution, "Wait").stdout, LIMIT_S)
    stopped = aws("stop", execution)
    assert (stopped.returncode, stopped.stdout.split()[-1]) in ((0, "Stopping"), (0, "Stopped"))
    watched = aws("watch", execution)
    assert watched.returncode == 1
    assert f"ERROR execution {execution} Stopped" in watched.stderr
    again = aws("stop", execution)
    assert (again.returncode, "Traceback" not in again.stderr) == (2, True)


def test_a_log_is_followed_to_the_steps_end(aws, name, write):
    script = "for i in 1 2 3 4; do echo line $i; sleep 0.3; done"
    upserted(aws, write, definition(processing("Count", script, outputs=())))
    execution = started(aws, name)
    followed = aws("logs", execution, "Count", "--follow")
    assert followed.returncode == 0, followed.stderr
    lines = [line for line in followed.stdout.splitlines() if line.startswith("line")]
    assert lines == ["line 1", "line 2", "line 3", "line 4"]
    entries = [json.loads(line) for line in aws("logs", execution, "Count", "--json").stdout.splitlines()]
    assert [entry["message"] for entry in entries if entry["message"].startswith("line")] == lines
    aws("watch", execution)
    unknown = aws("logs", execution, "Cuont")
    assert (unknown.returncode, "has no step 'Cuont'; did you mean 'Count'?" in unknown.stderr) == (2, True)


def test_metrics_are_listed_drawn_and_their_maximum_is_named(aws, data, name, write):
    upserted(aws, write, detector(name))
    execution = aws("start", name, "--wait", "--json").document["execution"]
    done = aws("metrics", execution)
    assert done.returncode == 0, done.stderr
    assert "maximum validation:mAP of Train: 0.7500 in epoch 1" in done.stdout
    document = aws.json("metrics", execution)
    (series,) = document["Series"]
    assert (series["Values"], series["Maximum"]) == ([0.25, 0.75, 0.5], 0.75)
    (chart,) = document["Charts"]
    with open(chart, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_training_that_diverges_has_the_maximum_of_its_numbers(aws, data, name, write):
    document = json.loads(detector(name))
    algorithm = document["Steps"][1]["Arguments"]["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "validation:mAP", "Regex": r"mAP=\((\S+)\)"}]
    upserted(aws, write, json.dumps(document))
    execution = aws("start", name, "--wait", "--set", "Map=0.5,nan,0.25", "--json").document["execution"]
    (series,) = aws.json("metrics", execution)["Series"]
    assert (series["Values"], series["Maximum"]) == ([0.5, None, 0.25], 0.5)


def test_an_execution_goes_on_after_its_cause_is_removed(aws, name, write, tmp_path):
    flag = tmp_path / "flag"
    steps = [
        processing("First", "true", outputs=()),
        processing("Second", f"test -f {flag}", outputs=(), DependsOn=["First"]),
    ]
    upserted(aws, write, definition(*steps))
    failed = aws("start", name, "--wait")
    assert failed.returncode == 1
    flag.write_text("")
    execution = aws.json("executions", "--pipeline", name)[0]["execution"]
    done = aws("retry", execution, "--wait")
    assert done.returncode == 0, done.stderr
    assert "* Second Succeeded" in done.stderr
    again = aws("retry", execution)
    assert (again.returncode, "Traceback" not in again.stderr) == (2, True)


def test_a_schedule_fires_when_the_clock_has_come_to_it(aws, name, write, served):
    upserted(aws, write, definition(processing("Prepare", "true", outputs=()), parameters=PARAMETERS))
    done = aws.json("schedule", name, "--rate", "7 days", "--set", "Map=0.9")
    assert len(done["NextStarts"]) == 3
    assert aws.json("executions", "--pipeline", name) == []
    _clock(served, "advance", "8d")
    try:
        assert wait_until(lambda: len(aws.json("executions", "--pipeline", name)) == 1, LIMIT_S)
        assert aws("unschedule", name).returncode == 0
    finally:
        _clock(served, "reset")  # the other tests' schedules are not due yet
    (entry,) = aws.json("executions", "--pipeline", name)
    aws("watch", entry["execution"])
    shown = aws.json("show", entry["execution"])
    assert {"Name": "Map", "Value": "0.9"} in shown["PipelineParameters"]


def test_every_verb_has_its_answer_as_json(aws, data, name, write, picture):
    file = write(detector(name))
    made = aws.json("upsert", file)
    assert (made["PipelineArn"].rpartition("/")[2], made["Action"]) == (name, "created")
    arn = aws.json("start", name)["PipelineExecutionArn"]
    assert aws.json("watch", arn)["PipelineExecutionStatus"] == "Succeeded"
    approved = aws.json("models", "approve", f"{name}/1", "--reason", "looks right")
    assert approved["ModelApprovalStatus"] == "Approved"
    assert aws.json("models", "show", f"{name}/1")["ApprovalDescription"] == "looks right"
    assert aws.json("deploy", f"{name}/1", "--no-smoke-test")["Action"] == "create"
    assert name in [entry["EndpointName"] for entry in aws.json("endpoints", "list")]
    assert aws.json("schedule", name, "--cron", "0 3 ? * SUN *")["ScheduleArn"].endswith(f"/{name}")
    assert name in [entry["Name"] for entry in aws.json("schedules")]
    assert aws.json("unschedule", name) == {"Name": name, "deleted": True}
    assert aws.json("endpoints", "delete", name) == {"EndpointName": name, "deleted": True}
    write(definition(processing("Wait", "exec sleep 600", outputs=())))
    assert aws.json("upsert", file)["Action"] == "updated"
    arn = aws.json("start", name)["PipelineExecutionArn"]
    assert aws.json("stop", arn)["PipelineExecutionStatus"] in ("Stopping", "Stopped")
    stopped = aws("watch", arn, "--json")
    assert (stopped.returncode, stopped.document["PipelineExecutionStatus"]) == (1, "Stopped")
    again = aws.json("retry", arn)
    assert again == {"PipelineExecutionArn": arn}
    aws("stop", arn)


def _clock(served, *arguments):
    subprocess.run([WORKFLOWS, "clock", *arguments], cwd=served.folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(["start", "nothing-here"], "no pipeline 'nothing-here' is here", id="pipeline"),
        pytest.param(["start", "toys.json"], "", id="file-for-name"),
        pytest.param(["watch", "abc"], "no execution 'abc'", id="execution"),
        pytest.param(["watch", "arn:aws:sagemaker:x"], "no execution 'arn:aws:sagemaker:x'", id="arn"),
        pytest.param(["upsert", "nowhere.json"], "neither a pipeline", id="file"),
        pytest.param(["rollback", "nothing-here"], "no endpoint is named 'nothing-here'", id="endpoint"),
        pytest.param(["unschedule", "nothing-here"], "no schedule is named 'nothing-here'", id="schedule"),
        pytest.param(["cleanup", "nothing-here"], "no pipeline 'nothing-here' is here", id="cleanup"),
        pytest.param(["models", "approve", "x/1"], "no model version 'x/1'", id="version"),
        pytest.param(["models", "list", "nothing-here"], "no model group 'nothing-here'", id="group"),
    ],
)
def test_what_is_not_there_is_told_and_exits_with_2(aws, arguments, fragment):
    done = aws(*arguments)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_credentials_region_and_role_are_told(aws, name, write, monkeypatch):
    file = write(detector(name))
    monkeypatch.delenv("SAGEMAKER_PIPELINE_ROLE_ARN")
    done = aws("upsert", file)
    assert (done.returncode, "set `role` (SAGEMAKER_PIPELINE_ROLE_ARN)" in done.stderr) == (2, True)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    done = aws("executions")
    assert (done.returncode, "there are no AWS credentials; run `aws configure`" in done.stderr) == (2, True)
    monkeypatch.setenv("AWS_REGION", "nowhere!")
    done = aws("executions")
    assert (done.returncode, "nowhere!" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_pipeline_of_ours_needs_a_bucket_of_the_account(aws):
    done = aws("upsert", "birds-detection")
    assert (done.returncode, "set `bucket` (ARTIFACT_BUCKET)" in done.stderr) == (2, True)


def test_the_region_of_the_aws_configuration_comes_before_our_default(aws, tmp_path, monkeypatch):
    (tmp_path / "aws-config").write_text("[default]\nregion = eu-central-1\n")
    monkeypatch.delenv("AWS_REGION")
    found = on_aws(load(flags={}, environment={}, folder=tmp_path))
    assert (found["region"], found.values["region"].origin) == ("eu-central-1", "AWS configuration")
    explicit = on_aws(load(flags={}, environment={"AWS_REGION": "eu-west-3"}, folder=tmp_path))
    assert explicit["region"] == "eu-west-3"


def test_the_installed_command_does_the_same(served, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": served.url,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "eu-west-1",
        "WORKFLOWS_ON": "aws",
    }

    def call(*arguments):
        return subprocess.run(
            [WORKFLOWS, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert call("schedules").returncode == 0
    refused = call("watch", "abc")
    assert (refused.returncode, refused.stderr) == (
        2,
        "ERROR no execution 'abc'; `workflows executions --on aws` lists them\n",
    )


# The same verbs on this machine, by the same code.


def test_the_same_verbs_work_on_this_machine(here, name, write):
    file = write(definition(processing("Prepare", "echo prepared", outputs=())))
    assert f"{name} would be created" in here("plan", file).stdout
    assert here("upsert", file).stdout.strip().endswith("created")
    assert here("upsert", file).stdout.strip().endswith("unchanged")
    assert here.json("start", name)["PipelineExecutionStatus"] == "Succeeded"
    execution = here.json("executions", "--pipeline", name)[0]["execution"]
    assert "prepared" in here("logs", execution, "Prepare").stdout
    assert here("watch", execution).returncode == 0
    assert here("schedule", name, "--cron", "0 3 ? * SUN *").returncode == 0
    assert name in here("schedules").stdout
    assert here("unschedule", name).returncode == 0
    assert here("cleanup", name, "--all", "--delete").returncode == 0
    assert f"{name} would be created" in here("plan", file).stdout
