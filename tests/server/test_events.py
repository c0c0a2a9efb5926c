"""Rules over boto3: what changes in the store starts pipelines and functions."""

import json
import logging
import threading
import time

import pytest
from botocore.exceptions import ClientError

from tests.server.toy_requests import eventually
from workflows.definition.errors import WorkflowError
from workflows.local.functions import Function
from workflows.local.records import (
    ENDPOINT,
    EXECUTION,
    EXECUTION_STEP,
    MODEL_PACKAGE,
    TRAINING_JOB,
)
from workflows.server.events.delivery import input_of
from workflows.server.events.loop import EventLoop
from workflows.server.events.records import DELIVERY, SEEN
from workflows.server.events.service import event_loop

SAGEMAKER = "arn:aws:sagemaker:eu-west-1:123456789012"
PIPELINE = f"{SAGEMAKER}:pipeline/deploy"
ROLE = "arn:aws:iam::123456789012:role/events"
APPROVED = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelPackageGroupName": ["birds"], "ModelApprovalStatus": ["Approved"]},
}


@pytest.fixture
def started():
    """Which pipelines were started, with which parameters."""
    return []


def make_loop(cloud, started):
    def start(arn, parameters):
        if arn.endswith("/broken"):
            raise WorkflowError("no pipeline 'broken' has run here")
        started.append((arn, dict(parameters)))
        return f"{arn}/execution/0123456789ab"

    return event_loop(cloud.machine, start)


@pytest.fixture
def loop(cloud, started):
    return make_loop(cloud, started)


def package(cloud, status, *, version=1, group="birds", at="2030-01-02T03:04:05.678Z"):
    record = {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": f"{SAGEMAKER}:model-package/{group}/{version}",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
        "CreationTime": at,
        "LastModifiedTime": at,
        "Internal": "not for others",
    }
    cloud.store.put(MODEL_PACKAGE, f"{group}/{version}", record, parent=group)


def rule(cloud, name="on-approval", pattern=APPROVED, *, arn=PIPELINE, target=None, **more):
    events = cloud.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), **more)
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, "RoleArn": ROLE, **(target or {})}])
    return events


def parameters(**given):
    entries = [{"Name": name, "Value": value} for name, value in given.items()]
    return {"SageMakerPipelineParameters": {"PipelineParameterList": entries}}


def all_of(cloud, loop, detail_type):
    """Notice everything, and return the events of one type instead of delivering them."""
    rule(cloud, "all", {"detail-type": [detail_type]})
    loop._watcher.look()
    found = [record["Event"] for record in cloud.store.all(DELIVERY)]
    cloud.store.delete_all((DELIVERY, record["Id"]) for record in cloud.store.all(DELIVERY))
    return found


def test_an_approval_starts_a_pipeline_with_values_of_the_event(cloud, loop, started):
    loop.look()
    rule(
        cloud,
        target=parameters(
            Model="$.detail.ModelPackageArn", Version="$.detail.ModelPackageVersion", Stage="test"
        ),
    )
    package(cloud, "PendingManualApproval")
    loop.look()
    assert started == []
    package(cloud, "Approved")
    loop.look()
    model = f"{SAGEMAKER}:model-package/birds/1"
    assert started == [(PIPELINE, {"Model": model, "Version": "1", "Stage": "test"})]
    loop.look()
    assert len(started) == 1


def test_what_comes_after_the_start_is_news_also_before_the_first_look(cloud, loop, started):
    package(cloud, "Approved", version=1)
    rule(cloud, target=parameters(Version="$.detail.ModelPackageVersion"))
    loop.start()
    package(cloud, "Approved", version=2)
    try:
        wanted = [(PIPELINE, {"Version": "2"})]
        assert eventually(lambda: started, wanted) == wanted
    finally:
        loop.stop()


def test_other_groups_and_switched_off_rules_start_nothing(cloud, loop, started):
    loop.look()
    events = rule(cloud)
    package(cloud, "Approved", group="cats")
    loop.look()
    events.disable_rule(Name="on-approval")
    package(cloud, "Approved")
    loop.look()
    assert started == []
    events.enable_rule(Name="on-approval")
    package(cloud, "Approved", version=2)
    loop.look()
    assert len(started) == 1


def test_what_was_there_before_the_first_look_is_no_news(cloud, loop, started):
    rule(cloud)
    package(cloud, "Approved")
    loop.look()
    assert started == []


def test_what_changed_while_no_server_ran_is_noticed_once(cloud, loop, started):
    rule(cloud)
    package(cloud, "PendingManualApproval")
    loop.look()
    package(cloud, "Approved")
    make_loop(cloud, started).look()
    make_loop(cloud, started).look()
    assert len(started) == 1


def test_what_changed_longer_than_a_day_ago_is_only_remembered(cloud, loop, started):
    rule(cloud)
    loop.look()
    package(cloud, "Approved", at="2020-01-01T00:00:00.000Z")
    loop.look()
    assert started == []


def test_a_delivery_that_was_not_made_is_made_after_a_restart(cloud, loop, started):
    loop.look()
    rule(cloud)
    package(cloud, "Approved")
    loop._watcher.look()  # and the server ends here
    make_loop(cloud, started).look()
    assert len(started) == 1
    assert cloud.store.all(DELIVERY) == []


def test_a_model_package_event_has_sagemakers_form(cloud, loop):
    loop.look()
    package(cloud, "Approved")
    (event,) = all_of(cloud, loop, "SageMaker Model Package State Change")
    assert event["source"] == "aws.sagemaker"
    assert event["account"] == "123456789012"
    assert event["region"] == "eu-west-1"
    assert event["time"] == "2030-01-02T03:04:05Z"
    assert event["resources"] == [f"{SAGEMAKER}:model-package/birds/1"]
    assert event["detail"]["ModelPackageName"] == "birds/1"
    assert event["detail"]["ModelPackageStatus"] == "Completed"
    assert "Internal" not in event["detail"]


def test_a_training_job_event_holds_its_description_in_milliseconds(cloud, loop):
    loop.look()
    record = {
        "TrainingJobName": "mine",
        "TrainingJobArn": f"{SAGEMAKER}:training-job/mine",
        "TrainingJobStatus": "InProgress",
        "CreationTime": "2030-01-01T00:00:00.500Z",
        "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": "2030-01-01T00:00:01.000Z"}],
    }
    cloud.store.put(TRAINING_JOB, "mine", record)
    (event,) = all_of(cloud, loop, "SageMaker Training Job State Change")
    assert event["detail"]["TrainingJobStatus"] == "InProgress"
    # 2030-01-01 is 21915 days after 1970-01-01.
    assert event["detail"]["CreationTime"] == 21915 * 86_400_000 + 500
    assert event["detail"]["SecondaryStatusTransitions"][0]["StartTime"] == 21915 * 86_400_000 + 1000


def test_an_endpoint_event_spells_its_status_in_capitals(cloud, loop):
    loop.look()
    record = {
        "EndpointName": "birds",
        "EndpointArn": f"{SAGEMAKER}:endpoint/birds",
        "EndpointStatus": "InService",
        "CreationTime": "2030-01-01T00:00:00.000Z",
    }
    cloud.store.put(ENDPOINT, "birds", record)
    (event,) = all_of(cloud, loop, "SageMaker Endpoint State Change")
    assert event["detail"]["EndpointStatus"] == "IN_SERVICE"


def execution(cloud, status, **steps):
    arn = f"{PIPELINE}/execution/abc"
    record = {
        "PipelineArn": PIPELINE,
        "PipelineExecutionArn": arn,
        "PipelineExecutionStatus": status,
        "PipelineExecutionDisplayName": "deploy-abc",
        "CreationTime": "2030-01-01T00:00:00.000Z",
        "LastModifiedTime": "2030-01-01T00:00:09.000Z",
    }
    cloud.store.put(EXECUTION, "abc", record, parent="deploy")
    for name, step in steps.items():
        ended = {} if step == "Executing" else {"EndTime": "2030-01-01T00:00:08.000Z"}
        body = {
            "StepName": name,
            "StepType": "Training",
            "StepStatus": step,
            "StartTime": "2030-01-01T00:00:01.000Z",
            "Metadata": {"TrainingJob": {"Arn": "arn:job"}},
            **ended,
        }
        cloud.store.put(EXECUTION_STEP, f"abc/{name}", body, parent="abc")


def test_an_execution_and_its_steps_make_events_with_former_and_present_status(cloud, loop):
    loop.look()
    statuses, steps = "SageMaker Model Building Pipeline Execution Status Change", None
    steps = "SageMaker Model Building Pipeline Execution Step Status Change"
    execution(cloud, "Executing", Train="Executing")
    rule(cloud, "steps", {"detail-type": [steps]})
    (first,) = [e for e in all_of(cloud, loop, statuses) if e["detail-type"] == statuses]
    assert first["detail"]["currentPipelineExecutionStatus"] == "Executing"
    assert "previousPipelineExecutionStatus" not in first["detail"]
    assert "executionEndTime" not in first["detail"]
    execution(cloud, "Succeeded", Train="Succeeded")
    found = all_of(cloud, loop, statuses)
    # The step ended before the execution did.
    assert [event["detail-type"] for event in found] == [steps, statuses]
    step, whole = (event["detail"] for event in found)
    assert (step["previousStepStatus"], step["currentStepStatus"]) == ("Executing", "Succeeded")
    assert step["metadata"] == {"trainingJob": {"arn": "arn:job"}}
    assert step["stepEndTime"] == "2030-01-01T00:00:08Z"
    assert whole["previousPipelineExecutionStatus"] == "Executing"
    assert whole["executionEndTime"] == "2030-01-01T00:00:09Z"
    assert found[1]["resources"] == [PIPELINE, f"{PIPELINE}/execution/abc"]


def test_a_resource_that_is_made_again_after_it_was_deleted_is_new(cloud, loop):
    loop.look()
    package(cloud, "Approved")
    assert len(all_of(cloud, loop, "SageMaker Model Package State Change")) == 1
    cloud.store.delete(MODEL_PACKAGE, "birds/1")
    assert all_of(cloud, loop, "SageMaker Model Package State Change") == []
    package(cloud, "Approved")
    assert len(all_of(cloud, loop, "SageMaker Model Package State Change")) == 1


def test_events_of_ones_own_are_matched_too(cloud, loop, started):
    events = rule(cloud, pattern={"source": ["my.app"]}, target=parameters(Epochs="$.detail.epochs"))
    answer = events.put_events(
        Entries=[
            {"Source": "my.app", "DetailType": "retrain", "Detail": '{"epochs": 3}'},
            {"Source": "my.app", "DetailType": "retrain", "Detail": "3"},
            {"Source": "aws.sagemaker", "DetailType": "retrain", "Detail": "{}"},
            {"Source": "my.app", "DetailType": "retrain"},
        ]
    )
    assert answer["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument"]
    loop.look()
    assert started == [(PIPELINE, {"Epochs": "3"})]


def test_a_path_that_leads_nowhere_is_said_and_nothing_starts(cloud, loop, started, caplog):
    events = rule(cloud, pattern={"source": ["my.app"]}, target=parameters(Epochs="$.detail.missing"))
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "x", "Detail": "{}"}])
    loop.look()
    assert started == []
    assert "nothing at $.detail.missing" in caplog.text


def test_one_target_that_fails_does_not_keep_the_others_back(cloud, loop, started, caplog):
    events = rule(cloud, pattern={"source": ["my.app"]}, arn=f"{SAGEMAKER}:pipeline/broken")
    events.put_targets(
        Rule="on-approval",
        Targets=[
            {"Id": "2", "Arn": "arn:aws:sqs:eu-west-1:123456789012:queue"},
            {"Id": "3", "Arn": PIPELINE, "RoleArn": ROLE},
        ],
    )
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "x", "Detail": "{}"}])
    loop.look()
    assert started == [(PIPELINE, {})]
    assert "not delivered: no pipeline 'broken' has run here" in caplog.text
    assert "queue: not delivered here" in caplog.text
    assert cloud.store.all(DELIVERY) == []


def test_a_function_is_called_with_the_event(cloud, loop, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="workflows.server.events")
    file = tmp_path / "notify.py"
    file.write_text(
        "import json\nfrom pathlib import Path\n\n"
        "def handler(event, context):\n"
        "    made = json.dumps([event, context.function_name])\n"
        f"    Path({str(tmp_path / 'called.json')!r}).write_text(made)\n"
        "    print('told')\n"
    )
    cloud.machine.engine.place.functions["notify"] = Function(file=file, handler="handler")
    function = "arn:aws:lambda:eu-west-1:123456789012:function:notify"
    events = rule(cloud, pattern={"source": ["my.app"]}, arn=function, target={"InputPath": "$.detail"})
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "x", "Detail": '{"a": [1]}'}])
    loop.look()
    for thread in threading.enumerate():
        if thread.name == "function notify":
            thread.join()
    assert json.loads((tmp_path / "called.json").read_text()) == [{"a": [1]}, "notify"]
    assert "function notify: told" in caplog.text
    assert list((cloud.store.home / "functions").iterdir()) == []


def test_a_function_that_is_not_in_the_table_is_named(cloud, loop, caplog):
    function = "arn:aws:lambda:eu-west-1:123456789012:function:nobody"
    events = rule(cloud, pattern={"source": ["my.app"]}, arn=function)
    events.put_events(Entries=[{"Source": "my.app", "DetailType": "x", "Detail": "{}"}])
    loop.look()
    assert "function 'nobody' cannot be called: it is not in the [functions] table" in caplog.text


EVENT = {"source": "my.app", "detail": {"name": 'a "b"', "count": 2}}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param({}, EVENT, id="event"),
        pytest.param({"Input": '{"a": 1}'}, {"a": 1}, id="constant"),
        pytest.param({"InputPath": "$.detail.count"}, 2, id="part"),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {"name": "$.detail.name", "count": "$.detail.count", "none": "$.none"},
                    "InputTemplate": '{"text": "<name>, <count> <none>.", "count": <count>, "name": <name>}',
                }
            },
            {"text": 'a "b", 2 .', "count": 2, "name": 'a "b"'},
            id="template",
        ),
    ],
)
def test_what_a_function_is_called_with(target, expected):
    assert input_of(target, EVENT) == expected


def test_rules_are_listed_described_and_deleted(cloud):
    events = rule(cloud, "b", Description="deploys")
    events.put_rule(Name="a", ScheduleExpression="rate(1 day)", State="DISABLED")
    assert [entry["Name"] for entry in events.list_rules()["Rules"]] == ["a", "b"]
    assert [entry["Name"] for entry in events.list_rules(NamePrefix="b")["Rules"]] == ["b"]
    page = events.list_rules(Limit=1)
    assert [entry["Name"] for entry in events.list_rules(NextToken=page["NextToken"])["Rules"]] == ["b"]
    found = events.describe_rule(Name="b")
    assert found["Arn"] == "arn:aws:events:eu-west-1:123456789012:rule/b"
    assert (found["State"], found["Description"], found["EventBusName"]) == ("ENABLED", "deploys", "default")
    assert json.loads(found["EventPattern"]) == APPROVED
    assert [target["Arn"] for target in events.list_targets_by_rule(Rule="b")["Targets"]] == [PIPELINE]
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name="b")
    removed = events.remove_targets(Rule="b", Ids=["1", "9"])
    assert removed["FailedEntryCount"] == 1
    assert removed["FailedEntries"][0]["TargetId"] == "9"
    events.delete_rule(Name="b")
    events.delete_rule(Name="b")
    with pytest.raises(events.exceptions.ResourceNotFoundException, match="Rule b does not exist"):
        events.describe_rule(Name="b")


def test_a_rule_that_is_put_again_keeps_its_targets(cloud):
    events = rule(cloud)
    events.put_rule(Name="on-approval", EventPattern='{"source": ["x"]}', Description="new")
    assert len(events.list_targets_by_rule(Rule="on-approval")["Targets"]) == 1
    assert events.describe_rule(Name="on-approval")["Description"] == "new"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param({}, "ValidationException", id="nothing"),
        pytest.param({"EventPattern": "{}"}, "InvalidEventPatternException", id="pattern"),
        pytest.param({"ScheduleExpression": "rate(5 minute)"}, "ValidationException", id="rate"),
        pytest.param({"ScheduleExpression": "at(2026-01-01T00:00:00)"}, "ValidationException", id="at"),
        pytest.param(
            {"ScheduleExpression": "rate(1 day)", "EventBusName": "mine"},
            "ResourceNotFoundException",
            id="bus",
        ),
    ],
)
def test_wrong_rules_are_refused(cloud, given, code):
    with pytest.raises(ClientError) as caught:
        cloud.client("events").put_rule(Name="r", **given)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param({"Arn": PIPELINE}, "RoleArn is required", id="role"),
        pytest.param({"Arn": "queue"}, "not in correct format", id="arn"),
        pytest.param({"Arn": "arn:aws:sqs:r:a:q", "Input": "{"}, "JSON syntax error", id="input"),
        pytest.param({"Arn": "arn:aws:sqs:r:a:q", "Input": "1", "InputPath": "$.a"}, "Only one of", id="two"),
    ],
)
def test_wrong_targets_are_refused(cloud, target, message):
    events = rule(cloud)
    with pytest.raises(ClientError, match=message):
        events.put_targets(Rule="on-approval", Targets=[{"Id": "2", **target}])


def test_a_rule_has_five_targets_at_most(cloud):
    events = rule(cloud)
    targets = [{"Id": f"n{number}", "Arn": "arn:aws:sqs:r:a:q"} for number in range(5)]
    with pytest.raises(events.exceptions.LimitExceededException):
        events.put_targets(Rule="on-approval", Targets=targets)
    assert len(events.list_targets_by_rule(Rule="on-approval")["Targets"]) == 1


def test_a_pattern_can_be_tried(cloud):
    events = cloud.client("events")
    event = {
        "id": "1",
        "account": "1",
        "source": "x",
        "time": "t",
        "region": "r",
        "resources": [],
        "detail-type": "d",
    }

    def tried(pattern):
        return events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"]

    assert tried({"source": ["x"]}) is True
    assert tried({"source": ["y"]}) is False
    with pytest.raises(ClientError, match="must contain the field 'id'"):
        events.test_event_pattern(EventPattern='{"a": ["b"]}', Event="{}")


def test_a_fault_in_one_look_does_not_end_the_next(cloud, caplog):
    class Broken:
        looks = 0

        def look(self):
            self.looks += 1
            raise KeyError("a bug")

    broken = Broken()
    loop = EventLoop(cloud.store, broken, broken, None)
    loop.look()
    assert broken.looks == 2
    assert "a fault of this program" in caplog.text


def test_a_running_loop_notices_by_itself_and_only_one_at_a_time_delivers(cloud, started):
    package(cloud, "PendingManualApproval")
    make_loop(cloud, started).look()
    rule(cloud)
    loops = [make_loop(cloud, started) for _ in range(2)]
    for loop in loops:
        loop.start()
    package(cloud, "Approved")
    deadline = time.monotonic() + 10
    while not started and time.monotonic() < deadline:
        time.sleep(0.02)
    for loop in loops:
        loop.stop()
    assert len(started) == 1


def test_ten_thousand_records_are_looked_at_quickly(cloud, loop):
    body = json.dumps({"TrainingJobStatus": "Completed", "HyperParameters": {"a": "x" * 2000}})
    with cloud.store._connection() as connection:
        connection.executemany(
            "INSERT INTO records (kind, name, body) VALUES (?, ?, ?)",
            [(TRAINING_JOB, f"job-{number}", body) for number in range(10_000)],
        )
    loop.look()
    assert len(cloud.store.all(SEEN)) == 10_001
    began = time.process_time()
    cloud.store.put("other", "x", {})
    loop.look()
    assert time.process_time() - began < 0.5
    loop.look()  # of its own writes, if any
    began = time.process_time()
    loop.look()
    assert time.process_time() - began < 0.05
