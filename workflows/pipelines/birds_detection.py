"""Train, score, judge and deploy a detector of bird species.

    PrepareData -> TrainBase -> TrainIncremental -> CreateModel -> ScoreValidation -> Evaluate
      -> CheckQuality  - RegisterModel, or else FailQuality
      -> CheckApproval - CreateEndpointConfig -> CreateEndpoint

The built-in Object Detection algorithm is trained twice: on the photographs, then, from those weights, on
the photographs and their mirror images. A model that reaches MapThreshold, by the training's own metric and
by our evaluation of the held-out photographs, becomes a version in the model registry.

CheckApproval stands beside CheckQuality and asks its questions again, because conditions inside a condition
are not supported and no step may refer to one in the branch of another condition. For the same reason the
endpoint serves the model of CreateModel, which exists before the first condition.

EndpointName is a parameter because what the service does where an endpoint of that name exists (it is
documented to update it) has not been tried on AWS: where that fails, start with another name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workflows.pipelines import options
from workflows.pipelines.birds_parameters import Parameters, detection_parameters
from workflows.pipelines.jobs import JobDefaults, SpotTraining
from workflows.pipelines.processing_image import check_role, default_image_uri
from workflows.pipelines.sdk import (
    ConditionEquals,
    ConditionGreaterThanOrEqualTo,
    ConditionStep,
    ExecutionVariables,
    FailStep,
    Join,
    JsonGet,
    ModelStep,
    Parameter,
    Pipeline,
    PipelineVariable,
    ProcessingStep,
    PropertyFile,
    TrainingStep,
    TransformStep,
    Value,
    offline,
    offline_session,
)
from workflows.pipelines.steps import (
    endpoint_config_step,
    endpoint_step,
    image_transform_step,
    model_step,
    output_file,
    output_folder,
    processing_step,
    recordio_channel,
    register_step,
    reported,
    seed_model_channel,
    trained_model,
    training_step,
    transform_folder,
)

_METRIC = "validation:mAP"
_DATA_REPORT = PropertyFile(name="DataReport", output_name="report", path="report.json")
_EVALUATION_REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
_DAY_S = 24 * 3600

# Hyperparameter -> parameter.
_COMMON_RECIPE = {
    "base_network": "BaseNetwork",
    "image_shape": "ImageShape",
    "mini_batch_size": "MiniBatchSize",
    "lr_scheduler_factor": "LrSchedulerFactor",
    "optimizer": "Optimizer",
    "momentum": "Momentum",
    "weight_decay": "WeightDecay",
    "overlap_threshold": "OverlapThreshold",
    "nms_threshold": "NmsThreshold",
}
_BASE_RECIPE = {
    "use_pretrained_model": "UsePretrainedModel",
    "epochs": "Epochs",
    "learning_rate": "LearningRate",
    "lr_scheduler_step": "LrSchedulerStep",
}
_INCREMENTAL_RECIPE = {
    "epochs": "IncrementalEpochs",
    "learning_rate": "IncrementalLearningRate",
    "lr_scheduler_step": "IncrementalLrSchedulerStep",
}


@dataclass(frozen=True, kw_only=True)
class _Training:
    """What both trainings have in common."""

    jobs: JobDefaults
    image: str
    volume_gb: int
    max_runtime_s: int
    spot: SpotTraining | None


def get_pipeline(
    region: str,
    role: str,
    default_bucket: str,
    pipeline_name: str = "birds-detection",
    model_package_group_name: str = "birds-detection",
    base_job_prefix: str = "birds-detection",
    sagemaker_project_arn: str | None = None,
    *,
    processing_image_uri: str | None = None,
    volume_kms_key: str | None = None,
    output_kms_key: str | None = None,
    subnets: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    enable_network_isolation: bool = False,
    use_spot: bool = False,
    max_wait_s: int | None = None,
    max_training_s: int = 360_000,
    training_volume_gb: int = 50,
    processing_volume_gb: int = 50,
    cache_expire_after: str = "P30D",
    tags: Mapping[str, str] | None = None,
) -> Pipeline:
    """Build the pipeline; nothing is called and nothing is uploaded.

    Args:
        region: where the pipeline will run, such as eu-west-1.
        role: full ARN of the role that the jobs take.
        default_bucket: bucket, without s3://, that the executions write to.
        pipeline_name: unique in the account and region.
        model_package_group_name: where models that pass are registered.
        base_job_prefix: key prefix of all that the executions write in the bucket.
        sagemaker_project_arn: the project that owns the pipeline, or None or "". Only its region is looked
            at; the tags that a project wants on its jobs are part of `tags`.
        processing_image_uri: image with processing_scripts; by default the one in the role's account, tagged
            with the content of processing_scripts.
        volume_kms_key: encrypts the disks of jobs and of the endpoint. The service refuses such a key on
            instance types with a disk of their own (ml.g4dn, ml.g5, ml.m5d), so with a key
            TrainingInstanceType is ml.p3.2xlarge by default, not ml.g5.2xlarge.
        output_kms_key: encrypts what jobs write to S3.
        subnets: subnets of a VPC for jobs and models; needs security_group_ids.
        security_group_ids: security groups of that VPC.
        enable_network_isolation: no network from inside the processing, training and model containers.
        use_spot: train on spare capacity. Training steps then never come out of the cache, as checkpoints
            are kept apart by execution.
        max_wait_s: seconds that a training on spare capacity may take, waiting included; by default as long
            as max_training_s.
        max_training_s: seconds after which a training is stopped.
        training_volume_gb: disk of a training job.
        processing_volume_gb: disk of a processing job: the photographs, and what is made of them.
        cache_expire_after: how old a step's earlier result may be to be used again, as an ISO 8601 duration.
        tags: put on every job, model, endpoint configuration and endpoint. Versions in the registry have
            the tags of their group.

    Returns:
        A pipeline for :func:`workflows.pipelines.sdk.definition_text`.

    Raises:
        PipelineOptionError: an option has no valid value, or two contradict each other.
    """
    options.check_name(pipeline_name)
    options.check_project(sagemaker_project_arn, region)
    options.check_cache_age(cache_expire_after)
    check_role(role)
    prefix = options.s3_prefix(default_bucket, base_job_prefix)
    vpc = options.vpc(subnets, security_group_ids)
    spot = options.spot_training(use_spot=use_spot, max_wait_s=max_wait_s, max_training_s=max_training_s)
    parameters = detection_parameters(
        input_data_url=f"{prefix}/input",
        training_instance_type="ml.p3.2xlarge" if volume_kms_key else "ml.g5.2xlarge",
    )
    with offline():
        image = options.algorithm_image("object-detection", region=region)
        jobs = JobDefaults(
            session=offline_session(region=region, default_bucket=default_bucket),
            role=role,
            prefix=prefix,
            processing_image_uri=processing_image_uri or default_image_uri(region=region, role=role),
            cache_expire_after=cache_expire_after,
            volume_kms_key=volume_kms_key,
            output_kms_key=output_kms_key,
            vpc=vpc,
            enable_network_isolation=enable_network_isolation,
            tags=tuple((tags or {}).items()),
        )
        training = _Training(
            jobs=jobs, image=image, volume_gb=training_volume_gb, max_runtime_s=max_training_s, spot=spot
        )
        return Pipeline(
            name=pipeline_name,
            parameters=list(parameters.values()),
            # An experiment and a trial for each execution would need rights that nothing else here needs.
            pipeline_experiment_config=None,
            steps=_steps(parameters, training, processing_volume_gb, model_package_group_name),
            sagemaker_session=jobs.session,
        )


def _steps(
    parameters: Parameters, training: _Training, processing_volume_gb: int, group: str
) -> list[object]:
    jobs = training.jobs
    prepare = _prepare_data(parameters, jobs, processing_volume_gb)
    base = _train_base(parameters, training, prepare)
    incremental = _train_incremental(parameters, training, prepare, base)
    model = model_step("CreateModel", jobs=jobs, image=training.image, artifact=trained_model(incremental))
    score = image_transform_step(
        "ScoreValidation",
        jobs=jobs,
        model=model,
        images=output_folder(prepare, "validation_images"),
        instance_type=parameters["TransformInstanceType"],
    )
    evaluate = _evaluate(parameters, jobs, processing_volume_gb, prepare, score)
    verdict = _Verdict(
        reached_in_training=incremental.properties.FinalMetricDataList[_METRIC].Value,
        reached_in_evaluation=reported(
            evaluate, _EVALUATION_REPORT, "object_detection_metrics.mean_average_precision.value"
        ),
        threshold=parameters["MapThreshold"],
    )
    register = register_step(
        "RegisterModel",
        jobs=jobs,
        image=training.image,
        artifact=trained_model(incremental),
        group=group,
        approval_status=parameters["ModelApprovalStatus"],
        endpoint_instance_type=parameters["EndpointInstanceType"],
        transform_instance_type=parameters["TransformInstanceType"],
        statistics_uri=output_file(evaluate, "evaluation", "evaluation.json"),
        metadata=_provenance(prepare, base, incremental, verdict),
        task="OBJECT_DETECTION",
    )
    check = ConditionStep(
        name="CheckQuality",
        conditions=verdict.conditions(),
        if_steps=[register],
        else_steps=[verdict.fail_step("FailQuality")],
    )
    deploy = _check_approval(parameters, jobs, model, verdict, after=check)
    return [prepare, base, incremental, model, score, evaluate, check, deploy]


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """The two figures that a model is judged by, and what they must reach."""

    reached_in_training: PipelineVariable
    reached_in_evaluation: JsonGet
    threshold: Parameter

    def conditions(self) -> list[ConditionGreaterThanOrEqualTo]:
        """Both figures reach the threshold."""
        return [
            ConditionGreaterThanOrEqualTo(left=reached, right=self.threshold)
            for reached in (self.reached_in_training, self.reached_in_evaluation)
        ]

    def fail_step(self, name: str) -> FailStep:
        """End the execution with both figures in its reason."""
        message = [
            f"The model was not registered: {_METRIC} of TrainIncremental is ",
            self.reached_in_training,
            ", mean average precision of Evaluate is ",
            self.reached_in_evaluation,
            ", and MapThreshold asks for ",
            self.threshold,
            " from both",
        ]
        return FailStep(name=name, error_message=Join(on="", values=message))


def _prepare_data(parameters: Parameters, jobs: JobDefaults, volume_gb: int) -> ProcessingStep:
    return processing_step(
        "PrepareData",
        jobs=jobs,
        module="processing_scripts.jobs.prepare_detection",
        instance_type=parameters["ProcessingInstanceType"],
        inputs={"data": parameters["InputDataUrl"]},
        outputs=["train", "train_flipped", "validation", "validation_images", "lists", "report"],
        arguments={
            "classes": parameters["Species"],
            "split": parameters["Split"],
            "train-ratio": parameters["TrainRatio"],
            "seed": parameters["Seed"],
            "resize": parameters["ResizeSize"],
            "max-unreadable-share": parameters["MaxUnreadableShare"],
        },
        property_files=[_DATA_REPORT],
        volume_gb=volume_gb,
        max_runtime_s=_DAY_S,
    )


def _train_base(parameters: Parameters, training: _Training, prepare: ProcessingStep) -> TrainingStep:
    return training_step(
        "TrainBase",
        jobs=training.jobs,
        image=training.image,
        instance_type=parameters["TrainingInstanceType"],
        channels=[
            recordio_channel("train", output_folder(prepare, "train")),
            recordio_channel("validation", output_folder(prepare, "validation")),
        ],
        hyperparameters=_recipe(parameters, _COMMON_RECIPE | _BASE_RECIPE)
        | _counts(prepare, samples="num_training_samples"),
        volume_gb=training.volume_gb,
        max_runtime_s=training.max_runtime_s,
        spot=training.spot,
    )


def _train_incremental(
    parameters: Parameters, training: _Training, prepare: ProcessingStep, base: TrainingStep
) -> TrainingStep:
    return training_step(
        "TrainIncremental",
        jobs=training.jobs,
        image=training.image,
        instance_type=parameters["TrainingInstanceType"],
        channels=[
            recordio_channel("train", output_folder(prepare, "train_flipped")),
            recordio_channel("validation", output_folder(prepare, "validation")),
            seed_model_channel(base),
        ],
        # The weights come out of the model channel; "1" would mean those of ImageNet.
        hyperparameters={"use_pretrained_model": "0"}
        | _recipe(parameters, _COMMON_RECIPE | _INCREMENTAL_RECIPE)
        | _counts(prepare, samples="num_training_samples_with_flips"),
        volume_gb=training.volume_gb,
        max_runtime_s=training.max_runtime_s,
        spot=training.spot,
    )


def _recipe(parameters: Parameters, names: Mapping[str, str]) -> dict[str, Value]:
    return {hyperparameter: parameters[name] for hyperparameter, name in names.items()}


def _counts(prepare: ProcessingStep, *, samples: str) -> dict[str, Value]:
    """What the data decide: counts that nobody has to type."""
    paths = {"num_classes": "num_classes", "num_training_samples": samples, "label_width": "label_width"}
    return {name: reported(prepare, _DATA_REPORT, f"hyperparameters.{path}") for name, path in paths.items()}


def _evaluate(
    parameters: Parameters,
    jobs: JobDefaults,
    volume_gb: int,
    prepare: ProcessingStep,
    score: TransformStep,
) -> ProcessingStep:
    return processing_step(
        "Evaluate",
        jobs=jobs,
        module="processing_scripts.jobs.evaluate_detection",
        instance_type=parameters["ProcessingInstanceType"],
        inputs={
            "predictions": transform_folder(score),
            "images": output_folder(prepare, "validation_images"),
            "lists": output_folder(prepare, "lists"),
            "report": output_folder(prepare, "report"),
        },
        outputs=["evaluation", "pictures"],
        arguments={"overlap-threshold": parameters["OverlapThreshold"]},
        property_files=[_EVALUATION_REPORT],
        volume_gb=volume_gb,
        max_runtime_s=_DAY_S,
    )


def _provenance(
    prepare: ProcessingStep, base: TrainingStep, incremental: TrainingStep, verdict: _Verdict
) -> dict[str, Value]:
    """Where a version came from; the service takes text only, hence the joins around numbers."""
    return {
        "DataReport": output_file(prepare, "report", "report.json"),
        "TrainingJobName": incremental.properties.TrainingJobName,
        "BaseTrainingJobName": base.properties.TrainingJobName,
        "PipelineExecutionArn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "ValidationMAP": Join(on="", values=[verdict.reached_in_training]),
        "EvaluationMAP": Join(on="", values=[verdict.reached_in_evaluation]),
    }


def _check_approval(
    parameters: Parameters,
    jobs: JobDefaults,
    model: ModelStep,
    verdict: _Verdict,
    *,
    after: ConditionStep,
) -> ConditionStep:
    config = endpoint_config_step(
        "CreateEndpointConfig",
        jobs=jobs,
        model=model,
        endpoint=parameters["EndpointName"],
        instance_type=parameters["EndpointInstanceType"],
    )
    endpoint = endpoint_step("CreateEndpoint", jobs=jobs, config=config, endpoint=parameters["EndpointName"])
    approved = ConditionEquals(left=parameters["ModelApprovalStatus"], right="Approved")
    return ConditionStep(
        name="CheckApproval",
        conditions=[*verdict.conditions(), approved],
        if_steps=[config, endpoint],
        else_steps=[],
        # So that a model which fails ends the execution first; the service promises no order otherwise.
        depends_on=[after],
    )
