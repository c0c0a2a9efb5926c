"""Transform steps: CreateTransformJob.

Every object is one output, whole or not at all; one that fails fails the job, and the others are stored.
Other than on SageMaker, one container does the work of all instances.

Sources: SageMaker Developer Guide, "Use Batch Transform"; StopTransformJob in the API reference.
"""

import http.client

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.local.images import StandIn
from workflows.local.model_containers import model_of
from workflows.local.model_server import ModelServer, ModelServerError
from workflows.local.objects import parse
from workflows.local.records import TRANSFORM_JOB
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.runners.jobs import (
    describe,
    discard_last_try,
    failure_of,
    finish,
    record_start,
    remove_trees,
    store,
)
from workflows.local.stopping import ended_by
from workflows.local.transform.inputs import InputObject, input_objects
from workflows.local.transform.options import TransformOptions, environment, read_options
from workflows.local.transform.refusals import refusals
from workflows.local.transform.scoring import Outcome, Scoring

_SHOWN_OF_AN_ANSWER = 200
_TOLD_EVERY = 100
_FIRST_PAUSE_S = 0.05
_STOPPED = "the execution was stopped"
_FAULTS_OF_OTHERS = {
    "spot-interruption": "only managed spot training jobs are interrupted",
    "timeout": "transform jobs have no time limit",
}


class RequestFailed(WorkflowError):
    """The model has no answer to a request."""


def run(task: Task, site: Site) -> Result:
    """Start the model's container, send it every object, store each answer as KEY.out."""
    for reason in refusals(task.request.fields, task.fields.fields, task.fields.where):
        raise StepFailed(reason)
    if task.fault and task.fault.kind in _FAULTS_OF_OTHERS:
        raise StepFailed(f"{task.fault.kind}: {_FAULTS_OF_OTHERS[task.fault.kind]}")
    started = site.now()
    times: dict[str, JSON] = {"TransformStartTime": started}
    record_start(task, site, prefix="TransformJob", kind=TRANSFORM_JOB, started=started, **times)
    failure = failure_of(task, lambda: _transform(task, site))
    times["TransformEndTime"] = site.now()
    description = describe(
        task, site, prefix="TransformJob", kind=TRANSFORM_JOB, started=started, failure=failure, **times
    )
    metadata: dict[str, JSON] = {"TransformJob": {"Arn": description["TransformJobArn"]}}
    result = Result(kind=TRANSFORM_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


def _transform(task: Task, site: Site) -> str | None:
    """Do the work of the job; returns why it failed."""
    discard_last_try(task, site)
    remove_trees(task)
    try:
        outcome = _score(task, site, input_objects(task.request, site.objects))
    except ModelServerError as error:
        return _STOPPED if site.stopped.is_set() else f"AlgorithmError: {error}"
    if site.stopped.is_set():
        # As on SageMaker nothing of a job that was stopped is stored.
        return _STOPPED
    prefix = parse(task.request.text("TransformOutput.S3OutputPath"))
    store(task, site, [(path, str(prefix.child(relative))) for path, relative in outcome.done])
    if outcome.failures:
        return f"ClientError: {len(outcome.failures)} objects failed, the first: {outcome.failures[0]}"
    return None


def _score(task: Task, site: Site, items: list[InputObject]) -> Outcome:
    with _server(task, site) as server, ended_by(site.stopped, server.stop):
        server.wait_until_ready()
        if task.fault and task.fault.kind == "kill":
            server.stop()
        options = read_options(task.request, server.execution_parameters())
        site.report(task.step, str(options))

        def progress(done: int) -> None:
            if done % _TOLD_EVERY == 0 or done == len(items):
                site.report(task.step, f"{done} of {len(items)} objects")

        scoring = Scoring(
            options,
            ask=_Asker(server, options, site).ask,
            folder=task.folder / "out",
            stopped=site.stopped,
            progress=progress,
        )
        return scoring.run(items)


def _server(task: Task, site: Site) -> ModelServer:
    container = model_of(task.request, site.find)
    stand_in = site.stand_in(container.text("Image"), container.where)
    if task.fault and task.fault.kind == "exit":
        exits = ("sh", "-c", f"exit {task.fault.code}")
        stand_in = StandIn(repository=stand_in.repository, command=exits)
    return ModelServer(
        stand_in=stand_in,
        model_data=container.text("ModelDataUrl"),
        environment={
            **site.environment,
            **container.mapping("Environment"),
            **task.request.mapping("Environment"),
            **environment(task.request),
        },
        objects=site.objects,
        folder=task.folder,
    )


class _Asker:
    """Sends requests, those that fail again and again."""

    def __init__(self, server: ModelServer, options: TransformOptions, site: Site) -> None:
        self._server, self._options, self._stopped = server, options, site.stopped

    def ask(self, body: bytes) -> bytes:
        """The answer to one body; errors of the server and broken connections are tried again.

        Raises:
            RequestFailed: there is none.
        """
        fault = ""
        for number in range(self._options.retries + 1):
            try:
                answer = self._server.invoke(body, self._options.headers, limit_s=self._options.timeout_s)
            except ModelServerError as error:
                fault = str(error)
            else:
                if answer.status == http.client.OK:
                    return answer.body
                fault = f"{answer.status} {answer.body.decode(errors='replace')[:_SHOWN_OF_AN_ANSWER]}"
                if answer.status < http.client.INTERNAL_SERVER_ERROR:
                    break
            if not self._server.alive or self._stopped.wait(_FIRST_PAUSE_S * 2**number):
                break
        raise RequestFailed(fault)
