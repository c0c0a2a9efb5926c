"""From a model's record to the container that answers for it."""

from collections.abc import Callable

from workflows.definition.errors import WorkflowError
from workflows.definition.records import Record
from workflows.local.records import MODEL
from workflows.local.request import Request


class ModelError(WorkflowError):
    """A model is missing, or of a kind that does not run here."""


def model_of(user: Request, find: Callable[[str, str], Record | None]) -> Request:
    """The container of the model that a production variant or a transform job names.

    Raises:
        ModelError: there is no such model.
    """
    name = user.text("ModelName")
    model = find(MODEL, name)
    if model is None:
        raise ModelError(f"{user.where}.ModelName: could not find model '{name}'")
    return primary_container(model)


def primary_container(model: Record) -> Request:
    """The container that answers requests: image, artifact and environment.

    Raises:
        ModelError: the model is a pipeline of several containers.
    """
    where = f"model {model['ModelName']}"
    containers = Request(model, where).requests("Containers")
    if len(containers) > 1:
        raise ModelError(f"{where}: inference pipelines of several containers do not run on this machine")
    if containers:
        return containers[0]
    container = model["PrimaryContainer"]
    return Request(container if isinstance(container, dict) else {}, f"{where}.PrimaryContainer")
