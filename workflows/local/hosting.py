"""Answers for the endpoints of this machine: starts a model's container when it is first asked."""

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.local.images import ImageTable
from workflows.local.model_containers import model_of
from workflows.local.model_server import Answer, ModelServer
from workflows.local.records import ENDPOINT, ENDPOINT_CONFIG, Record
from workflows.local.request import Request
from workflows.local.store import Store


class UnknownEndpoint(WorkflowError):
    """No endpoint has this name."""


class Hosts:
    """The running containers of endpoints; a context manager that ends them."""

    def __init__(self, store: Store, *, images: ImageTable, environment: Mapping[str, str]) -> None:
        """Nothing is started before an endpoint is asked."""
        self._store, self._images, self._environment = store, images, environment
        self._running: dict[str, tuple[str, ModelServer]] = {}  # endpoint -> configuration, container
        self._lock = threading.Lock()

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(self, *_: object) -> None:
        for endpoint, (_config, server) in self._running.items():
            server.stop()
            shutil.rmtree(self._folder(endpoint))

    def invoke(self, endpoint: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request to an endpoint.

        Raises:
            UnknownEndpoint: there is none of this name.
            ModelServerError: its container does not start or does not answer.
        """
        return self._server(endpoint).invoke(body, headers)

    def _server(self, endpoint: str) -> ModelServer:
        with self._lock:
            config = str(find_endpoint(self._store, endpoint)["EndpointConfigName"])
            running = self._running.get(endpoint)
            if running is not None and running[0] == config and running[1].alive:
                return running[1]
            if running is not None:
                # The endpoint was updated, or its container died.
                running[1].stop()
            server = self._start(endpoint)
            self._running[endpoint] = (config, server)
            return server

    def _start(self, endpoint: str) -> ModelServer:
        container = container_of(self._store, endpoint)
        image = container.text("Image")
        stand_in = self._images.find(image)
        if stand_in is None:
            raise WorkflowError(f"{container.where}: nothing stands in for image '{image}'")
        server = ModelServer(
            stand_in=stand_in,
            model_data=container.text("ModelDataUrl"),
            environment={**self._environment, **container.mapping("Environment")},
            objects=self._store.objects,
            folder=self._folder(endpoint),
        )
        try:
            server.wait_until_ready()
        except BaseException:
            server.stop()
            raise
        return server

    def _folder(self, endpoint: str) -> Path:
        # One folder for each process that hosts: two of them may answer for the same endpoint.
        return self._store.home / "endpoints" / endpoint / str(os.getpid())


def find_endpoint(store: Store, name: str) -> Record:
    """The record of an endpoint.

    Raises:
        UnknownEndpoint: there is none of this name.
    """
    record = store.find(ENDPOINT, name)
    if record is None:
        known = [str(entry["EndpointName"]) for entry in store.all(ENDPOINT)]
        raise UnknownEndpoint(f"no endpoint is named '{name}'{did_you_mean(name, known)}")
    return record


def container_of(store: Store, endpoint: str) -> Request:
    """The inference container of an endpoint's only variant."""
    config_name = str(find_endpoint(store, endpoint)["EndpointConfigName"])
    config = store.find(ENDPOINT_CONFIG, config_name)
    if config is None:
        raise WorkflowError(f"endpoint '{endpoint}': its configuration '{config_name}' is gone")
    variant = Request(config, f"endpoint configuration {config_name}").requests("ProductionVariants")[0]
    return model_of(variant, store.find)
