"""Transform steps: CreateTransformJob. One request for each object under the input."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from workflows.definition.model import JSON
from workflows.local.model_containers import model_of
from workflows.local.model_server import ModelServer, ModelServerError
from workflows.local.objects import parse, relative_to
from workflows.local.records import TRANSFORM_JOB
from workflows.local.runners.base import Result, Site, StepFailed, Task
from workflows.local.runners.jobs import describe, finish

_OK = 200
_MIB = 1024 * 1024


def run(task: Task, site: Site) -> Result:
    """Start the model's container, send it every object, store each answer as KEY.out."""
    request = task.request
    container = model_of(request, site.find)
    environment = {
        "SAGEMAKER_BATCH": "true",
        **container.mapping("Environment"),
        **request.mapping("Environment"),
    }
    server = ModelServer(
        stand_in=site.stand_in(container.text("Image"), container.where),
        model_data=container.text("ModelDataUrl"),
        environment={**site.environment, **environment},
        objects=site.objects,
        folder=task.folder,
    )
    started = site.now()
    with server:
        server.wait_until_ready()
        failures = _score(server, task, site)
    site.objects.adopt(task.folder / "out", request.text("TransformOutput.S3OutputPath"))
    failure = f"ClientError: {len(failures)} objects failed, the first: {failures[0]}" if failures else None
    times: dict[str, JSON] = {"TransformStartTime": started, "TransformEndTime": site.now()}
    description = describe(
        task, site, prefix="TransformJob", kind=TRANSFORM_JOB, started=started, failure=failure, **times
    )
    metadata: dict[str, JSON] = {"TransformJob": {"Arn": description["TransformJobArn"]}}
    result = Result(kind=TRANSFORM_JOB, name=task.name, description=description, metadata=metadata)
    return finish(task, result, failure)


def _score(server: ModelServer, task: Task, site: Site) -> list[str]:
    """Send every object; returns what went wrong, by key."""
    uri = task.request.text("TransformInput.DataSource.S3DataSource.S3Uri")
    objects = list(site.objects.keys(uri))
    if not objects:
        raise StepFailed(f"{uri}: nothing is stored there")
    items = [(path, relative_to(location, parse(uri))) for location, path in objects]

    def send(item: tuple[Path, PurePosixPath]) -> str | None:
        return None if site.stopped.is_set() else _send(server, task, *item)

    failures = []
    with ThreadPoolExecutor(task.request.number("MaxConcurrentTransforms", 1)) as pool:
        for done, failure in enumerate(pool.map(send, items), start=1):
            failures += [failure] if failure else []
            if done % 100 == 0 or done == len(items):
                site.report(task.step, f"{done} of {len(items)} objects")
    return failures


def _send(server: ModelServer, task: Task, path: Path, relative: PurePosixPath) -> str | None:
    body = path.read_bytes()
    limit = task.request.number("MaxPayloadInMB", 6) * _MIB
    if len(body) > limit:
        return f"{relative}: {len(body)} bytes are more than MaxPayloadInMB allows ({limit})"
    headers = {"Content-Type": task.request.text("TransformInput.ContentType", "application/octet-stream")}
    if accept := task.request.find("TransformOutput.Accept"):
        headers["Accept"] = str(accept)
    try:
        answer = server.invoke(body, headers, limit_s=_time_limit(task))
    except ModelServerError as error:
        return f"{relative}: {error}"
    if answer.status != _OK:
        return f"{relative}: {answer.status} {answer.body.decode(errors='replace')[:200]}"
    target = task.folder / "out" / f"{relative}.out"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(answer.body)
    return None


def _time_limit(task: Task) -> int:
    return task.request.number("ModelClientConfig.InvocationsTimeoutInSeconds", 600)
