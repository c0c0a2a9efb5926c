"""Brings a version of a model to an endpoint.

An endpoint keeps its name. Each version has a model and an endpoint configuration with names of their own,
made from what they consist of: a deployment that was interrupted finds what it has made, and goes on. The tag
`workflows:replaces` of a configuration names the one that was there before; a rollback follows it.

`plan` only reads. `begin` acts, and can be repeated; `wait` follows what it has begun.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from workflows.aws import endpoints, registry
from workflows.aws.clients import Clients, plain
from workflows.aws.errors import is_missing
from workflows.definition.errors import Failed, WorkflowError
from workflows.definition.records import Record, at, last_part, package_name

VARIANT = "AllTraffic"
ALL_AT_ONCE, CANARY, LINEAR = "ALL_AT_ONCE", "CANARY", "LINEAR"
CREATE, UPDATE, FOLLOW, NOTHING = "create", "update", "follow", "nothing"
REPLACES, SERVES = "workflows:replaces", "workflows:model-package"
IN_SERVICE, FAILED = "InService", "Failed"
_CREATING, _UPDATING = "Creating", "Updating"
CHANGING = (_CREATING, _UPDATING, "SystemUpdating", "RollingBack", "Deleting")
# SageMaker's limit of a whole shift; and names of models and configurations have 63 characters.
_SHIFT_LIMIT_S = 28_800
_LONGEST_NAME = 63
_DIGEST = 8
_END = re.compile(rf"-v(\d+)-[0-9a-f]{{{_DIGEST}}}")


class CannotDeploy(WorkflowError):
    """A version, or the endpoint, is not in a state in which it can be deployed."""


class EndpointBusy(CannotDeploy):
    """The endpoint is being changed at this moment; later it may be possible."""


class DeploymentFailed(Failed):
    """The endpoint does not serve what it should; the message says what it serves."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How traffic goes over from the old instances to the new ones."""

    kind: str = ALL_AT_ONCE
    percent: int = 10  # of the capacity: the canary's, or that of each linear step
    wait_s: int = 300  # between two steps, for the alarms to tell
    terminate_after_s: int = 300  # old instances stay so long after the shift
    alarms: tuple[str, ...] = ()  # CloudWatch alarms that roll the update back by themselves

    @property
    def seconds(self) -> int:
        """How long a whole shift waits."""
        parts = {CANARY: 1, LINEAR: math.ceil(100 / self.percent) - 1}.get(self.kind, 0)
        return parts * self.wait_s + self.terminate_after_s

    def config(self) -> Record:
        """DeploymentConfig of UpdateEndpoint."""
        routing: Record = {"Type": self.kind, "WaitIntervalInSeconds": self.wait_s}
        size: Record = {"Type": "CAPACITY_PERCENT", "Value": self.percent}
        if self.kind == CANARY:
            routing["CanarySize"] = size
        if self.kind == LINEAR:
            routing["LinearStepSize"] = size
        policy: Record = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": self.terminate_after_s,
                "MaximumExecutionTimeoutInSeconds": _SHIFT_LIMIT_S,
            }
        }
        if self.alarms:
            policy["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in self.alarms]}
        return policy


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is wanted: a version at an endpoint."""

    package: Record  # of the version, as DescribeModelPackage has it
    endpoint: str
    role: str  # that the model's container takes
    instance_type: str = "ml.m5.large"
    instances: int = 1
    kms_key: str | None = None  # of the instances' volumes
    tags: Mapping[str, str] = field(default_factory=dict)
    shift: Shift = field(default_factory=Shift)

    @property
    def arn(self) -> str:
        """Of the version."""
        return str(self.package["ModelPackageArn"])

    @property
    def model(self) -> str:
        """The name of its model."""
        return self._name(str(self.package.get("ModelPackageGroupName")), self.role)

    @property
    def config(self) -> str:
        """The name of its endpoint configuration."""
        return self._name(self.endpoint, self.model, self.instance_type, self.instances, self.kms_key)

    def _name(self, stem: str, *parts: object) -> str:
        # A version that was deleted may leave its ARN to another one.
        text = json.dumps([self.arn, self.package.get("CreationTime"), *parts])
        end = f"-v{last_part(self.arn)}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]}"
        return _fitted(stem, end)


def version_in(name: str, *, stem: str) -> int | None:
    """The version that a deployment has made a model or a configuration for; None if it has not.

    Args:
        name: of the model or the configuration.
        stem: what it is named after: the version's group, or the endpoint.
    """
    for end in _END.finditer(name):
        if name == _fitted(stem, end[0]):
            return int(end[1])
    return None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deployment would do."""

    action: str  # create, update, follow what has been begun, or nothing: the endpoint serves it already
    deployment: Deployment
    replaces: str | None  # the configuration that the endpoint has now

    def record(self) -> Record:
        """As JSON."""
        wanted = self.deployment
        return {
            "Action": self.action,
            "EndpointName": wanted.endpoint,
            "ModelPackageArn": wanted.arn,
            "ModelName": wanted.model,
            "EndpointConfigName": wanted.config,
            "Replaces": self.replaces,
            "InstanceType": wanted.instance_type,
            "InitialInstanceCount": wanted.instances,
            "DeploymentConfig": wanted.shift.config(),
        }


def plan(clients: Clients, wanted: Deployment) -> Plan:
    """Look whether a version can be deployed, and what has to be done.

    Raises:
        CannotDeploy: the version is not approved, or the endpoint is in no state to be changed.
        EndpointBusy: it is being changed.
    """
    _refuse_version(clients, wanted)
    _refuse_shift(wanted)
    current = endpoints.find(clients, wanted.endpoint)
    if current is None:
        return Plan(action=CREATE, deployment=wanted, replaces=None)
    config = str(current["EndpointConfigName"])
    if config == wanted.config and current["EndpointStatus"] == IN_SERVICE:
        return Plan(action=NOTHING, deployment=wanted, replaces=config)
    if _becoming(current) == wanted.config:
        return Plan(action=FOLLOW, deployment=wanted, replaces=None if config == wanted.config else config)
    refuse_endpoint(clients, current)
    return Plan(action=UPDATE, deployment=wanted, replaces=config)


def begin(clients: Clients, planned: Plan) -> None:
    """Make the model and the configuration where they are not there, and create or update the endpoint."""
    wanted = planned.deployment
    if planned.action in (FOLLOW, NOTHING):
        return
    _make_model(clients, wanted)
    _make_config(clients, wanted, planned.replaces)
    if planned.action == CREATE:
        clients.sagemaker.create_endpoint(
            EndpointName=wanted.endpoint, EndpointConfigName=wanted.config, Tags=_tags(wanted.tags)
        )
    else:
        clients.sagemaker.update_endpoint(
            EndpointName=wanted.endpoint,
            EndpointConfigName=wanted.config,
            DeploymentConfig=wanted.shift.config(),
        )


def wait(
    clients: Clients,
    endpoint: str,
    config: str,
    *,
    every_s: float,
    report: Callable[[str], None],
    sleep: Callable[[float], object] = time.sleep,
) -> Record:
    """Return the endpoint once it serves a configuration.

    Args:
        clients: where it is.
        endpoint: its name.
        config: that it should serve.
        every_s: how often to look.
        report: is told of each new status.
        sleep: waits so many seconds.

    Raises:
        DeploymentFailed: it serves another one, by itself or by an alarm, or none.
        NotFound: it was deleted meanwhile.
    """
    told = ""
    while True:
        record = endpoints.get(clients, endpoint)
        status = str(record["EndpointStatus"])
        if status != told:
            report(f"endpoint {endpoint} {status}")
            told = status
        if status not in CHANGING:
            break
        sleep(every_s)
    serving = str(record["EndpointConfigName"])
    if status == IN_SERVICE and serving == config:
        return record
    reason = record.get("FailureReason") or "no reason was given"
    went_on = f"; it still serves {serving}" if status == IN_SERVICE else f"; it is {status}"
    raise DeploymentFailed(f"endpoint {endpoint} did not come to serve {config}: {reason}{went_on}")


def _becoming(endpoint: Record) -> str | None:
    """The configuration that an endpoint is about to serve; None if it is not being changed for one."""
    if endpoint["EndpointStatus"] == _CREATING:
        return str(endpoint["EndpointConfigName"])
    pending = at(endpoint, "PendingDeploymentSummary", "EndpointConfigName")
    return str(pending) if pending and endpoint["EndpointStatus"] == _UPDATING else None


def _refuse_version(clients: Clients, wanted: Deployment) -> None:
    package, name = wanted.package, package_name(wanted.arn)
    if "ModelPackageGroupName" not in package:
        raise CannotDeploy(f"model {name} is a version of no group; only versions are approved and deployed")
    parts = wanted.arn.split(":")
    if len(parts) > 3 and parts[3] != clients.region:
        raise CannotDeploy(
            f"model version {name} is in {parts[3]}, the endpoint would be in {clients.region}: set the "
            "region, or register the version there"
        )
    status = package.get("ModelApprovalStatus")
    if status != registry.APPROVED:
        raise CannotDeploy(
            f"model version {name} is {status}; only an Approved one is deployed: "
            f"workflows models approve {name}{clients.flag}"
        )
    if package.get("ModelPackageStatus") != "Completed":
        raise CannotDeploy(f"model version {name} is {package.get('ModelPackageStatus')}, not Completed")
    supported = at(package, "InferenceSpecification", "SupportedRealtimeInferenceInstanceTypes")
    if isinstance(supported, list) and supported and wanted.instance_type not in supported:
        raise CannotDeploy(
            f"model version {name} is registered for {', '.join(map(str, supported))}, not for "
            f"{wanted.instance_type}"
        )


def _refuse_shift(wanted: Deployment) -> None:
    shift = wanted.shift
    if shift.seconds > _SHIFT_LIMIT_S:
        raise CannotDeploy(
            f"the shift would wait for {shift.seconds} s, and SageMaker allows {_SHIFT_LIMIT_S} s; wait less "
            "between its steps, or take larger ones"
        )
    # A share of one instance is no instance.
    if shift.kind != ALL_AT_ONCE and wanted.instances * shift.percent < 100:
        raise CannotDeploy(
            f"{shift.percent} % of {wanted.instances} instances is less than one; take more "
            "instances, a larger share, or shift all at once"
        )


def refuse_endpoint(clients: Clients, record: Record) -> None:
    """Refuse an endpoint that SageMaker would not update.

    Raises:
        EndpointBusy: it is being changed.
        CannotDeploy: it has failed.
    """
    name, status = record["EndpointName"], record["EndpointStatus"]
    if status in CHANGING:
        raise EndpointBusy(f"endpoint '{name}' is {status}; wait until that has ended")
    if status != IN_SERVICE:
        reason = f": {record['FailureReason']}" if "FailureReason" in record else ""
        raise CannotDeploy(
            f"endpoint '{name}' is {status}{reason}; SageMaker updates none in this state. Delete it, then "
            f"deploy again: workflows endpoints delete {name}{clients.flag}"
        )


def _make_model(clients: Clients, wanted: Deployment) -> None:
    _make(
        clients.sagemaker.create_model,
        clients.sagemaker.describe_model,
        {"ModelName": wanted.model},
        PrimaryContainer={"ModelPackageName": wanted.arn},
        ExecutionRoleArn=wanted.role,
        Tags=_tags({**wanted.tags, SERVES: wanted.arn}),
    )


def _make_config(clients: Clients, wanted: Deployment, replaces: str | None) -> None:
    variant = {
        "VariantName": VARIANT,
        "ModelName": wanted.model,
        "InstanceType": wanted.instance_type,
        "InitialInstanceCount": wanted.instances,
        "InitialVariantWeight": 1.0,
    }
    own = {SERVES: wanted.arn} | ({REPLACES: replaces} if replaces and replaces != wanted.config else {})
    more = {"KmsKeyId": wanted.kms_key} if wanted.kms_key else {}
    described = _make(
        clients.sagemaker.create_endpoint_config,
        clients.sagemaker.describe_endpoint_config,
        {"EndpointConfigName": wanted.config},
        ProductionVariants=[variant],
        Tags=_tags({**wanted.tags, **own}),
        **more,
    )
    if described is not None and REPLACES in own:
        # It has served before; what it replaces now is another one.
        clients.sagemaker.add_tags(
            ResourceArn=described["EndpointConfigArn"], Tags=_tags({REPLACES: own[REPLACES]})
        )


def _make(
    create: Callable[..., Any], describe: Callable[..., Any], name: Mapping[str, str], **request: object
) -> Record | None:
    """Create something, or describe it if it is there already."""
    try:
        create(**name, **request)
    except ClientError as error:
        try:
            return plain(describe(**name))
        except ClientError as missing:
            if is_missing(missing):
                raise error from None  # something else is wrong
            raise
    return None


def _tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _fitted(stem: str, end: str) -> str:
    """A name that is not too long; its end stays."""
    return stem[: _LONGEST_NAME - len(end)].rstrip("-") + end
