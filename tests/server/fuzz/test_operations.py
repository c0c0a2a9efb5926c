"""Every operation that is here, asked with a request in which one thing is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.fuzz.asking import check_json, fuzzed
from tests.server.fuzz.conftest import EMPTY_PIPELINE, PATTERN, ROLE
from tests.server.fuzz.shaped import HOSTILE, broken, of_shape, operations
from tests.server.toy_requests import endpoint_config, model, processing, training, transform, tuning
from workflows.server import logs
from workflows.server.events import service as events
from workflows.server.sagemaker.operations import OPERATIONS

STEP = {"Name": "A", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}}
PIPELINE = {
    "PipelineName": "fuzz",
    "ClientRequestToken": "f" * 32,
    "PipelineDefinition": json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [STEP]}),
    "RoleArn": ROLE,
}
TARGET = {"Id": "one", "Arn": "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/fuzz", "RoleArn": ROLE}
EVENT = {
    "id": "1",
    "account": "1",
    "source": "a",
    "time": "2026-01-01T00:00:00Z",
    "region": "r",
    "resources": [],
    "detail-type": "a",
    "detail": {"a": ["b", {"c": 1}]},
}
# Requests that go deep, beside those that only the model knows.
KNOWN = {
    "AWSEvents.PutEvents": {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]},
    "AWSEvents.PutRule": {"Name": "fuzz", "EventPattern": PATTERN},
    "AWSEvents.PutTargets": {"Rule": "fuzz", "Targets": [TARGET]},
    "AWSEvents.TestEventPattern": {"EventPattern": PATTERN, "Event": json.dumps(EVENT)},
    "SageMaker.CreateEndpointConfig": endpoint_config("fuzz", "control"),
    "SageMaker.CreateHyperParameterTuningJob": tuning("fuzz"),
    "SageMaker.CreateModel": model("fuzz", "s3://toys/fuzz.tar.gz"),
    "SageMaker.CreatePipeline": PIPELINE,
    "SageMaker.CreateProcessingJob": processing("fuzz", "true"),
    "SageMaker.CreateTrainingJob": training("fuzz"),
    "SageMaker.CreateTransformJob": transform("fuzz", "control"),
    "SageMaker.Search": {
        "Resource": "Pipeline",
        "SearchExpression": {
            "Filters": [{"Name": "PipelineName", "Operator": "Equals", "Value": "control"}],
            "SubExpressions": [{"Filters": [{"Name": "Tags.a", "Operator": "Exists"}], "Operator": "Or"}],
        },
        "SortBy": "CreationTime",
    },
    "SageMaker.StartPipelineExecution": {"PipelineName": "fuzz", "ClientRequestToken": "f" * 32},
    "SageMaker.UpdatePipeline": {"PipelineName": "fuzz", "PipelineDefinition": EMPTY_PIPELINE},
}
SERVICES = (
    ("SageMaker", "sagemaker", OPERATIONS),
    ("Logs_20140328", "logs", logs.OPERATIONS),
    ("AWSEvents", "events", events.OPERATIONS),
)
ALL = [
    pytest.param(f"{prefix}.{each.name}", each, id=each.name)
    for prefix, service, names in SERVICES
    for each in operations(service, names)
]


@pytest.fixture(scope="module", autouse=True)
def pipeline(target):
    assert target.call("SageMaker.CreatePipeline", PIPELINE).status == 200


@pytest.mark.parametrize(("name", "operation"), ALL)
def test_one_wrong_value_gets_an_answer_in_the_protocol(target, name, operation):
    @given(st.data())
    @fuzzed(12)
    def ask(data):
        document = data.draw(of_shape(operation.input_shape)) if operation.input_shape else {}
        check_json(target.call(name, data.draw(broken(document))))

    ask()


@pytest.mark.parametrize(("name", "document"), KNOWN.items(), ids=KNOWN.keys())
def test_one_wrong_value_in_a_good_request_gets_an_answer_in_the_protocol(target, name, document):
    @given(st.data())
    @fuzzed(25)
    def ask(data):
        check_json(target.call(name, data.draw(broken(document))))

    ask()


SINGLE = [
    ("SageMaker.ListPipelines", "NextToken"),
    ("SageMaker.ListTrainingJobs", "NextToken"),
    ("SageMaker.Search", "NextToken"),
    ("AWSEvents.ListRules", "NextToken"),
    ("Logs_20140328.DescribeLogGroups", "nextToken"),
    ("Logs_20140328.FilterLogEvents", "nextToken"),
    ("Logs_20140328.FilterLogEvents", "filterPattern"),
    ("Logs_20140328.FilterLogEvents", "startTime"),
    ("Logs_20140328.FilterLogEvents", "endTime"),
    ("SageMaker.CreatePipeline", "PipelineDefinition"),
    ("AWSEvents.PutRule", "EventPattern"),
    ("AWSEvents.PutRule", "ScheduleExpression"),
    ("AWSEvents.TestEventPattern", "Event"),
    ("AWSEvents.TestEventPattern", "EventPattern"),
]
BESIDE = {
    "SageMaker.Search": {"Resource": "Pipeline"},
    "SageMaker.CreatePipeline": PIPELINE,
    "AWSEvents.PutRule": {"Name": "fuzz"},
    "AWSEvents.TestEventPattern": KNOWN["AWSEvents.TestEventPattern"],
    "Logs_20140328.FilterLogEvents": {"logGroupName": "/aws/sagemaker/TrainingJobs"},
}


@pytest.mark.parametrize(("name", "member"), SINGLE, ids=[f"{name} {member}" for name, member in SINGLE])
def test_a_member_that_is_read_takes_every_value(target, name, member):
    for value in HOSTILE:
        answer = target.call(name, {**BESIDE.get(name, {}), member: value})
        check_json(answer)
