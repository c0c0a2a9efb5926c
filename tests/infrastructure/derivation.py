"""Which rights our code needs: from what it has asked for, and from what definitions make SageMaker do.

A need is an IAM action on a resource's ARN.
"""

import json
from functools import cache
from pathlib import Path

import botocore.session

from tests.infrastructure.accounts import ACCOUNT, REGION
from tests.infrastructure.templates import reference

GOLDEN = Path(__file__).parents[1] / "golden"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
# Member of a request -> the resource that it names, where it is not an ARN already. Source: Service
# Authorization Reference, Amazon SageMaker, column "Resource types".
_NAMED = {
    "PipelineName": "pipeline/{}",
    "PipelineExecutionArn": "{}",
    "ProcessingJobName": "processing-job/{}",
    "TrainingJobName": "training-job/{}",
    "TransformJobName": "transform-job/{}",
    "ModelName": "model/{}",
    "ModelPackageName": "{}",
    "ModelPackageArn": "{}",
    "ModelPackageGroupName": "model-package-group/{}",
    "EndpointConfigName": "endpoint-config/{}",
    "EndpointName": "endpoint/{}",
    "ResourceArn": "{}",
}
_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
# With the right to an object goes one to its key, which S3 uses on the caller's behalf.
_S3 = {
    "GetObject": ("s3:GetObject", "kms:Decrypt"),
    "PutObject": ("s3:PutObject", "kms:GenerateDataKey"),
}
# Step type -> the resource that the step makes, and whether it is a job, which can be stopped.
_STEPS = {
    "Processing": ("ProcessingJob", True),
    "Training": ("TrainingJob", True),
    "Transform": ("TransformJob", True),
    "Model": ("Model", False),
    "EndpointConfig": ("EndpointConfig", False),
    "Endpoint": ("Endpoint", False),
}
_JOB_NAME = "pipelines-0f5f2b8e1234-{}-abcdefghij"
_NO_RESOURCE = "*"


def of_call(call):
    """The needs of a request that was made."""
    if call.service == "s3":
        yield from _of_object(call.operation, f"s3://{call.request['Bucket']}/{call.request['Key']}")
    elif call.service == "ecr":
        name = call.request.get("repositoryName")
        resource = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}" if name else _NO_RESOURCE
        yield f"ecr:{call.operation}", resource
    else:
        assert call.service == "sagemaker", call
        yield from of_request(call.operation, call.request)


def of_request(operation, request):
    """The needs of a call of SageMaker: its own, those of its tags, and of the role that it hands over."""
    resources = [
        f"{SAGEMAKER}:{form.format(request[member])}" if form != "{}" else request[member]
        for member, form in _NAMED.items()
        if member in request
    ]
    assert resources, f"{operation}: which resource is it about?"
    yield from ((f"sagemaker:{operation}", resource) for resource in resources)
    if request.get("Tags"):
        yield from (("sagemaker:AddTags", resource) for resource in resources)
    for member in ("RoleArn", "ExecutionRoleArn"):
        if member in request:
            yield "iam:PassRole", request[member]


class Definition:
    """A compiled pipeline, its parameters at their defaults."""

    def __init__(self, file):
        document = json.loads(file.read_text())
        self._values = {
            f"Parameters.{entry['Name']}": entry["DefaultValue"] for entry in document["Parameters"]
        }
        self._values["Execution.PipelineExecutionId"] = "0f5f2b8e1234"
        self.name, self.steps = file.stem, list(_flat(document["Steps"]))

    def value(self, expression):
        """A string; None where it comes from a step."""
        if not isinstance(expression, dict):
            return expression
        if "Get" in expression:
            return self._values.get(expression["Get"])
        if "Std:Join" in expression:
            parts = [self.value(each) for each in expression["Std:Join"]["Values"]]
            return None if None in parts else expression["Std:Join"]["On"].join(map(str, parts))
        return None

    def pipeline_needs(self):
        """What SageMaker does with the pipeline's role."""
        for step in self.steps:
            yield from self._of_step(step)
            for file in step.get("PropertyFiles", ()):
                outputs = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
                (place,) = [each["S3Output"] for each in outputs if each["OutputName"] == file["OutputName"]]
                yield from _of_object("GetObject", f"{self.value(place['S3Uri'])}/{file['FilePath']}")

    def _of_step(self, step):
        arguments = step["Arguments"]
        if step["Type"] == "Lambda":
            yield "lambda:InvokeFunction", step["FunctionArn"]
        elif step["Type"] == "RegisterModel":
            group = arguments["ModelPackageGroupName"]
            version = f"{SAGEMAKER}:model-package/{group}/1"
            for call in ("CreateModelPackageGroup", "DescribeModelPackageGroup", "CreateModelPackage"):
                yield from of_request(call, {"ModelPackageGroupName": group, "Tags": ["the execution"]})
            for call in ("CreateModelPackage", "DescribeModelPackage"):
                yield from of_request(call, {"ModelPackageName": version, "Tags": ["the execution"]})
        elif step["Type"] in _STEPS:
            kind, is_job = _STEPS[step["Type"]]
            names = {
                member: self.value(arguments[member])
                for member in ("EndpointName", "EndpointConfigName")
                if self.value(arguments.get(member))
            } or {f"{kind}Name": _JOB_NAME.format(step["Name"].lower())}
            roles = {key: arguments[key] for key in ("RoleArn", "ExecutionRoleArn") if key in arguments}
            # The service tags what it makes with the execution.
            yield from of_request(f"Create{kind}", {**names, **roles, "Tags": ["the execution"]})
            yield from of_request(f"Describe{kind}", names)
            if is_job:
                yield from of_request(f"Stop{kind}", names)
        else:
            assert step["Type"] in ("Condition", "Fail"), step["Type"]

    def job_needs(self):
        """What the containers of jobs and endpoints do, with the role that they are handed."""
        for step in self.steps:
            for member, value in _members(step["Arguments"]):
                text = self.value(value)
                if not isinstance(text, str):
                    continue
                if member in ("Image", "ImageUri", "TrainingImage"):
                    account, repository = text.partition(".")[0], text.rpartition("/")[2].partition(":")[0]
                    arn = f"arn:aws:ecr:{REGION}:{account}:repository/{repository}"
                    yield from ((action, arn) for action in _PULL)
                elif member == "InputS3Uri":
                    yield "s3:ListBucket", f"arn:aws:s3:::{text.split('/')[2]}"
                    yield from _of_object("GetObject", f"{text}/object")
                elif member == "OutputS3Uri":
                    yield from _of_object("PutObject", f"{text}/object")
                    # What one job has written another one reads.
                    yield from _of_object("GetObject", f"{text}/object")


def definitions():
    """Every compiled definition."""
    return [Definition(file) for file in sorted(GOLDEN.glob("*.json"))]


@cache
def operations_of(service):
    """The operations that exist, as AWS's own description of a service has them."""
    return set(botocore.session.get_session().get_service_model(service).operation_names)


def _of_object(operation, uri):
    action, of_key = _S3[operation]
    yield action, f"arn:aws:s3:::{uri.removeprefix('s3://')}"
    yield of_key, reference("ArtifactKey.Arn")


def _members(value, path=()):
    """Every member of a request; places in S3 are told apart by what they are for."""
    if isinstance(value, list):
        for each in value:
            yield from _members(each, path)
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        name = key
        if key in ("S3Uri", "S3OutputPath"):
            is_output = key == "S3OutputPath" or "ProcessingOutputConfig" in path
            name = "OutputS3Uri" if is_output else "InputS3Uri"
        yield name, each
        yield from _members(each, (*path, key))


def _flat(steps):
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from _flat(step["Arguments"]["IfSteps"])
            yield from _flat(step["Arguments"]["ElseSteps"])
