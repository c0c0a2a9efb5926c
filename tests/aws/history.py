"""Executions as they stand in the records, without their having run."""

from tests.aws.toy_models import ROLE
from tests.toys import definition, processing
from workflows.aws import pipelines
from workflows.aws.pipelines import Wanted


def ran(cloud, pipeline, execution, status="Succeeded", **made):
    """Record an execution of a pipeline whose steps have made what is given: kind -> ARN."""
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:pipeline/{pipeline}/execution/{execution}"
    time = "2026-11-25T00:00:00.000Z"
    record = {
        "PipelineArn": arn.partition("/execution/")[0],
        "PipelineName": pipeline,
        "PipelineExecutionArn": arn,
        "PipelineVersionId": 1,
        "PipelineExecutionStatus": status,
        "CreationTime": time,
        "LastModifiedTime": time,
    }
    cloud.store.put("pipeline-execution", execution, record, parent=pipeline)
    for kind, made_arn in made.items():
        step = {
            "StepName": kind,
            "StepType": kind,
            "StepStatus": "Succeeded",
            "StartTime": time,
            "EndTime": time,
            "Metadata": {kind: {"Arn": made_arn}},
        }
        cloud.store.put("pipeline-execution-step", f"{execution}/{kind}", step, parent=execution)


def upsert(clients, name):
    text = definition(processing("Prepare", "true"))
    return pipelines.upsert(clients, Wanted(name=name, definition=text, role=ROLE)).arn
