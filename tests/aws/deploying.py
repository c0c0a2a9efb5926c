"""Brings versions to the endpoint `birds`, and looks at what is there."""

from tests.aws.toy_models import DETECTOR, ROLE, answer
from tests.server.toy_requests import endpoint_config, model, put_model
from workflows.aws import deployment, endpoints, registry, rollback
from workflows.aws.deployment import Deployment, version_in


def wanted(clients, arn, **more):
    return Deployment(
        **{"package": registry.describe(clients, arn), "endpoint": "birds", "role": ROLE, **more}
    )


def deploy(clients, arn, **more):
    """Returns what was done."""
    planned = deployment.plan(clients, wanted(clients, arn, **more))
    deployment.begin(clients, planned)
    settle(clients, planned.deployment.config)
    return planned.action


def settle(clients, config):
    return deployment.wait(clients, "birds", config, every_s=0.02, report=lambda _: None)


def go_back(clients):
    config = rollback.previous_config(clients, "birds")
    rollback.go_back(clients, "birds", config)
    settle(clients, config)


def served(clients):
    """GROUP's version that the endpoint serves."""
    config = endpoints.get(clients, "birds")["EndpointConfigName"]
    return version_in(config, stem="birds")


def names(clients):
    models = [entry["ModelName"] for entry in clients.sagemaker.list_models()["Models"]]
    configs = clients.sagemaker.list_endpoint_configs()["EndpointConfigs"]
    return sorted(models), sorted(entry["EndpointConfigName"] for entry in configs)


def make(cloud, clients, name):
    """A configuration as a pipeline's own steps make it."""
    uri = put_model(cloud.store, answer(), f"s3://toys/{name}/model.tar.gz")
    image = {"PrimaryContainer": {**model(name, uri)["PrimaryContainer"], "Image": DETECTOR}}
    clients.sagemaker.create_model(**{**model(f"model-{name}", uri), **image})
    clients.sagemaker.create_endpoint_config(**endpoint_config(name, f"model-{name}"))
