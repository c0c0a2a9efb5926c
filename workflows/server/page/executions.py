"""The pages of pipelines and executions."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.errors import WorkflowError, did_you_mean
from workflows.definition.model import Definition
from workflows.definition.records import Record, objects_of, package_name
from workflows.local import pipelines
from workflows.local.pipelines import version_of
from workflows.local.records import ENDPOINT, EXECUTION, EXECUTION_STEP, MODEL_PACKAGE, PIPELINE
from workflows.server.cursors import walk, window_of
from workflows.server.machine import Machine
from workflows.server.page import step_jobs
from workflows.server.page.calls import call, fresh_token
from workflows.server.page.charts import Chart, chart
from workflows.server.page.faults import Missing
from workflows.server.page.forms import Form
from workflows.server.page.layout import HEIGHT, WIDTH, Edge, Layout, lay_out
from workflows.server.page.lists import ExecutionView, execution_view, newest_executions
from workflows.server.page.render import render, see
from workflows.server.page.step_views import NOT_TAKEN, StepView, step_views
from workflows.server.sagemaker.pipeline_versions import list_pipeline_versions

_ON_FRONT = 10
_VERSIONS = 50  # the newest
_TELLING = "validation:"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The drawing of an execution."""

    layout: Layout
    nodes: list[tuple[StepView, float, float]]  # with the top left corner
    edges: list[tuple[Edge, str, str]]  # with its state, and its label: the outcome of a condition
    width: int = WIDTH
    height: int = HEIGHT


def front(machine: Machine, _request: Request) -> Response:
    """GET /: the state of everything."""
    executions, more = newest_executions(machine, most=_ON_FRONT)
    packages = machine.store.all(MODEL_PACKAGE)
    return render(
        "front.html",
        executions=executions,
        more=more,
        endpoints=machine.store.all(ENDPOINT),
        asking=[package for package in packages if package["ModelApprovalStatus"] == "PendingManualApproval"],
        package_name=package_name,
        runs=any(execution.runs for execution in executions),
    )


def list_pipelines(machine: Machine, request: Request) -> Response:
    """GET /-/pipelines."""
    after = request.query_params.get("after")
    given: Record = {"MaxResults": 25, **({"NextToken": after} if after else {})}
    found, token = walk(machine.store, window_of(given, PIPELINE, name=""), given)
    entries = [
        (record, pipelines.latest_version(machine.store, str(record["PipelineName"]))) for record in found
    ]
    return render("pipelines.html", entries=entries, token=token, runs=False)


def show_pipeline(machine: Machine, request: Request) -> Response:
    """GET /-/pipelines/NAME: its versions and its executions."""
    name = request.path_params["name"]
    record = machine.store.find(PIPELINE, name)
    if record is None:
        known = [str(entry["PipelineName"]) for entry in machine.store.all(PIPELINE)]
        raise Missing(
            f"No pipeline is named '{name}'{did_you_mean(name, known)}",
            hint="Choose one from the list, or make it: workflows run, or CreatePipeline.",
            back="/-/pipelines",
        )
    versions = list_pipeline_versions(machine, {"PipelineName": name, "MaxResults": _VERSIONS})
    executions, more = newest_executions(machine, pipeline=name, after=request.query_params.get("after"))
    return render(
        "pipeline.html",
        pipeline=record,
        versions=objects_of(versions["PipelineVersionSummaries"]),
        executions=executions,
        token=more,
        runs=any(execution.runs for execution in executions),
    )


def list_executions(machine: Machine, request: Request) -> Response:
    """GET /-/executions."""
    executions, token = newest_executions(machine, after=request.query_params.get("after"))
    return render(
        "executions.html",
        executions=executions,
        token=token,
        runs=any(execution.runs for execution in executions),
    )


def show_execution(machine: Machine, request: Request) -> Response:
    """GET /-/executions/ID: its graph, its steps, its metrics."""
    record, view = _execution(machine, request)
    definition, steps = _steps(machine, record, view)
    return render(
        "execution.html",
        execution=view,
        graph=_graph(definition, steps) if definition else None,
        steps=steps,
        charts=_charts(machine, view, steps, prefix=_TELLING),
        parameters=objects_of(record["PipelineParameters"]),
        differences=_effects(record),
        description=str(record.get("PipelineExecutionDescription", "")),
        runs=view.runs,
    )


def show_step(machine: Machine, request: Request) -> Response:
    """GET /-/executions/ID/steps/NAME: how it went, and the end of its log."""
    record, view = _execution(machine, request)
    name = request.path_params["step"]
    _, steps = _steps(machine, record, view)
    step = next((step for step in steps if step.name == name), None)
    if step is None:
        names = [step.name for step in steps]
        raise Missing(
            f"Execution {view.id} has no step '{name}'{did_you_mean(name, names)}",
            hint="Choose one from the execution's graph.",
            back=f"/-/executions/{view.id}",
        )
    log = step_jobs.log_of_step(machine.store, view.id, step)
    text, cut = step_jobs.tail(log) if log else ("", False)
    job = step_jobs.job_of_step(machine.store, view.id, step)
    return render(
        "step.html",
        execution=view,
        step=step,
        job=job[1] if job else "",
        log=text if log else None,
        path=str(log),
        cut=cut,
        charts=_charts(machine, view, [step]),
        runs=view.runs,
    )


def stop_execution(machine: Machine, request: Request, _form: Form) -> Response:
    """POST /-/executions/ID/stop."""
    return _called(machine, request, "StopPipelineExecution")


def retry_execution(machine: Machine, request: Request, _form: Form) -> Response:
    """POST /-/executions/ID/retry."""
    return _called(machine, request, "RetryPipelineExecution")


def _called(machine: Machine, request: Request, operation: str) -> Response:
    _, view = _execution(machine, request)
    call(machine, operation, PipelineExecutionArn=view.arn, ClientRequestToken=fresh_token())
    return see(f"/-/executions/{view.id}")


def _execution(machine: Machine, request: Request) -> tuple[Record, ExecutionView]:
    execution_id = request.path_params["id"]
    record = machine.store.find(EXECUTION, execution_id)
    if record is None:
        raise Missing(
            f"There is no execution '{execution_id}'",
            hint="It may have been removed, by `workflows clean` or with its pipeline.",
            back="/-/executions",
        )
    return record, execution_view(machine, record)


def _steps(machine: Machine, record: Record, view: ExecutionView) -> tuple[Definition | None, list[StepView]]:
    """The definition and its steps; without the one, if it is gone, there are none."""
    try:
        definition = pipelines.definition_of(machine.store, view.pipeline, version_of(record))
    except WorkflowError:
        return None, []
    records = machine.store.all(EXECUTION_STEP, parent=view.id)
    return definition, step_views(definition, records, status=view.status)


def _graph(definition: Definition, steps: list[StepView]) -> Graph:
    layout = lay_out({name: sorted(needs) for name, needs in definition.needs.items()})
    views = {step.name: step for step in steps}
    return Graph(
        layout=layout,
        nodes=[(step, *layout.places[step.name]) for step in steps],
        edges=[(edge, _flow(views, edge), _outcome(definition, edge)) for edge in layout.edges],
    )


def _flow(views: Mapping[str, StepView], edge: Edge) -> str:
    """How far the work has come along an edge."""
    source, target = views[edge.source], views[edge.target]
    if NOT_TAKEN in (source.status, target.status):
        return "skipped"
    return "passed" if target.record is not None else "ahead"


def _outcome(definition: Definition, edge: Edge) -> str:
    branch = definition.steps[edge.target].branch
    return str(branch.outcome) if branch and branch.condition == edge.source else ""


def _charts(machine: Machine, view: ExecutionView, steps: list[StepView], *, prefix: str = "") -> list[Chart]:
    series = step_jobs.metric_series(machine, view.id, steps)
    # What tells how good a model is comes first.
    order = sorted(series, key=lambda name: (not name.startswith(_TELLING), name))
    return [found for name in order if name.startswith(prefix) and (found := chart(name, series[name]))]


def _effects(record: Record) -> list[tuple[str, str]]:
    """What is different from SageMaker, and in which steps."""
    steps: dict[str, dict[str, None]] = {}
    for entry in objects_of(record.get("Differences")):
        steps.setdefault(str(entry["Effect"]), {})[str(entry["StepName"])] = None
    return [(effect, ", ".join(names)) for effect, names in steps.items()]
