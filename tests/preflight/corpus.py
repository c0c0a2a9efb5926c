"""Planted mistakes: each changes one place of a correct definition."""

from dataclasses import dataclass, field

from tests.preflight.definitions import changed, golden, pointer, removed, renamed

BIRDS, CALTECH = "birds-detection", "caltech-classification"
BIRDS_AGAIN, CALTECH_AGAIN = "birds-detection-retrain", "caltech-classification-retrain"
_REMOVED = object()


@dataclass(frozen=True)
class Planted:
    """One mistake, and what is to be found."""

    name: str
    pipeline: str
    identifier: str
    place: str  # that is changed
    value: object = _REMOVED
    at: str | None = None  # where it is found, if not there
    becomes: str | None = None  # the key gets this name
    given: dict = field(default_factory=dict)

    @property
    def document(self):
        document = golden(self.pipeline)
        if self.becomes is not None:
            return renamed(document, self.place, self.becomes)
        return (
            removed(document, self.place)
            if self.value is _REMOVED
            else changed(document, self.place, self.value)
        )

    @property
    def pointer(self):
        if self.at is not None:
            return pointer(golden(self.pipeline), self.at)
        place = pointer(golden(self.pipeline), self.place)
        return place if self.becomes is None else f"{place.rpartition('/')[0]}/{self.becomes}"


def _get(path):
    return {"Get": path}


def _join(*values):
    return {"Std:Join": {"On": "", "Values": list(values)}}


def _file(step, name, path="a.b"):
    return {"Std:JsonGet": {"PropertyFile": _get(f"Steps.{step}.PropertyFiles.{name}"), "Path": path}}


_TRAIN = "TrainBase/Arguments"
_HYPER = f"{_TRAIN}/HyperParameters"
_CLUSTER = "PrepareData/Arguments/ProcessingResources/ClusterConfig"
_OUTPUTS = "PrepareData/Arguments/ProcessingOutputConfig/Outputs"
_AGAIN = "TrainIncremental/Arguments"
_VARIANT = "CreateEndpointConfig/Arguments/ProductionVariants/0"

CORPUS = [
    # The shape of requests.
    Planted("cluster-without-volume", BIRDS, "missing-field", f"{_CLUSTER}/VolumeSizeInGB", at=_CLUSTER),
    Planted("training-without-output", BIRDS, "missing-field", f"{_TRAIN}/OutputDataConfig", at=_TRAIN),
    Planted(
        "transform-without-output",
        CALTECH,
        "missing-field",
        "ScoreValidation/Arguments/TransformOutput",
        at="ScoreValidation/Arguments",
    ),
    Planted("variant-without-name", BIRDS, "missing-field", f"{_VARIANT}/VariantName", at=_VARIANT),
    Planted(
        "input-without-data-type",
        CALTECH,
        "missing-field",
        "PrepareData/Arguments/ProcessingInputs/0/S3Input/S3DataType",
        at="PrepareData/Arguments/ProcessingInputs/0/S3Input",
    ),
    Planted(
        "misspelt-field",
        BIRDS,
        "unknown-field",
        f"{_TRAIN}/StoppingCondition/MaxRuntimeInSeconds",
        becomes="MaxRuntimeSeconds",
    ),
    Planted("misspelt-role", CALTECH, "unknown-field", f"{_TRAIN}/RoleArn", becomes="Role"),
    Planted(
        "field-of-another-request", CALTECH, "unknown-field", "ScoreValidation/Arguments/Environments", {}
    ),
    Planted("number-for-a-string", BIRDS, "wrong-type", f"{_HYPER}/epochs", 30),
    Planted(
        "number-parameter-for-a-string", BIRDS, "wrong-type", f"{_HYPER}/epochs", _get("Parameters.Epochs")
    ),
    Planted("string-for-a-number", BIRDS, "wrong-type", f"{_TRAIN}/ResourceConfig/InstanceCount", "1"),
    Planted("float-for-a-count", CALTECH, "wrong-type", f"{_CLUSTER}/InstanceCount", 1.5),
    Planted("null", BIRDS, "wrong-type", f"{_TRAIN}/ResourceConfig/VolumeSizeInGB", None),
    Planted("object-for-a-list", CALTECH, "wrong-type", f"{_TRAIN}/InputDataConfig", {}),
    Planted(
        "string-for-a-list",
        BIRDS,
        "wrong-type",
        "PrepareData/Arguments/AppSpecification/ContainerEntrypoint",
        "python",
    ),
    Planted(
        "property-of-another-type",
        BIRDS,
        "wrong-type",
        f"{_HYPER}/epochs",
        _get("Steps.PrepareData.ProcessingResources.ClusterConfig.InstanceCount"),
    ),
    Planted(
        "structure-for-a-string",
        CALTECH,
        "wrong-type",
        f"{_AGAIN}/InputDataConfig/2/DataSource/S3DataSource/S3Uri",
        _get("Steps.TrainBase.ModelArtifacts"),
    ),
    Planted(
        "float-parameter-for-a-count",
        CALTECH,
        "wrong-type",
        f"{_TRAIN}/ResourceConfig/InstanceCount",
        _get("Parameters.Momentum"),
    ),
    Planted("no-such-choice", CALTECH, "not-a-choice", "ScoreValidation/Arguments/BatchStrategy", "Single"),
    Planted("no-such-instance", BIRDS, "not-a-choice", f"{_CLUSTER}/InstanceType", "ml.m5.xlage"),
    Planted(
        "no-such-instance-as-default",
        BIRDS,
        "not-a-choice",
        "$TransformInstanceType/DefaultValue",
        "ml.m5.huge",
        at="ScoreValidation/Arguments/TransformResources/InstanceType",
    ),
    Planted(
        "choice-that-the-field-has-not",
        BIRDS,
        "not-a-choice",
        "$ModelApprovalStatus/EnumValues/1",
        "Approve",
        at="RegisterModel/Arguments/ModelApprovalStatus",
    ),
    Planted(
        "role-is-no-arn",
        BIRDS,
        "wrong-form",
        "CreateModel/Arguments/ExecutionRoleArn",
        "arn:aws:role/VisionPipelines",
    ),
    Planted(
        "no-uri",
        BIRDS,
        "wrong-form",
        "$InputDataUrl/DefaultValue",
        "vision-pipelines/input",
        at="PrepareData/Arguments/ProcessingInputs/0/S3Input/S3Uri",
    ),
    Planted(
        "joined-uri-without-scheme",
        CALTECH,
        "wrong-form",
        f"{_TRAIN}/OutputDataConfig/S3OutputPath/Std:Join/Values/0",
        "vision-pipelines",
        at=f"{_TRAIN}/OutputDataConfig/S3OutputPath",
    ),
    Planted("variant-name-with-a-blank", BIRDS, "wrong-form", f"{_VARIANT}/VariantName", "All traffic"),
    Planted(
        "argument-too-long",
        BIRDS,
        "wrong-length",
        "PrepareData/Arguments/AppSpecification/ContainerArguments/0",
        "x" * 300,
    ),
    Planted("no-variants", CALTECH, "wrong-length", "CreateEndpointConfig/Arguments/ProductionVariants", []),
    Planted("too-many-instances", CALTECH, "out-of-range", f"{_CLUSTER}/InstanceCount", 500),
    Planted("runtime-of-zero", BIRDS, "out-of-range", f"{_TRAIN}/StoppingCondition/MaxRuntimeInSeconds", 0),
    # References.
    Planted(
        "misspelt-parameter",
        BIRDS,
        "unknown-parameter",
        f"{_HYPER}/base_network",
        _get("Parameters.BaseNetwrk"),
    ),
    Planted(
        "parameter-that-is-gone",
        CALTECH,
        "unknown-parameter",
        "$MiniBatchSize",
        at=f"{_HYPER}/mini_batch_size/Std:Join/Values/0",
    ),
    Planted(
        "misspelt-variable",
        BIRDS,
        "unknown-execution-variable",
        f"{_TRAIN}/OutputDataConfig/S3OutputPath/Std:Join/Values/1",
        _get("Execution.PipelineExecutionID"),
    ),
    Planted(
        "job-name-of-another-kind",
        CALTECH,
        "unknown-execution-variable",
        f"{_TRAIN}/OutputDataConfig/S3OutputPath/Std:Join/Values/1",
        _get("Execution.ProcessingJobName"),
    ),
    Planted(
        "misspelt-step",
        BIRDS,
        "unknown-step",
        f"{_AGAIN}/InputDataConfig/2/DataSource/S3DataSource/S3Uri",
        _get("Steps.TrainBse.ModelArtifacts.S3ModelArtifacts"),
    ),
    Planted("dependency-on-nothing", CALTECH, "unknown-step", "CheckApproval/DependsOn/0", "CheckQualty"),
    Planted(
        "misspelt-property",
        BIRDS,
        "unknown-property",
        f"{_AGAIN}/InputDataConfig/2/DataSource/S3DataSource/S3Uri",
        _get("Steps.TrainBase.ModelArtifacts.S3ModelArtefacts"),
    ),
    Planted(
        "misspelt-output",
        CALTECH,
        "unknown-property",
        f"{_TRAIN}/InputDataConfig/0/DataSource/S3DataSource/S3Uri/Std:Join/Values/0",
        _get("Steps.PrepareData.ProcessingOutputConfig.Outputs['trian'].S3Output.S3Uri"),
    ),
    Planted(
        "output-that-is-gone",
        BIRDS,
        "unknown-property",
        f"{_OUTPUTS}/2",
        at=f"{_TRAIN}/InputDataConfig/1/DataSource/S3DataSource/S3Uri/Std:Join/Values/0",
    ),
    Planted(
        "output-parameter-that-is-not",
        BIRDS_AGAIN,
        "unknown-property",
        "CreateApprovedModel/Arguments/PrimaryContainer/Image",
        _get("Steps.FindApprovedModel.OutputParameters['ImageUri']"),
    ),
    Planted(
        "property-file-of-another-step",
        BIRDS,
        "unknown-property-file",
        f"{_HYPER}/num_classes",
        _file("PrepareData", "EvaluationReport"),
    ),
    Planted(
        "property-file-that-is-gone",
        CALTECH,
        "unknown-property-file",
        "Evaluate/PropertyFiles",
        at="CheckQuality/Arguments/Conditions/1/LeftValue",
    ),
    Planted(
        "property-file-of-a-training",
        CALTECH,
        "unknown-property-file",
        f"{_AGAIN}/HyperParameters/epochs",
        _file("TrainBase", "Report"),
    ),
    Planted(
        "path-as-expression",
        BIRDS,
        "malformed-expression",
        f"{_HYPER}/num_classes/Std:JsonGet/Path",
        _get("Parameters.Species"),
        at=f"{_HYPER}/num_classes",
    ),
    Planted(
        "misspelt-function",
        CALTECH,
        "malformed-expression",
        f"{_HYPER}/epochs",
        {"Std:Joins": {"On": "", "Values": ["1"]}},
    ),
    Planted(
        "get-of-nothing", BIRDS, "malformed-expression", f"{_HYPER}/optimizer", _get("Parameter.Optimizer")
    ),
    Planted(
        "join-of-an-object", BIRDS, "malformed-expression", f"{_HYPER}/epochs/Std:Join/Values/0", {"a": 1}
    ),
    Planted(
        "waits-for-a-fail-step",
        BIRDS,
        "step-never-there",
        "CreateModel/DependsOn",
        ["FailQuality"],
        at="CreateModel/DependsOn/0",
    ),
    Planted(
        "reads-from-the-other-branch",
        CALTECH,
        "step-never-there",
        "FailQuality/Arguments/ErrorMessage",
        _get("Steps.RegisterModel.ModelPackageArn"),
    ),
    Planted(
        "reads-from-a-branch",
        BIRDS,
        "step-may-not-run",
        "ScoreValidation/Arguments/Environment",
        {"PACKAGE": _get("Steps.RegisterModel.ModelPackageArn")},
        at="ScoreValidation/Arguments/Environment/PACKAGE",
    ),
    Planted("circle", BIRDS, "steps-in-a-circle", "PrepareData/DependsOn", ["Evaluate"], at="PrepareData"),
    Planted(
        "waits-for-itself",
        CALTECH,
        "steps-in-a-circle",
        "PrepareData/DependsOn",
        ["PrepareData"],
        at="PrepareData",
    ),
    Planted(
        "misspelt-metric",
        BIRDS,
        "unknown-metric",
        "CheckQuality/Arguments/Conditions/0/LeftValue",
        _get("Steps.TrainIncremental.FinalMetricDataList['validation:map'].Value"),
    ),
    Planted(
        "metric-of-the-other-algorithm",
        CALTECH,
        "unknown-metric",
        "CheckQuality/Arguments/Conditions/0/LeftValue",
        _get("Steps.TrainIncremental.FinalMetricDataList['validation:mAP'].Value"),
    ),
    Planted(
        "own-metrics",
        BIRDS,
        "metrics-overridden",
        f"{_TRAIN}/AlgorithmSpecification/MetricDefinitions",
        [{"Name": "loss", "Regex": "loss=(.*)"}],
    ),
    Planted(
        "string-compared-with-a-number",
        CALTECH,
        "incomparable-values",
        "CheckQuality/Arguments/Conditions/0/RightValue",
        "0.8",
        at="CheckQuality/Arguments/Conditions/0",
    ),
    # The document, its parameters and its steps.
    Planted("misspelt-version", BIRDS, "wrong-document-part", "/Version", "2020-12-02"),
    Planted("unknown-part", CALTECH, "unknown-document-part", "/Step", []),
    Planted(
        "default-of-another-type", BIRDS, "malformed-parameter", "$Epochs/DefaultValue", "many", at="$Epochs"
    ),
    Planted(
        "default-that-is-no-choice",
        CALTECH,
        "malformed-parameter",
        "$ModelApprovalStatus/DefaultValue",
        "Pending",
        at="$ModelApprovalStatus",
    ),
    Planted("type-of-a-parameter", BIRDS, "malformed-parameter", "$Epochs/Type", "Int", at="$Epochs"),
    Planted("parameters-of-one-name", CALTECH, "repeated-parameter", "$Momentum/Name", "Optimizer"),
    Planted(
        "parameter-without-default", BIRDS, "no-default", "$MapThreshold/DefaultValue", at="$MapThreshold"
    ),
    Planted(
        "parameter-for-nothing",
        CALTECH,
        "unused-parameter",
        "/Parameters/-",
        {"Name": "Color", "Type": "String", "DefaultValue": "red"},
        at="/Parameters/26",
    ),
    Planted(
        "value-of-another-type",
        BIRDS,
        "wrong-parameter-value",
        "/Metadata",
        {},
        at="$Epochs",
        given={"Epochs": "ten"},
    ),
    Planted(
        "value-for-no-parameter",
        CALTECH,
        "wrong-parameter-value",
        "/Metadata",
        {},
        at="/Parameters",
        given={"Epoch": "10"},
    ),
    Planted("steps-of-one-name", BIRDS, "repeated-step", "FailQuality/Name", "RegisterModel"),
    Planted("name-with-a-blank", CALTECH, "malformed-step", "FailQuality/Name", "Fail quality"),
    Planted("step-without-arguments", BIRDS, "malformed-step", "CreateModel/Arguments", at="CreateModel"),
    Planted("misspelt-type", CALTECH, "unknown-step-type", "TrainBase/Type", "Trainning"),
    Planted(
        "misspelt-step-field", BIRDS, "unknown-step-field", "CheckApproval/DependsOn", becomes="DependOn"
    ),
    Planted("cached-model", BIRDS, "malformed-cache", "CreateModel/CacheConfig", {"Enabled": True}),
    Planted("expiry-of-no-form", CALTECH, "malformed-cache", "TrainBase/CacheConfig/ExpireAfter", "a month"),
    Planted("retried-too-often", BIRDS, "malformed-retry", "PrepareData/RetryPolicies/0/MaxAttempts", 50),
    Planted(
        "retried-after-a-misspelling",
        CALTECH,
        "malformed-retry",
        "PrepareData/RetryPolicies/0/ExceptionType/0",
        "Step.THROTTLE",
        at="PrepareData/RetryPolicies/0/ExceptionType",
    ),
    Planted(
        "file-in-no-output",
        BIRDS,
        "malformed-property-file",
        "PrepareData/PropertyFiles/0/OutputName",
        "reports",
        at="PrepareData/PropertyFiles/0",
    ),
    Planted(
        "condition-of-no-type",
        CALTECH,
        "malformed-condition",
        "CheckQuality/Arguments/Conditions/0/Type",
        "GreaterThanOrEquals",
        at="CheckQuality/Arguments/Conditions/0",
    ),
    Planted(
        "output-parameter-of-no-type",
        CALTECH_AGAIN,
        "malformed-output-parameter",
        "FindApprovedModel/OutputParameters/0/OutputType",
        "Text",
    ),
    Planted(
        "nested-input",
        BIRDS_AGAIN,
        "nested-input",
        "FindApprovedModel/Arguments/ModelPackageGroupName",
        ["a"],
    ),
    # Built-in algorithms.
    Planted(
        "pictures-without-resize",
        CALTECH,
        "missing-hyperparameter",
        f"{_TRAIN}/InputDataConfig/0/ContentType",
        "application/x-image",
        at=_HYPER,
    ),
    Planted("misspelt-hyperparameter", BIRDS, "unknown-hyperparameter", f"{_HYPER}/epochs", becomes="epoch"),
    Planted("no-number-of-classes", CALTECH, "missing-hyperparameter", f"{_HYPER}/num_classes", at=_HYPER),
    Planted(
        "small-pictures",
        BIRDS,
        "wrong-hyperparameter",
        "$ImageShape/DefaultValue",
        200,
        at=f"{_HYPER}/image_shape",
    ),
    Planted("misspelt-network", BIRDS, "wrong-hyperparameter", f"{_HYPER}/base_network", "resnet50"),
    Planted(
        "shape-of-two-sides",
        CALTECH,
        "wrong-hyperparameter",
        "$ImageShape/DefaultValue",
        "224,224",
        at=f"{_HYPER}/image_shape",
    ),
    Planted("layers-that-are-not", CALTECH, "wrong-hyperparameter", f"{_HYPER}/num_layers", "19"),
    Planted("rate-above-one", BIRDS, "wrong-hyperparameter", f"{_HYPER}/learning_rate", "10"),
    Planted("resize-too-small", CALTECH, "hyperparameters-conflict", f"{_HYPER}/resize", "224"),
    Planted(
        "weighted-loss-of-one-label", CALTECH, "hyperparameters-conflict", f"{_HYPER}/use_weighted_loss", "1"
    ),
    Planted(
        "pretrained-for-other-pictures",
        CALTECH,
        "hyperparameters-conflict",
        f"{_HYPER}/use_pretrained_model",
        "1",
        given={"ImageShape": "3,96,96"},
    ),
    Planted(
        "checkpoint-after-the-end",
        CALTECH,
        "hyperparameters-conflict",
        f"{_HYPER}/checkpoint_frequency",
        "50",
    ),
    Planted(
        "rate-step-too-late",
        BIRDS,
        "rate-step-after-last-epoch",
        "$Epochs/DefaultValue",
        50,
        at=f"{_HYPER}/lr_scheduler_step",
    ),
    Planted(
        "early-stopping-too-late",
        CALTECH,
        "early-stopping-too-late",
        f"{_AGAIN}/HyperParameters/early_stopping",
        "True",
        at=f"{_AGAIN}/HyperParameters",
    ),
    Planted(
        "batch-below-gpus",
        BIRDS,
        "batch-size",
        "$MiniBatchSize/DefaultValue",
        2,
        at=f"{_HYPER}/mini_batch_size",
        given={"TrainingInstanceType": "ml.p3.8xlarge"},
    ),
    Planted(
        "batch-above-samples",
        CALTECH,
        "batch-size",
        f"{_HYPER}/num_training_samples",
        "100",
        at=f"{_HYPER}/mini_batch_size",
    ),
    Planted(
        "pretrained-and-a-model",
        BIRDS,
        "pretrained-ignored",
        f"{_AGAIN}/HyperParameters/use_pretrained_model",
        "1",
    ),
    Planted(
        "store-for-one-machine", CALTECH, "store-for-several-machines", f"{_HYPER}/kv_store", "dist_sync"
    ),
    Planted(
        "no-effect-with-adam",
        BIRDS,
        "hyperparameter-without-effect",
        f"{_HYPER}/optimizer",
        "adam",
        at=f"{_HYPER}/momentum",
    ),
    Planted(
        "no-validation",
        BIRDS,
        "missing-channel",
        f"{_TRAIN}/InputDataConfig/1",
        at=f"{_TRAIN}/InputDataConfig",
    ),
    Planted(
        "misspelt-channel", CALTECH, "unknown-channel", f"{_TRAIN}/InputDataConfig/1/ChannelName", "validaton"
    ),
    Planted(
        "pictures-without-labels",
        BIRDS,
        "missing-channel",
        f"{_TRAIN}/InputDataConfig/0/ContentType",
        "image/jpeg",
        at=f"{_TRAIN}/InputDataConfig",
    ),
    Planted(
        "content-of-tables",
        CALTECH,
        "wrong-content-type",
        f"{_TRAIN}/InputDataConfig/0/ContentType",
        "text/csv",
    ),
    Planted(
        "model-as-records",
        BIRDS,
        "wrong-content-type",
        f"{_AGAIN}/InputDataConfig/2/ContentType",
        "application/x-recordio",
    ),
    Planted("model-in-a-pipe", CALTECH, "wrong-input-mode", f"{_AGAIN}/InputDataConfig/2/InputMode", "Pipe"),
    Planted(
        "records-in-shards",
        BIRDS,
        "sharded-channel",
        f"{_TRAIN}/InputDataConfig/0/DataSource/S3DataSource/S3DataDistributionType",
        "ShardedByS3Key",
    ),
    Planted(
        "manifest-without-attributes",
        BIRDS,
        "wrong-manifest",
        f"{_TRAIN}/InputDataConfig/0/DataSource/S3DataSource/S3DataType",
        "AugmentedManifestFile",
        at=f"{_TRAIN}/InputDataConfig/0/DataSource/S3DataSource",
    ),
    Planted(
        "other-network-than-the-parent",
        BIRDS,
        "parent-differs",
        f"{_AGAIN}/HyperParameters/base_network",
        "vgg-16",
    ),
    Planted(
        "other-layers-than-the-parent",
        CALTECH,
        "parent-differs",
        f"{_AGAIN}/HyperParameters/num_layers",
        "50",
    ),
    Planted(
        "parent-of-another-algorithm",
        CALTECH,
        "parent-differs",
        f"{_TRAIN}/AlgorithmSpecification/TrainingImage",
        "685385470294.dkr.ecr.eu-west-1.amazonaws.com/object-detection:1",
        at=f"{_AGAIN}/InputDataConfig/2",
    ),
    # Jobs.
    Planted(
        "training-on-a-cpu",
        BIRDS,
        "instance-family",
        "$TrainingInstanceType/DefaultValue",
        "ml.m5.xlarge",
        at=f"{_TRAIN}/ResourceConfig/InstanceType",
    ),
    Planted(
        "spot-without-wait",
        CALTECH,
        "spot-without-wait",
        f"{_TRAIN}/EnableManagedSpotTraining",
        True,
        at=f"{_TRAIN}/StoppingCondition",
    ),
    Planted(
        "spot-without-checkpoint",
        BIRDS,
        "spot-without-checkpoint",
        f"{_TRAIN}/EnableManagedSpotTraining",
        True,
    ),
    Planted(
        "wait-without-spot",
        BIRDS,
        "wait-without-spot",
        f"{_TRAIN}/StoppingCondition/MaxWaitTimeInSeconds",
        400_000,
    ),
    Planted(
        "wait-below-runtime",
        CALTECH,
        "wait-below-runtime",
        f"{_TRAIN}/StoppingCondition/MaxWaitTimeInSeconds",
        60,
    ),
    Planted("no-instance", BIRDS, "zero-instances", f"{_TRAIN}/ResourceConfig/InstanceCount", 0),
    Planted(
        "key-for-a-local-disk",
        CALTECH,
        "key-for-local-disk",
        f"{_TRAIN}/ResourceConfig/VolumeKmsKeyId",
        "alias/mine",
    ),
    Planted(
        "no-volume",
        BIRDS,
        "no-volume-size",
        f"{_TRAIN}/ResourceConfig/VolumeSizeInGB",
        at=f"{_TRAIN}/ResourceConfig",
        given={"TrainingInstanceType": "ml.p3.2xlarge"},
    ),
    Planted(
        "latest-image",
        CALTECH,
        "image-can-change",
        "PrepareData/Arguments/AppSpecification/ImageUri",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-vision-processing:latest",
    ),
    Planted(
        "registry-of-another-region",
        BIRDS,
        "wrong-registry",
        f"{_TRAIN}/AlgorithmSpecification/TrainingImage",
        "685385470294.dkr.ecr.us-east-1.amazonaws.com/object-detection:1",
    ),
    Planted("outputs-of-one-name", CALTECH, "repeated-name", f"{_OUTPUTS}/1/OutputName", "train"),
    Planted(
        "channels-of-one-name", BIRDS, "repeated-name", f"{_TRAIN}/InputDataConfig/1/ChannelName", "train"
    ),
    Planted(
        "nothing-to-run",
        CALTECH,
        "no-image",
        f"{_TRAIN}/AlgorithmSpecification/TrainingImage",
        at=f"{_TRAIN}/AlgorithmSpecification",
    ),
    Planted(
        "model-of-nothing",
        BIRDS,
        "no-image",
        "CreateModel/Arguments/PrimaryContainer",
        at="CreateModel/Arguments",
    ),
    Planted(
        "instance-without-price",
        BIRDS,
        "cost-not-known",
        f"{_CLUSTER}/InstanceType",
        "ml.m8i.96xlarge",
        at=_CLUSTER,
    ),
]
