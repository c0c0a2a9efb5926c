"""Versions in the registry, and the function that deploys them."""

import importlib.util
import io
import json
import tarfile
from contextlib import suppress
from pathlib import Path

from tests.infrastructure.accounts import ACCOUNT, DEPLOY, REGION
from tests.infrastructure.templates import properties
from tests.server.toy_requests import ROLE, TRAINER
from tests.toys import definition, processing

FUNCTIONS = Path(__file__).parents[2] / "infrastructure" / "functions"
QUICK = {"Delay": 0.05, "MaxAttempts": 1200}
GROUP = "birds-detection"
PIPELINE = f"{GROUP}-by-hand"
BIRDS = {"EndpointName": GROUP}
PARAMETER = {"Name": "ModelApprovalStatus", "Type": "String", "DefaultValue": "PendingManualApproval"}


def load_function(name):
    """The file as Lambda loads it: on its own, in no package."""
    spec = importlib.util.spec_from_file_location(name, FUNCTIONS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event(arn):
    """What EventBridge says of an approval, as far as the function reads it."""
    return {"detail": {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}}


def put_model(cloud, text):
    """A model that says `text`; returns its URI."""
    packed, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("model.txt")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    s3 = cloud.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="toys", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="toys", Key=f"{text}/model.tar.gz", Body=packed.getvalue())
    return f"s3://toys/{text}/model.tar.gz"


def rule_of_the_template(cloud):
    """Approvals call the function, as the template says."""
    events = cloud.client("events")
    pattern = properties("Approval")["EventPattern"]
    events.put_rule(Name="approval", EventPattern=json.dumps(pattern))
    target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{DEPLOY}"
    assert events.put_targets(Rule="approval", Targets=[{"Id": "1", "Arn": target}])["FailedEntryCount"] == 0


def register(cloud, sagemaker, text, **more):
    """A version whose container says `text`; it waits for approval."""
    containers = [{"Image": TRAINER, "ModelDataUrl": put_model(cloud, text)}]
    return sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        InferenceSpecification={"Containers": containers},
        **{"ModelApprovalStatus": "PendingManualApproval", **more},
    )["ModelPackageArn"]


def set_status(sagemaker, arn, status):
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
    return arn


def approved(cloud, sagemaker, text):
    return set_status(sagemaker, register(cloud, sagemaker, text), "Approved")


def in_service(sagemaker):
    sagemaker.get_waiter("endpoint_in_service").wait(**BIRDS, WaiterConfig=QUICK)


def start(sagemaker, script, approval):
    sagemaker.create_pipeline(
        PipelineName=PIPELINE,
        PipelineDefinition=definition(processing("Wait", script), parameters=[PARAMETER]),
        RoleArn=ROLE,
        ClientRequestToken="t" * 32,
    )
    given = [{"Name": "ModelApprovalStatus", "Value": approval}]
    return sagemaker.start_pipeline_execution(
        PipelineName=PIPELINE, PipelineParameters=given, ClientRequestToken="s" * 32
    )["PipelineExecutionArn"]


def status_of(sagemaker, execution):
    return sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
