"""Executions, as boto3 sees them: on record, at work, stopped, retried, left behind."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import make_machine
from tests.server.sagemaker.gates import LIMIT_S, ROLE, Gates, create, definition, work
from tests.toys import fail, get, processing
from workflows.local.liveness import engine_of
from workflows.local.records import EXECUTION, PROCESSING_JOB
from workflows.local.runners.table import RUNNERS
from workflows.server.sagemaker.orphans import adopt_orphans

TOKEN = "t" * 32
PARAMETERS = [
    {"Name": "Epochs", "Type": "Integer", "DefaultValue": 3},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.1},
    {"Name": "Bucket", "Type": "String"},
]
ONE = definition(work("A"))
CHAIN = definition(work("First"), work("Second", "First"), work("Third", "Second"))
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/labels"


@pytest.fixture
def gates():
    return Gates()


@pytest.fixture
def runners(gates):
    return {**RUNNERS, "AutoML": gates}


@pytest.fixture
def client(cloud):
    return cloud.client("sagemaker")


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def start(client, text=None, pipeline="birds", **more):
    if text is not None:
        create(client, pipeline, text)
    return client.start_pipeline_execution(PipelineName=pipeline, **more)["PipelineExecutionArn"]


def describe(client, arn):
    return client.describe_pipeline_execution(PipelineExecutionArn=arn)


def status(client, arn):
    return describe(client, arn)["PipelineExecutionStatus"]


def ended(client, arn):
    """The status at the end."""
    return wait_for(lambda: (now := status(client, arn)) not in ("Executing", "Stopping") and now)


def wait_for(look):
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise TimeoutError


def steps(client, arn, **more):
    return client.list_pipeline_execution_steps(PipelineExecutionArn=arn, **more)["PipelineExecutionSteps"]


def executions(client, pipeline="birds", **more):
    answer = client.list_pipeline_executions(PipelineName=pipeline, **more)
    return [entry["PipelineExecutionArn"] for entry in answer["PipelineExecutionSummaries"]]


def test_an_execution_is_on_record_as_it_was_started_and_ends_by_itself(client, gates):
    gates.shut("A")
    text = definition(work("A"), parameters=PARAMETERS)
    create(client, "birds", text)
    arn = start(
        client,
        PipelineExecutionDisplayName="nightly",
        PipelineExecutionDescription="By the test",
        PipelineParameters=[{"Name": "Bucket", "Value": "toys"}, {"Name": "Epochs", "Value": "7"}],
    )
    assert arn.startswith("arn:aws:sagemaker:eu-west-1:123456789012:pipeline/birds/execution/")
    gates.wait_for("A")
    found = describe(client, arn)
    assert found["PipelineArn"] == "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/birds"
    assert found["PipelineExecutionStatus"] == "Executing"
    assert found["PipelineExecutionDisplayName"] == "nightly"
    assert found["PipelineExecutionDescription"] == "By the test"
    assert found["PipelineVersionId"] == 1
    assert found["RoleArn"] == ROLE
    assert found["CreatedBy"]["IamIdentity"]["Arn"].startswith("arn:aws:sts::123456789012:")
    gates.open("A")
    assert ended(client, arn) == "Succeeded"
    after = describe(client, arn)
    assert after["LastModifiedTime"] > after["CreationTime"] == found["CreationTime"]
    assert after["PipelineExecutionDescription"] == "By the test"
    listed = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert listed["PipelineParameters"] == [
        {"Name": "Epochs", "Value": "7"},
        {"Name": "Rate", "Value": "0.1"},
        {"Name": "Bucket", "Value": "toys"},
    ]
    pages = client.get_paginator("list_pipeline_parameters_for_execution").paginate(
        PipelineExecutionArn=arn, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["PipelineParameters"]) for page in pages] == [2, 1]
    found = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert found["PipelineDefinition"] == text


def test_the_log_tells_an_execution_line_by_line(client, gates, caplog):
    caplog.set_level("INFO", logger="workflows.server.executions")
    gates.failing.add("Second")
    arn = start(client, CHAIN)
    assert ended(client, arn) == "Failed"
    wait_for(lambda: "execution-ended" in caplog.text)
    lines = [json.loads(record.message) for record in caplog.records if record.name.endswith("executions")]
    assert {line["execution"] for line in lines} == {arn.rpartition("/")[2]}
    assert [(line["event"], line.get("step"), line.get("status")) for line in lines] == [
        ("execution-started", None, None),
        ("step-started", "First", None),
        ("step-ended", "First", "Succeeded"),
        ("step-started", "Second", None),
        ("step-ended", "Second", "Failed"),
        ("execution-ended", None, "Failed"),
    ]


def test_an_execution_keeps_the_definition_of_its_start(client, gates):
    gates.shut("A")
    first = start(client, ONE)
    client.update_pipeline(PipelineName="birds", PipelineDefinition=CHAIN)
    gates.open("A")
    assert ended(client, first) == "Succeeded"
    found = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=first)
    assert found["PipelineDefinition"] == ONE
    old = start(client, PipelineVersionId=1)
    assert ended(client, old) == "Succeeded"
    assert [step["StepName"] for step in steps(client, old)] == ["A"]
    versions = client.list_pipeline_versions(PipelineName="birds")["PipelineVersionSummaries"]
    assert len(versions) == 2


def test_steps_are_listed_with_what_their_definition_and_their_jobs_say(client):
    text = definition(
        processing("Prepare", "echo 1 > /opt/ml/processing/output/out/n", DisplayName="Get ready"),
        processing("Spoil", "echo no >&2; exit 3", DependsOn=["Prepare"], Description="Does not work"),
    )
    arn = start(client, text)
    assert ended(client, arn) == "Failed"
    spoil, prepare = steps(client, arn)
    assert (prepare["StepName"], prepare["StepDisplayName"]) == ("Prepare", "Get ready")
    assert prepare["StepStatus"] == "Succeeded"
    assert prepare["AttemptCount"] == 1
    assert prepare["StartTime"] < prepare["EndTime"] <= spoil["StartTime"]
    job = prepare["Metadata"]["ProcessingJob"]["Arn"]
    assert job.startswith("arn:aws:sagemaker:eu-west-1:123456789012:processing-job/pipelines-")
    assert (spoil["StepName"], spoil["StepDescription"]) == ("Spoil", "Does not work")
    assert spoil["StepStatus"] == "Failed"
    assert "exit code 3" in spoil["FailureReason"] or "code: 3" in spoil["FailureReason"]
    found = describe(client, arn)
    assert found["FailureReason"].startswith("Step failure: Spoil: ")
    summary = client.list_pipeline_executions(PipelineName="birds")["PipelineExecutionSummaries"][0]
    assert summary["PipelineExecutionFailureReason"] == found["FailureReason"]
    assert summary["StartTime"] == found["CreationTime"]
    assert summary["PipelineExecutionStatus"] == "Failed"


def test_a_step_that_works_tells_its_job(client, cloud):
    arn = start(client, definition(processing("Wait", "sleep 60")))
    wait_for(lambda: cloud.store.all(PROCESSING_JOB))
    (step,) = wait_for(lambda: steps(client, arn))
    assert step["StepStatus"] == "Executing"
    assert step["Metadata"]["ProcessingJob"]["Arn"] == cloud.store.all(PROCESSING_JOB)[0]["ProcessingJobArn"]
    client.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert ended(client, arn) == "Stopped"


def test_steps_come_in_pages_the_latest_first(client):
    text = definition(*(work(f"A{number}", *([f"A{number - 1}"] if number else [])) for number in range(5)))
    arn = start(client, text)
    assert ended(client, arn) == "Succeeded"
    names = [f"A{number}" for number in range(5)]
    assert [step["StepName"] for step in steps(client, arn)] == names[::-1]
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    found = [[step["StepName"] for step in page["PipelineExecutionSteps"]] for page in pages]
    assert found == [names[:2], names[2:4], names[4:]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            {"PipelineParameters": [{"Name": "Buckets", "Value": "toys"}]},
            "no parameter is named 'Buckets'; did you mean 'Bucket'?",
            id="unknown",
        ),
        pytest.param(
            {"PipelineParameters": [{"Name": "Bucket", "Value": "b"}, {"Name": "Epochs", "Value": "1.5"}]},
            "parameter 'Epochs' takes an Integer; '1.5' is none",
            id="type",
        ),
        pytest.param({}, "parameter 'Bucket' has no default", id="missing"),
        pytest.param(
            {"PipelineParameters": [{"Name": "Bucket", "Value": "a"}, {"Name": "Bucket", "Value": "b"}]},
            "two parameters have the same name",
            id="twice",
        ),
        pytest.param({"RoleArn": ROLE}, "only for a pipeline that AWS manages", id="role"),
        pytest.param(
            {
                "PipelineParameters": [{"Name": "Bucket", "Value": "a"}],
                "SelectiveExecutionConfig": {"SelectedSteps": [{"StepName": "B"}]},
            },
            "no step is named 'B'",
            id="selected",
        ),
    ],
)
def test_what_cannot_start_is_refused_and_leaves_nothing(client, given, message):
    create(client, "birds", definition(work("A"), parameters=PARAMETERS))
    code, said = refused(client.start_pipeline_execution, PipelineName="birds", **given)
    assert code == "ValidationException"
    assert message in said
    assert executions(client) == []
    assert "LastRunTime" not in client.describe_pipeline(PipelineName="birds")


def test_a_plans_reasons_are_told(client):
    step = processing("Prepare", "true")
    step["Arguments"]["AppSpecification"]["ImageUri"] = "nobody/knows:1"
    create(client, "birds", definition(step, {**work("B"), "Type": "EMR"}))
    code, message = refused(client.start_pipeline_execution, PipelineName="birds")
    assert code == "ValidationException"
    assert "nothing stands in for image 'nobody/knows:1'" in message
    assert "'B': steps of type EMR do not run on this machine" in message


@pytest.mark.parametrize(
    ("member", "arn"),
    [
        pytest.param("PipelineName", "finches", id="pipeline"),
        pytest.param("PipelineExecutionArn", "pipeline/birds/execution/000000000000", id="execution"),
        pytest.param("PipelineExecutionArn", "pipeline/other/execution/{id}", id="of-another-pipeline"),
        pytest.param("PipelineExecutionArn", "pipeline/birds/execution/../{id}", id="path"),
        pytest.param("PipelineExecutionArn", "pipeline/birds/execution/", id="empty"),
    ],
)
def test_what_is_not_there_is_not_found(cloud, client, member, arn):
    own = start(client, ONE)
    prefix = "arn:aws:sagemaker:eu-west-1:123456789012:" if "/" in arn else ""
    called = prefix + arn.format(id=own.rpartition("/")[2])
    targets = (
        ["StartPipelineExecution", "ListPipelineExecutions", "ListPipelineVersions", "DeletePipeline"]
        if member == "PipelineName"
        else [
            "DescribePipelineExecution",
            "ListPipelineExecutionSteps",
            "ListPipelineParametersForExecution",
            "DescribePipelineDefinitionForExecution",
            "StopPipelineExecution",
            "RetryPipelineExecution",
            "UpdatePipelineExecution",
        ]
    )
    for target in targets:
        body = json.dumps({member: called, "ClientRequestToken": TOKEN})
        headers = {"x-amz-target": f"SageMaker.{target}"}
        answer = httpx.post(cloud.url, content=body, headers=headers)
        assert (answer.status_code, answer.json()["__type"]) == (400, "ResourceNotFound"), target


def test_a_start_that_is_repeated_is_one_execution(client):
    create(client, "birds", ONE)
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: start(client, ClientRequestToken=TOKEN), range(20)))
    assert len(set(made)) == 1
    assert executions(client) == [made[0]]
    assert ended(client, made[0]) == "Succeeded"
    assert start(client, ClientRequestToken=TOKEN) == made[0]
    assert start(client, ClientRequestToken="u" * 32) != made[0]
    assert start(client, ONE, "cats", ClientRequestToken=TOKEN) != made[0]


def test_a_stopped_execution_ends_its_steps_and_starts_no_others(client, gates):
    gates.shut("First")
    arn = start(client, CHAIN)
    gates.wait_for("First")
    assert client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN) is not None
    assert ended(client, arn) == "Stopped"
    assert [(step["StepName"], step["StepStatus"]) for step in steps(client, arn)] == [("First", "Stopped")]
    again = client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert again["PipelineExecutionArn"] == arn
    code, message = refused(client.stop_pipeline_execution, PipelineExecutionArn=arn)
    assert code == "ValidationException"
    assert message == (
        f"Only pipelines with 'Executing' status can be stopped. The status of {arn} is Stopped."
    )


def test_a_stop_right_after_the_start_is_not_lost(client, gates):
    create(client, "birds", definition(work("A"), work("B", "A")))
    gates.shut("B")
    for _ in range(4):
        arn = start(client)
        client.stop_pipeline_execution(PipelineExecutionArn=arn)
        assert ended(client, arn) == "Stopped"
        time.sleep(0.05)  # an engine that had not noticed would write now
        assert status(client, arn) == "Stopped"


def test_a_failed_execution_goes_on_where_it_failed_under_the_same_arn(client, gates):
    gates.failing.add("Second")
    arn = start(client, CHAIN, PipelineExecutionDescription="kept")
    assert ended(client, arn) == "Failed"
    assert describe(client, arn)["FailureReason"] == "Step failure: Second: Second was told to fail"
    gates.failing.clear()
    gates.shut("Third")
    retry = {"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}
    assert client.retry_pipeline_execution(**retry)["PipelineExecutionArn"] == arn
    # Who looks at once must not take it for ended.
    assert status(client, arn) == "Executing"
    gates.wait_for("Third")
    assert client.retry_pipeline_execution(**retry)["PipelineExecutionArn"] == arn
    code, message = refused(client.retry_pipeline_execution, PipelineExecutionArn=arn)
    assert code == "ValidationException"
    assert "Only pipelines with 'Failed' or 'Stopped' status can be retried" in message
    gates.open("Third")
    assert ended(client, arn) == "Succeeded"
    assert gates.ran == ["First", "Second", "Second", "Third"]
    found = describe(client, arn)
    assert "FailureReason" not in found
    assert found["PipelineExecutionDescription"] == "kept"
    assert len(executions(client)) == 1


def test_a_retry_may_come_in_the_instant_of_the_end(client, gates):
    gates.failing.add("A")
    arn = start(client, ONE)
    for _ in range(5):
        assert ended(client, arn) == "Failed"
        client.retry_pipeline_execution(PipelineExecutionArn=arn)
    assert ended(client, arn) == "Failed"
    assert gates.ran == ["A"] * 6


def test_of_many_retries_at_once_one_runs(client, gates):
    gates.failing.add("A")
    arn = start(client, ONE)
    assert ended(client, arn) == "Failed"
    gates.failing.clear()
    gates.shut("A")

    def retry(_):
        try:
            return client.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(retry, range(8)))
    assert sorted(answers) == ["ValidationException"] * 7 + [arn]
    gates.open("A")
    assert ended(client, arn) == "Succeeded"
    assert gates.ran == ["A", "A"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(ONE, "is Succeeded; there is nothing left to run", id="succeeded"),
        pytest.param(definition(fail("Enough", "no")), "ended by its Fail step 'Enough'", id="fail-step"),
    ],
)
def test_what_sagemaker_does_not_retry_is_refused(client, text, message):
    arn = start(client, text)
    before = ended(client, arn)
    code, said = refused(client.retry_pipeline_execution, PipelineExecutionArn=arn)
    assert code == "ValidationException"
    assert message in said
    assert status(client, arn) == before


def test_selected_steps_run_with_the_results_of_an_earlier_execution(client, gates):
    source = start(client, CHAIN)
    assert ended(client, source) == "Succeeded"
    config = {"SelectedSteps": [{"StepName": "Second"}], "SourcePipelineExecutionArn": source}
    arn = start(client, SelectiveExecutionConfig=config)
    assert ended(client, arn) == "Succeeded"
    assert gates.ran == ["First", "Second", "Third", "Second"]
    assert describe(client, arn)["SelectiveExecutionConfig"] == config
    second, first = sorted(steps(client, arn), key=lambda step: step["StepName"], reverse=True)
    assert first["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert "SelectiveExecutionResult" not in second


def test_a_selection_that_needs_nothing_needs_no_source(client, gates):
    create(client, "birds", CHAIN)
    config = {"SelectedSteps": [{"StepName": "First"}]}
    arn = start(client, SelectiveExecutionConfig=config)
    assert ended(client, arn) == "Succeeded"
    assert gates.ran == ["First"]
    assert describe(client, arn)["SelectiveExecutionConfig"] == config
    wrong = {"SelectedSteps": [{"StepName": "Second"}]}
    message = refused(client.start_pipeline_execution, PipelineName="birds", SelectiveExecutionConfig=wrong)[
        1
    ]
    assert "step 'First' is not selected and did not succeed in the source execution" in message


def test_a_selections_source_is_an_execution_of_the_same_pipeline(client):
    other = start(client, ONE, "cats")
    create(client, "birds", CHAIN)

    def select(source):
        config = {"SelectedSteps": [{"StepName": "First"}], "SourcePipelineExecutionArn": source}
        return refused(client.start_pipeline_execution, PipelineName="birds", SelectiveExecutionConfig=config)

    code, message = select(other)
    assert code == "ValidationException"
    assert message.startswith(f"{other} is no execution of pipeline")
    assert select(other.replace("cats", "birds"))[0] == "ResourceNotFound"


def test_as_many_steps_work_at_once_as_is_said_last(client, gates):
    names = [f"A{number}" for number in range(4)]
    gates.shut(*names)
    create(
        client,
        "birds",
        definition(*map(work, names)),
        ParallelismConfiguration={"MaxParallelExecutionSteps": 1},
    )
    of_pipeline = start(client)
    gates.wait_for("A0")
    assert describe(client, of_pipeline)["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    client.update_pipeline_execution(
        PipelineExecutionArn=of_pipeline, ParallelismConfiguration={"MaxParallelExecutionSteps": 3}
    )
    gates.wait_for("A0", "A1", "A2")
    gates.open(*names)
    assert ended(client, of_pipeline) == "Succeeded"
    gates.shut(*names)
    own = start(client, ParallelismConfiguration={"MaxParallelExecutionSteps": 2})
    gates.wait_for("A0", "A1")
    gates.open(*names)
    assert ended(client, own) == "Succeeded"


def test_what_is_said_of_an_execution_while_it_runs_stays(client, gates):
    gates.shut("A")
    arn = start(client, ONE)
    gates.wait_for("A")
    answer = client.update_pipeline_execution(
        PipelineExecutionArn=arn,
        PipelineExecutionDisplayName="renamed",
        PipelineExecutionDescription="Explained",
    )
    assert answer["PipelineExecutionArn"] == arn
    gates.open("A")
    assert ended(client, arn) == "Succeeded"
    found = describe(client, arn)
    assert found["PipelineExecutionDisplayName"] == "renamed"
    assert found["PipelineExecutionDescription"] == "Explained"


def test_executions_are_listed_by_time_and_order(client):
    create(client, "birds", ONE)
    made = [start(client) for _ in range(3)]
    start(client, ONE, "cats")
    assert executions(client) == made[::-1]
    assert executions(client, SortOrder="Ascending") == made
    assert executions(client, SortBy="PipelineExecutionArn", SortOrder="Ascending") == sorted(made)
    assert executions(client, SortBy="PipelineExecutionArn") == sorted(made, reverse=True)
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert executions(client, CreatedAfter=now + hour) == executions(client, CreatedBefore=now - hour) == []
    assert executions(client, CreatedAfter=now - hour, CreatedBefore=now + hour) == made[::-1]


def test_pages_hold_every_execution_once_whatever_starts_meanwhile(client):
    create(client, "birds", ONE)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: start(client), range(55)))
    assert len(made) == 55
    for sort in ({}, {"SortOrder": "Ascending"}, {"SortBy": "PipelineExecutionArn"}):
        found = []
        pages = client.get_paginator("list_pipeline_executions").paginate(
            PipelineName="birds", PaginationConfig={"PageSize": 10}, **sort
        )
        for page in pages:
            found += [entry["PipelineExecutionArn"] for entry in page["PipelineExecutionSummaries"]]
            if len(found) == 30:
                start(client)
        assert len(found) == len(set(found))
        assert made <= set(found)
        if "SortBy" in sort:
            assert found == sorted(found, reverse=True)
    for arn in executions(client, MaxResults=100):
        assert ended(client, arn) == "Succeeded"


def test_many_clients_at_once_lose_nothing(client, cloud):
    create(client, "birds", definition(work("A"), work("B", "A")))

    def use(_):
        arn = start(client)
        seen = [describe(client, arn)["PipelineExecutionArn"] for _ in range(3)]
        assert ended(client, arn) == "Succeeded"
        assert len(steps(client, arn)) == 2
        return arn, seen

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(use, range(40)))
    assert all(seen == [arn] * 3 for arn, seen in answers)
    assert len({arn for arn, _ in answers}) == 40
    assert len(cloud.store.all(EXECUTION)) == 40


def ask(name="Ask"):
    outputs = [{"OutputName": "Uri", "OutputType": "String"}, {"OutputName": "Good", "OutputType": "Boolean"}]
    return {
        "Name": name,
        "Type": "Callback",
        "Arguments": {"Bucket": "toys"},
        "SqsQueueUrl": QUEUE,
        "OutputParameters": outputs,
    }


@pytest.fixture
def question(client):
    """An execution that waits for an answer, and the token, found as a client does."""
    use = work("Use")
    use["Arguments"] = {"Uri": get("Steps.Ask.OutputParameters['Uri']")}
    arn = start(client, definition(ask(), use))
    found = wait_for(lambda: [step for step in steps(client, arn) if step["Metadata"].get("Callback")])
    callback = found[0]["Metadata"]["Callback"]
    assert callback["SqsQueueUrl"] == QUEUE
    yield arn, callback["CallbackToken"]
    if status(client, arn) == "Executing":
        client.stop_pipeline_execution(PipelineExecutionArn=arn)


OUTPUTS = [{"Name": "Uri", "Value": "s3://toys/labels"}, {"Name": "Good", "Value": "TRUE"}]


def test_a_callback_step_takes_its_answer_once(client, question):
    arn, token = question
    send = client.send_pipeline_execution_step_success
    for _ in range(3):  # the same, however often it comes
        answer = send(CallbackToken=token, OutputParameters=OUTPUTS)
        assert answer["PipelineExecutionArn"] == arn
    other = [{"Name": "Uri", "Value": "s3://toys/other"}, OUTPUTS[1]]
    assert refused(send, CallbackToken=token, OutputParameters=other)[0] == "ConflictException"
    assert refused(client.send_pipeline_execution_step_failure, CallbackToken=token)[0] == "ConflictException"
    assert ended(client, arn) == "Succeeded"
    metadata = {step["StepName"]: step["Metadata"] for step in steps(client, arn)}["Ask"]["Callback"]
    assert metadata["OutputParameters"] == [OUTPUTS[0], {"Name": "Good", "Value": "true"}]
    assert send(CallbackToken=token, OutputParameters=OUTPUTS)["PipelineExecutionArn"] == arn


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"FailureReason": "blurred"}, "blurred", id="reason"),
        pytest.param({}, "The callback was answered with a failure, and without a reason", id="none"),
    ],
)
def test_a_callback_step_may_be_told_that_it_failed(client, question, given, reason):
    arn, token = question
    send = client.send_pipeline_execution_step_failure
    for _ in range(2):
        assert send(CallbackToken=token, **given)["PipelineExecutionArn"] == arn
    assert ended(client, arn) == "Failed"
    assert steps(client, arn)[0]["FailureReason"] == reason


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        pytest.param(OUTPUTS[:1], "output 'Good' is missing", id="missing"),
        pytest.param(
            [*OUTPUTS, {"Name": "X", "Value": "1"}], "no output parameter is named 'X'", id="unknown"
        ),
        pytest.param([OUTPUTS[0], {"Name": "Good", "Value": "yes"}], "declared as Boolean", id="type"),
        pytest.param([*OUTPUTS, OUTPUTS[0]], "two parameters have the same name", id="twice"),
    ],
)
def test_an_answer_that_a_callback_step_cannot_take_is_refused(client, question, outputs, message):
    arn, token = question
    send = client.send_pipeline_execution_step_success
    code, said = refused(send, CallbackToken=token, OutputParameters=outputs)
    assert (code, message in said) == ("ValidationException", True), said
    assert status(client, arn) == "Executing"
    assert refused(send, CallbackToken="0000000000")[0] == "ResourceNotFound"


@pytest.fixture
def interrupted(tmp_path, gates):
    """A machine that runs three executions, one of which somebody stops, and ends; then the next one."""
    with ExitStack() as closing:
        first, second = (make_machine(tmp_path / "home", runners={"AutoML": gates}) for _ in range(2))
        closing.callback(second.background.stop_all)
        yield first, second


def call(machine, operation, **given):
    from workflows.server.sagemaker.operations import OPERATIONS

    return OPERATIONS[operation](machine, {"ClientRequestToken": TOKEN, **given})


def begin(machine, name, text):
    call(machine, "CreatePipeline", PipelineName=name, PipelineDefinition=text, RoleArn=ROLE)
    return call(machine, "StartPipelineExecution", PipelineName=name)["PipelineExecutionArn"]


def record(machine, arn):
    return machine.store.find(EXECUTION, arn.rpartition("/")[2])


def test_a_server_that_ends_leaves_its_executions_to_the_next_one(interrupted, gates):
    first, second = interrupted
    gates.shut("Second")
    arn = begin(first, "birds", CHAIN)
    gates.wait_for("Second")
    first.background.stop_all()
    assert record(first, arn)["PipelineExecutionStatus"] == "Executing"
    gates.open("Second")
    assert adopt_orphans(second, resume=True) == [arn.rpartition("/")[2]]
    wait_for(lambda: record(second, arn)["PipelineExecutionStatus"] == "Succeeded")
    assert gates.ran == ["First", "Second", "Second", "Third"]
    assert adopt_orphans(second, resume=True) == []


def test_an_orphan_that_is_not_to_go_on_is_stopped_and_can_be_retried(interrupted, gates):
    first, second = interrupted
    gates.shut("Second")
    arn = begin(first, "birds", CHAIN)
    execution_id = arn.rpartition("/")[2]
    gates.wait_for("Second")
    first.background.stop_all()
    # As after a kill, the step's record does not know of its end.
    first.store.change(
        "pipeline-execution-step",
        f"{execution_id}/Second",
        lambda step: {**{key: step[key] for key in step if key != "EndTime"}, "StepStatus": "Executing"},
    )
    assert adopt_orphans(second, resume=False) == [execution_id]
    found = record(second, arn)
    assert found["PipelineExecutionStatus"] == "Stopped"
    assert f"workflows resume {execution_id}" in found["FailureReason"]
    listed = call(second, "ListPipelineExecutionSteps", PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert {step["StepName"]: step["StepStatus"] for step in listed} == {
        "First": "Succeeded",
        "Second": "Stopped",
    }
    assert all("EndTime" in step for step in listed)
    gates.open("Second")
    call(second, "RetryPipelineExecution", PipelineExecutionArn=arn)
    wait_for(lambda: record(second, arn)["PipelineExecutionStatus"] == "Succeeded")


def test_what_somebody_wanted_to_stop_does_not_go_on(interrupted):
    first, second = interrupted
    arn = begin(first, "birds", ONE)
    wait_for(lambda: record(first, arn)["PipelineExecutionStatus"] == "Succeeded")
    first.background.stop_all()
    first.store.change(
        EXECUTION, arn.rpartition("/")[2], lambda known: {**known, "PipelineExecutionStatus": "Stopping"}
    )
    assert adopt_orphans(second, resume=True) == [arn.rpartition("/")[2]]
    assert record(second, arn)["PipelineExecutionStatus"] == "Stopped"


def test_an_orphan_that_cannot_go_on_says_why(interrupted, tmp_path, gates):
    first, _ = interrupted
    gates.shut("A")
    arn = begin(first, "birds", ONE)
    gates.wait_for("A")
    first.background.stop_all()
    without = make_machine(tmp_path / "home", runners={})
    assert adopt_orphans(without, resume=True) == [arn.rpartition("/")[2]]
    found = record(without, arn)
    assert found["PipelineExecutionStatus"] == "Stopped"
    assert "steps of type AutoML do not run on this machine" in found["FailureReason"]


def test_executions_of_processes_that_live_are_left_alone(interrupted, gates):
    first, second = interrupted
    gates.shut("A")
    arn = begin(first, "birds", ONE)
    gates.wait_for("A")
    assert adopt_orphans(second, resume=False) == adopt_orphans(first, resume=True) == []
    gates.open("A")
    wait_for(lambda: record(first, arn)["PipelineExecutionStatus"] == "Succeeded")
    # An engine that is somewhere between its last record and its end.
    with engine_of(first.store.home / "runs" / arn.rpartition("/")[2]):
        assert adopt_orphans(second, resume=True) == []


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.one_of(st.text(max_size=50), st.binary(max_size=30).map(lambda raw: raw.hex())))
def test_a_token_that_was_never_given_out_is_refused_or_harmless(cloud, token):
    if not cloud.store.all("pipeline"):
        create(cloud.client("sagemaker"), "birds", ONE)
    body = json.dumps({"PipelineName": "birds", "NextToken": token})
    headers = {"x-amz-target": "SageMaker.ListPipelineExecutions"}
    answer = httpx.post(cloud.url, content=body, headers=headers)
    if answer.status_code == 400:
        assert answer.json()["__type"] == "ValidationException"
    else:
        assert answer.json()["PipelineExecutionSummaries"] == []
