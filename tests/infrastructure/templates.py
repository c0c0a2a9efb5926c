"""The template as data, and its expressions with values as an account would have them."""

import re
from pathlib import Path

import yaml

from tests.infrastructure.accounts import ACCOUNT, REGION

FILE = Path(__file__).parents[2] / "infrastructure" / "template.yaml"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f5f2b8e-0000-4000-8000-000000000000"
GIVEN = {
    "NotificationEmail": "team@example.com",
    "GitHubConnection": CONNECTION,
    "GitHubRepository": "team/vision",
}
BUCKET = "vision-pipelines"
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": "vision",
}
# What CloudFormation would name resources, as far as tests compare it.
_ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "AWS::ECR::Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{{name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/vision-{{name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}:*",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:vision-{{name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/vision-{{name}}",
}
_NAMES = ("BucketName", "RepositoryName", "LogGroupName", "FunctionName", "Name")
_REFERENCE = re.compile(r"\$\{([\w:.]+)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of functions."""


def _function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if suffix == "GetAtt" else value
    else:
        value = loader.construct_sequence(node, deep=True)
    return {"Ref" if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)
TEMPLATE = yaml.load(FILE.read_text(), _Loader)


def resolve(value):
    """A value of the template without expressions."""
    if isinstance(value, list):
        return [resolve(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return reference(value["Ref"])
    if "Fn::GetAtt" in value:
        return reference(".".join(value["Fn::GetAtt"]))
    if "Fn::Sub" in value:
        return _REFERENCE.sub(lambda found: reference(found[1]), value["Fn::Sub"])
    return {key: resolve(each) for key, each in value.items()}


def reference(name):
    """What ${name} stands for."""
    defaults = {key: entry.get("Default") for key, entry in TEMPLATE["Parameters"].items()}
    values = {**_PSEUDO, **defaults, **GIVEN}
    if name in values:
        return values[name]
    logical, _, attribute = name.partition(".")
    kind, physical = TEMPLATE["Resources"][logical]["Type"], _physical(logical)
    if attribute == "Arn" or kind == "AWS::SNS::Topic":
        return _ARNS[kind].format(name=physical)
    assert not attribute, f"{name}: not needed so far"
    return physical


def properties(logical):
    """What a resource is made with."""
    return resolve(TEMPLATE["Resources"][logical]["Properties"])


def role_statements(role):
    """The statements of a role's policies."""
    policies = properties(role)["Policies"]
    return [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]


def several(value):
    """IAM writes one or a list."""
    return value if isinstance(value, list) else [value]


def _physical(logical):
    if logical == "ArtifactBucket":
        return BUCKET
    given = TEMPLATE["Resources"][logical]["Properties"]
    return next((resolve(given[key]) for key in _NAMES if key in given), logical)
