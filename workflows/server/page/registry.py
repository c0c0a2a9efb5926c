"""The pages of the model registry."""

from starlette.requests import Request
from starlette.responses import Response

from workflows.definition.records import Record, objects_of, package_name
from workflows.local.records import MODEL_PACKAGE, MODEL_PACKAGE_GROUP
from workflows.server.machine import Machine
from workflows.server.page.calls import call
from workflows.server.page.faults import Missing
from workflows.server.page.forms import Form
from workflows.server.page.render import render, see


def list_models(machine: Machine, _request: Request) -> Response:
    """GET /-/models: the groups with their versions, the newest first."""
    versions: dict[str, list[Record]] = {}
    for record in reversed(machine.store.all(MODEL_PACKAGE)):
        versions.setdefault(str(record["ModelPackageGroupName"]), []).append(record)
    groups = [str(record["ModelPackageGroupName"]) for record in machine.store.all(MODEL_PACKAGE_GROUP)]
    return render(
        "models.html",
        groups=[(name, versions.get(name, [])) for name in groups],
        package_name=package_name,
        runs=False,
    )


def show_model(machine: Machine, request: Request) -> Response:
    """GET /-/models/GROUP/VERSION."""
    record = _version(machine, request)
    metadata = record.get("CustomerMetadataProperties")
    specification = record.get("InferenceSpecification")
    containers = specification.get("Containers") if isinstance(specification, dict) else None
    return render(
        "model.html",
        model=record,
        name=package_name(str(record["ModelPackageArn"])),
        metadata=sorted(metadata.items()) if isinstance(metadata, dict) else [],
        containers=objects_of(containers),
        runs=False,
    )


def approve(machine: Machine, request: Request, form: Form) -> Response:
    """POST /-/models/GROUP/VERSION/approve."""
    return _decide(machine, request, form, "Approved")


def reject(machine: Machine, request: Request, form: Form) -> Response:
    """POST /-/models/GROUP/VERSION/reject, with a reason."""
    return _decide(machine, request, form, "Rejected")


def _decide(machine: Machine, request: Request, form: Form, status: str) -> Response:
    record = _version(machine, request)
    reason = form.fields.get("reason", "").strip()
    call(
        machine,
        "UpdateModelPackage",
        ModelPackageArn=record["ModelPackageArn"],
        ModelApprovalStatus=status,
        ApprovalDescription=reason,
    )
    return see(f"/-/models/{request.path_params['group']}/{request.path_params['version']}")


def _version(machine: Machine, request: Request) -> Record:
    name = f"{request.path_params['group']}/{request.path_params['version']}"
    record = machine.store.find(MODEL_PACKAGE, name)
    if record is None:
        raise Missing(
            f"There is no model version '{name}'",
            hint="Choose one from the registry; pipelines register them with a RegisterModel step.",
            back="/-/models",
        )
    return record
