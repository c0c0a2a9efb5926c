"""Jobs whose request is well-formed and yet refused, or not what was meant."""

from collections.abc import Iterator, Mapping

from workflows.definition.model import JSON
from workflows.preflight.builtin.algorithm import TRAINS_ON
from workflows.preflight.builtin.images import ALGORITHMS, parse_image, registries
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import RawStep, at, object_of, objects
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.instances import family, has_local_storage
from workflows.preflight.trainings import Training, trainings

DEFAULT_RUNTIME_S = 86_400
_REFUSED = "The service refuses the request when the step starts."

SPOT_WITHOUT_WAIT = Rule(
    identifier="spot-without-wait",
    severity=Severity.ERROR,
    title="Managed spot training without a maximum wait",
    why=_REFUSED,
    source="API reference, StoppingCondition, MaxWaitTimeInSeconds",
)
SHORT_WAIT = Rule(
    identifier="wait-below-runtime",
    severity=Severity.ERROR,
    title="MaxWaitTimeInSeconds is below MaxRuntimeInSeconds",
    why=_REFUSED,
    source="API reference, StoppingCondition: equal to or greater than MaxRuntimeInSeconds",
)
WAIT_WITHOUT_SPOT = Rule(
    identifier="wait-without-spot",
    severity=Severity.ERROR,
    title="A maximum wait without managed spot training",
    why=_REFUSED,
    source="API reference, StoppingCondition, MaxWaitTimeInSeconds: of managed spot training",
)
NO_CHECKPOINT = Rule(
    identifier="spot-without-checkpoint",
    severity=Severity.WARNING,
    title="Managed spot training without checkpoints",
    why="After an interruption the training begins anew.",
    source="SageMaker Developer Guide, managed spot training",
)
ZERO = Rule(
    identifier="zero-instances",
    severity=Severity.ERROR,
    title="A job with no instance",
    why=_REFUSED,
    source="API reference, ResourceConfig, InstanceCount",
)
NO_VOLUME = Rule(
    identifier="no-volume-size",
    severity=Severity.WARNING,
    title="A training job without a volume size",
    why="The service refuses it, or the data do not fit: instances without a local disk need a volume.",
    source="API reference, ResourceConfig, VolumeSizeInGB",
)
LOCAL_KEY = Rule(
    identifier="key-for-local-disk",
    severity=Severity.ERROR,
    title="A key for the volume of an instance that has a local disk",
    why=_REFUSED,
    source="API reference, ResourceConfig, VolumeKmsKeyId",
)
NO_KEY = Rule(
    identifier="no-kms-key",
    severity=Severity.ERROR,
    title="Something is stored without a key of your own, where your policy asks for one",
    why="The setting require_kms_keys, or --require-kms-keys, says that your keys encrypt everything.",
    source="your own policy",
)
CHANGING_IMAGE = Rule(
    identifier="image-can-change",
    severity=Severity.WARNING,
    title="An image without a tag, or with the tag latest",
    why="Tomorrow's run may run other code than today's, and step caching will not see it.",
    source="Docker, image tags; SageMaker Developer Guide, caching pipeline steps",
)
REGISTRY = Rule(
    identifier="wrong-registry",
    severity=Severity.ERROR,
    title="The image of a built-in algorithm is not in its region's registry; a warning if it may be yours",
    why="The job cannot pull its image.",
    source="SageMaker Developer Guide, Docker registry paths and example code",
)
FAMILY = Rule(
    identifier="instance-family",
    severity=Severity.ERROR,
    title="The built-in algorithm does not train on such instances",
    why="It trains on GPUs of some families only.",
    source="SageMaker Developer Guide, Object Detection and Image Classification, instance recommendation",
)
REPEATED = Rule(
    identifier="repeated-name",
    severity=Severity.ERROR,
    title="Two inputs, outputs, channels or variants of a job have one name",
    why=_REFUSED,
    source="API reference: the names are unique in the request",
)
NO_IMAGE = Rule(
    identifier="no-image",
    severity=Severity.ERROR,
    title="A job or a model that names nothing to run",
    why=_REFUSED,
    source="API reference, AlgorithmSpecification and CreateModel",
)

_UNIQUE = (
    (("ProcessingInputs",), "InputName"),
    (("ProcessingOutputConfig", "Outputs"), "OutputName"),
    (("InputDataConfig",), "ChannelName"),
    (("ProductionVariants",), "VariantName"),
)
_IMAGE_FIELDS = ("ImageUri", "TrainingImage", "Image")


def _find(context: Context) -> Iterator[Finding]:
    for training in trainings(context):
        yield from _spot(context, training)
        yield from _resources(context, training)
        yield from _algorithm(context, training)
    for step in context.steps:
        yield from _images(context, step.arguments, step.arguments_path)
        yield from _names(context, step)
    for step in context.of_type("Model"):
        if "Arguments" in step.node and not step.arguments.keys() & {"PrimaryContainer", "Containers"}:
            yield NO_IMAGE.at(step.arguments_path, "the model has no container", "add PrimaryContainer")
    if context.policy.wants_kms_keys:
        for step in context.steps:
            yield from _keys(context, step)


CHECK = Check(
    rules=(
        SPOT_WITHOUT_WAIT,
        SHORT_WAIT,
        WAIT_WITHOUT_SPOT,
        NO_CHECKPOINT,
        ZERO,
        NO_VOLUME,
        LOCAL_KEY,
        NO_KEY,
        CHANGING_IMAGE,
        REGISTRY,
        FAMILY,
        REPEATED,
        NO_IMAGE,
    ),
    find=_find,
)


def _spot(context: Context, training: Training) -> Iterator[Finding]:
    condition = object_of(training.node.get("StoppingCondition"))
    path = (*training.path, "StoppingCondition") if "StoppingCondition" in training.node else training.path
    wait_path = (*path, "MaxWaitTimeInSeconds")
    is_spot = context.resolve(training.node.get("EnableManagedSpotTraining", False))
    runtime = context.whole_number_at(condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_S))
    wait = context.whole_number_at(condition.get("MaxWaitTimeInSeconds"))
    has_wait = "MaxWaitTimeInSeconds" in condition
    if not is_spot.is_known:
        return
    if is_spot.value is True:
        if not has_wait:
            yield SPOT_WITHOUT_WAIT.at(
                path,
                "EnableManagedSpotTraining without MaxWaitTimeInSeconds",
                "add it: MaxRuntimeInSeconds or more",
            )
        if "CheckpointConfig" not in training.node:
            yield NO_CHECKPOINT.at(
                (*training.path, "EnableManagedSpotTraining"), "there is no CheckpointConfig", "add one"
            )
    elif has_wait:
        yield WAIT_WITHOUT_SPOT.at(
            wait_path, "MaxWaitTimeInSeconds without EnableManagedSpotTraining", "remove it, or train on spot"
        )
    if wait is not None and runtime is not None and wait < runtime:
        yield SHORT_WAIT.at(
            wait_path, f"MaxWaitTimeInSeconds={wait} is below MaxRuntimeInSeconds={runtime}", "wait longer"
        )


def _resources(context: Context, training: Training) -> Iterator[Finding]:
    resources, path = training.resources, training.resources_path
    instance = context.text_at(resources.get("InstanceType"))
    if context.whole_number_at(resources.get("InstanceCount")) == 0:
        yield ZERO.at((*path, "InstanceCount"), "InstanceCount is 0", "write 1 or more")
    is_local = instance is not None and has_local_storage(instance)
    if instance is not None and not is_local and resources.get("VolumeSizeInGB") in (None, 0):
        yield NO_VOLUME.at(path, f"{instance} has no local disk, and there is no VolumeSizeInGB", "add it")
    if is_local and "VolumeKmsKeyId" in resources:
        yield LOCAL_KEY.at(
            (*path, "VolumeKmsKeyId"),
            f"the local disk of {instance} is encrypted by the instance itself",
            "remove it, or choose another instance",
        )


def _algorithm(context: Context, training: Training) -> Iterator[Finding]:
    specification = object_of(training.node.get("AlgorithmSpecification"))
    if (
        not specification.keys() & {"TrainingImage", "AlgorithmName"}
        and "ModelPackageConfig" not in training.node
    ):
        path = (*training.path, "AlgorithmSpecification")
        yield NO_IMAGE.at(
            path if "AlgorithmSpecification" in training.node else training.path,
            "there is neither TrainingImage nor AlgorithmName",
            "name one of them",
        )
    instance = context.text_at(training.resources.get("InstanceType"))
    if training.algorithm and instance and family(instance) not in TRAINS_ON:
        yield FAMILY.at(
            (*training.resources_path, "InstanceType"),
            f"{training.algorithm.title} does not train on {instance}",
            f"choose one of {', '.join(f'ml.{name}' for name in TRAINS_ON)}",
        )


def _images(context: Context, node: Mapping[str, JSON], path: Path) -> Iterator[Finding]:
    """Every image below a step's arguments, but not those of the steps in its branches."""
    for key, value in node.items():
        place = (*path, key)
        if key in ("IfSteps", "ElseSteps"):
            continue
        if key in _IMAGE_FIELDS:
            uri = context.text_at(value)
            yield from _image(uri, place) if uri else ()
        elif isinstance(value, dict):
            yield from _images(context, value, place)
        else:
            for entry, entry_place in objects(value, place):
                yield from _images(context, entry, entry_place)


def _image(uri: str, path: Path) -> Iterator[Finding]:
    image = parse_image(uri)
    if image is None:
        return
    if image.digest is None and image.tag in (None, "latest"):
        yield CHANGING_IMAGE.at(path, f"{uri} can change", "name a tag that stays, or a digest")
    if image.repository not in ALGORITHMS:
        return
    account = registries().get(image.region)
    if account is None or account == image.account:
        return
    is_amazons = image.account in registries().values()
    yield (REGISTRY.at if is_amazons else REGISTRY.mildly_at)(
        path,
        f"{image.repository} of {image.region} is in account {account}, not {image.account}",
        "correct the account or the region" + ("" if is_amazons else ", unless it is an image of your own"),
    )


def _names(context: Context, step: RawStep) -> Iterator[Finding]:
    for path, field in _UNIQUE:
        seen: set[str] = set()
        for node, place in objects(at(dict(step.arguments), *path), (*step.arguments_path, *path)):
            name = context.text_at(node.get(field))
            if name is not None and name in seen:
                yield REPEATED.at((*place, field), f"{field} '{name}' stands twice", "rename or remove one")
            seen.add(name or "")


# Step type -> objects of its arguments that say where something is stored, and the field for its key.
_STORES: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "Processing": (
        (("ProcessingResources", "ClusterConfig"), "VolumeKmsKeyId"),
        (("ProcessingOutputConfig",), "KmsKeyId"),
    ),
    "Training": ((("ResourceConfig",), "VolumeKmsKeyId"), (("OutputDataConfig",), "KmsKeyId")),
    "Transform": ((("TransformResources",), "VolumeKmsKeyId"), (("TransformOutput",), "KmsKeyId")),
    "EndpointConfig": (((), "KmsKeyId"),),
}


def _keys(context: Context, step: RawStep) -> Iterator[Finding]:
    for path, field in _STORES.get(step.type, ()):
        node = at(dict(step.arguments), *path)
        instance = context.text_at(object_of(node).get("InstanceType"))
        needs_none = instance is not None and has_local_storage(instance)
        if isinstance(node, dict) and field not in node and not needs_none:
            yield NO_KEY.at((*step.arguments_path, *path), f"there is no {field}", "add the key's ARN or id")
