"""AWS's JSON protocol: POST /, the operation in X-Amz-Target, one JSON object in and one out."""

from collections.abc import Callable, Mapping
from functools import cached_property

from botocore.model import OperationModel, ServiceModel

from workflows.server.documents import read_document
from workflows.server.errors import AwsError
from workflows.server.machine import Machine
from workflows.server.shapes import Input, Output, read_input, service_model, write_output

Operation = Callable[[Machine, Input], Output]


class JsonService:
    """One service of this protocol."""

    def __init__(self, name: str, operations: Mapping[str, Operation]) -> None:
        """`name` is botocore's; `operations` those that exist here."""
        self.name, self._operations = name, operations

    @property
    def prefix(self) -> str:
        """What X-Amz-Target begins with."""
        return str(self._model.metadata["targetPrefix"])

    def call(self, machine: Machine, target: str, body: bytes) -> dict[str, object]:
        """Answer one request.

        Raises:
            AwsError: the error that AWS would answer.
        """
        operation = self._operation(target.partition(".")[2])
        given = read_input(operation.input_shape, read_document(body))
        return dict(write_output(operation.output_shape, self._operations[operation.name](machine, given)))

    @cached_property
    def _model(self) -> ServiceModel:
        # Read when it is needed: a command asks one service or two.
        return service_model(self.name)

    def _operation(self, name: str) -> OperationModel:
        if name in self._operations:
            return self._model.operation_model(name)
        if name in self._model.operation_names:
            raise AwsError(
                "NotImplemented", f"{self.name}: {name} is not available on this machine", status=501
            )
        raise AwsError("UnknownOperationException", f"{self.name} has no operation '{name}'")
