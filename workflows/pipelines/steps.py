"""Factories for the steps that image pipelines are made of.

Each takes keyword arguments and returns a step of the SDK; none keeps state. Call them inside
:func:`workflows.pipelines.sdk.offline`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from workflows.pipelines.jobs import JobDefaults, SpotTraining, job_retries, resource_retries
from workflows.pipelines.sdk import (
    CheckpointConfig,
    Compute,
    EndpointConfigStep,
    EndpointStep,
    ExecutionVariables,
    InputData,
    Join,
    JsonGet,
    Lambda,
    LambdaOutput,
    LambdaOutputTypeEnum,
    LambdaStep,
    MetricsSource,
    ModelBuilder,
    ModelMetrics,
    ModelStep,
    ModelTrainer,
    NetworkConfig,
    Networking,
    OutputDataConfig,
    PipelineVariable,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    ProcessingStep,
    Processor,
    PropertyFile,
    StoppingCondition,
    Tag,
    TrainingStep,
    Transformer,
    TransformStep,
    Value,
    as_text,
)

Uri: TypeAlias = str | PipelineVariable

RECORDIO = "application/x-recordio"
SEED_MODEL = "application/x-sagemaker-model"
ANY_IMAGE = "application/x-image"
IMAGE_TYPES = ("image/jpeg", "image/png", ANY_IMAGE)

_LOCAL_INPUT = "/opt/ml/processing/input"
_LOCAL_OUTPUT = "/opt/ml/processing/output"


def processing_step(
    name: str,
    *,
    jobs: JobDefaults,
    module: str,
    instance_type: Value,
    inputs: Mapping[str, Uri],
    outputs: Sequence[str],
    arguments: Mapping[str, Value],
    property_files: Sequence[PropertyFile] = (),
    volume_gb: int,
    max_runtime_s: int,
    instances: int = 1,
    after: Sequence[LambdaStep] = (),
) -> ProcessingStep:
    """One run of `python -m module` in the processing image.

    Args:
        name: the step's name.
        jobs: what all jobs share.
        module: a module of processing_scripts.jobs.
        instance_type: where it runs.
        inputs: name -> S3 URI; each is copied to /opt/ml/processing/input/<name>.
        outputs: names; /opt/ml/processing/output/<name> goes to S3 under the execution's own prefix.
        arguments: option without its dashes -> value.
        property_files: files in the outputs that later steps read.
        volume_gb: size of the job's disk, for inputs and outputs together.
        max_runtime_s: the job is stopped after this time.
        instances: how many machines do it; each gets all inputs.
        after: steps that come first although nothing of theirs is read.
    """
    processor = Processor(
        role=jobs.role,
        image_uri=jobs.processing_image_uri,
        entrypoint=["python", "-m", module],
        instance_count=instances,
        instance_type=instance_type,
        volume_size_in_gb=volume_gb,
        volume_kms_key=jobs.volume_kms_key,
        output_kms_key=jobs.output_kms_key,
        max_runtime_in_seconds=max_runtime_s,
        network_config=_processing_network(jobs),
        tags=jobs.tag_list,
        sagemaker_session=jobs.session,
    )
    step_args = processor.run(
        inputs=[_processing_input(key, uri) for key, uri in inputs.items()],
        outputs=[_processing_output(key, jobs.output(name, key)) for key in outputs],
        arguments=_command_line(arguments),
    )
    return ProcessingStep(
        name=name,
        step_args=step_args,
        property_files=list(property_files),
        cache_config=jobs.cache,
        retry_policies=job_retries(),
        depends_on=list(after) or None,
    )


def _command_line(arguments: Mapping[str, Value]) -> list[str | PipelineVariable]:
    return [word for option, value in arguments.items() for word in (f"--{option}", as_text(value))]


def _processing_input(name: str, uri: Uri) -> ProcessingInput:
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri,
            local_path=f"{_LOCAL_INPUT}/{name}",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
            s3_data_distribution_type="FullyReplicated",
        ),
    )


def _processing_output(name: str, uri: Uri) -> ProcessingOutput:
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(
            s3_uri=uri, local_path=f"{_LOCAL_OUTPUT}/{name}", s3_upload_mode="EndOfJob"
        ),
    )


def _processing_network(jobs: JobDefaults) -> NetworkConfig | None:
    if jobs.vpc is None and not jobs.enable_network_isolation:
        return None
    return NetworkConfig(
        enable_network_isolation=jobs.enable_network_isolation,
        subnets=list(jobs.vpc.subnets) if jobs.vpc else None,
        security_group_ids=list(jobs.vpc.security_group_ids) if jobs.vpc else None,
    )


def output_folder(step: ProcessingStep, name: str) -> Join:
    """What a processing step wrote to an output, as an input of another step."""
    return _folder(_output_uri(step, name))


def output_file(step: ProcessingStep, name: str, file: str) -> Join:
    """The S3 URI of one file in an output of a processing step."""
    return Join(on="/", values=[_output_uri(step, name), file])


def _output_uri(step: ProcessingStep, name: str) -> PipelineVariable:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def _folder(uri: PipelineVariable) -> Join:
    # S3 has no folders, and jobs read every key that begins with their URI: without the slash an input from
    # .../train would hold the files of .../train_flipped as well.
    return Join(on="", values=[uri, "/"])


def reported(step: ProcessingStep, file: PropertyFile, path: str) -> JsonGet:
    """A value out of a property file, by its dotted path."""
    return JsonGet(step_name=step.name, property_file=file, json_path=path)


def recordio_channel(name: str, uri: Uri) -> InputData:
    """A training channel of RecordIO files, whole on each instance."""
    return InputData(channel_name=name, data_source=uri, content_type=RECORDIO)


def seed_model_channel(artifact: Uri) -> InputData:
    """The `model` channel: training starts from the weights in an earlier model.tar.gz."""
    return InputData(channel_name="model", data_source=artifact, content_type=SEED_MODEL)


def trained_model(step: TrainingStep) -> PipelineVariable:
    """The S3 URI of a training step's model.tar.gz."""
    return step.properties.ModelArtifacts.S3ModelArtifacts


def training_step(
    name: str,
    *,
    jobs: JobDefaults,
    image: str,
    instance_type: Value,
    channels: Sequence[InputData],
    hyperparameters: Mapping[str, Value],
    volume_gb: int,
    max_runtime_s: int,
    spot: SpotTraining | None = None,
) -> TrainingStep:
    """One run of a training image on one instance, files copied before it starts.

    Args:
        name: the step's name.
        jobs: what all jobs share.
        image: registry address of the algorithm.
        instance_type: where it runs.
        channels: the data, by channel.
        hyperparameters: become strings, as the service has no other type for them.
        volume_gb: size of the job's disk.
        max_runtime_s: training time after which the job is stopped.
        spot: use spare capacity, or None for capacity on demand.
    """
    trainer = ModelTrainer(
        training_image=image,
        role=jobs.role,
        sagemaker_session=jobs.session,
        compute=Compute(
            instance_type=instance_type,
            instance_count=1,
            volume_size_in_gb=volume_gb,
            volume_kms_key_id=jobs.volume_kms_key,
            enable_managed_spot_training=True if spot else None,
        ),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=max_runtime_s,
            max_wait_time_in_seconds=spot.max_wait_s if spot else None,
        ),
        output_data_config=OutputDataConfig(s3_output_path=jobs.output(name), kms_key_id=jobs.output_kms_key),
        checkpoint_config=_checkpoints(name, jobs) if spot else None,
        networking=_training_network(jobs),
        hyperparameters={key: as_text(value) for key, value in hyperparameters.items()},
        tags=[Tag(key=key, value=value) for key, value in jobs.tags] or None,
    )
    return TrainingStep(
        name=name,
        step_args=trainer.train(input_data_config=list(channels)),
        cache_config=jobs.cache,
        retry_policies=job_retries(),
    )


def _checkpoints(step: str, jobs: JobDefaults) -> CheckpointConfig:
    # A folder of this execution's own: with a shared one the algorithm would silently go on from the
    # checkpoint of some other execution, trained on other data. The price is caching, whose key contains
    # this URI, so a step that trains on spot capacity never finds an earlier equal run.
    return CheckpointConfig(s3_uri=jobs.output(step, "checkpoints"))


def _training_network(jobs: JobDefaults) -> Networking | None:
    if jobs.vpc is None and not jobs.enable_network_isolation:
        return None
    return Networking(
        subnets=list(jobs.vpc.subnets) if jobs.vpc else None,
        security_group_ids=list(jobs.vpc.security_group_ids) if jobs.vpc else None,
        enable_network_isolation=True if jobs.enable_network_isolation else None,
    )


def _model_builder(jobs: JobDefaults, *, image: Uri, artifact: Uri) -> ModelBuilder:
    # An empty `dependencies` says that there is no code to package: without it the SDK adds empty
    # SAGEMAKER_PROGRAM variables and goes looking for a bucket to upload to.
    return ModelBuilder(
        image_uri=image,
        s3_model_data_url=artifact,
        dependencies={},
        role_arn=jobs.role,
        network=_training_network(jobs),
        sagemaker_session=jobs.session,
    )


def model_step(name: str, *, jobs: JobDefaults, image: Uri, artifact: Uri) -> ModelStep:
    """Create the model that transform jobs and endpoints load."""
    return ModelStep(
        name=name,
        step_args=_model_builder(jobs, image=image, artifact=artifact).build(tags=jobs.tag_list),
        retry_policies=resource_retries(),
    )


def image_transform_step(
    name: str, *, jobs: JobDefaults, model: ModelStep, images: Uri, instance_type: Value
) -> TransformStep:
    """Send each image under an S3 prefix to the model, one a request, and keep each answer as <key>.out."""
    transformer = Transformer(
        model_name=model.properties.ModelName,
        instance_count=1,
        instance_type=instance_type,
        strategy="SingleRecord",
        output_path=jobs.output(name),
        output_kms_key=jobs.output_kms_key,
        volume_kms_key=jobs.volume_kms_key,
        max_concurrent_transforms=2,
        max_payload=6,
        tags=jobs.tag_list,
        sagemaker_session=jobs.session,
    )
    step_args = transformer.transform(images, data_type="S3Prefix", content_type=ANY_IMAGE, split_type="None")
    return TransformStep(
        name=name, step_args=step_args, cache_config=jobs.cache, retry_policies=job_retries()
    )


def transform_folder(step: TransformStep) -> Join:
    """The answers of a transform step, as an input of another step."""
    return _folder(step.properties.TransformOutput.S3OutputPath)


def register_step(
    name: str,
    *,
    jobs: JobDefaults,
    image: str,
    artifact: Uri,
    group: str,
    approval_status: Value,
    endpoint_instance_type: Value,
    transform_instance_type: Value,
    statistics_uri: Uri,
    metadata: Mapping[str, Value],
    task: str,
) -> ModelStep:
    """Add a version to a model package group.

    It carries no tags: the service refuses them on a version, which has those of its group.

    Args:
        name: the step's name.
        jobs: what all jobs share.
        image: registry address of the inference image.
        artifact: S3 URI of the model.
        group: the model package group; the service makes it at the first version.
        approval_status: PendingManualApproval, Approved or Rejected.
        endpoint_instance_type: what endpoints of this version may run on.
        transform_instance_type: what transform jobs of this version may run on.
        statistics_uri: S3 URI of the JSON file with the model's quality.
        metadata: kept with the version; text of at most 256 characters each.
        task: the machine learning task, as the registry names it.
    """
    quality = MetricsSource(content_type="application/json", s3_uri=statistics_uri)
    step_args = _model_builder(jobs, image=image, artifact=artifact).register(
        model_package_group_name=group,
        content_types=list(IMAGE_TYPES),
        response_types=["application/json"],
        inference_instances=[endpoint_instance_type],
        transform_instances=[transform_instance_type],
        approval_status=approval_status,
        model_metrics=ModelMetrics(model_statistics=quality),
        customer_metadata_properties=dict(metadata),
        domain="COMPUTER_VISION",
        task=task,
    )
    return ModelStep(name=name, step_args=step_args, retry_policies=resource_retries())


def endpoint_config_step(
    name: str, *, jobs: JobDefaults, model: ModelStep, endpoint: Value, instance_type: Value
) -> EndpointConfigStep:
    """An endpoint configuration with one variant, named after the endpoint and the execution.

    A configuration cannot be changed or made twice, hence the execution in its name.
    """
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model.properties.ModelName,
        "InstanceType": instance_type,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    step_args = jobs.session.create_endpoint_config(
        name=Join(on="-", values=[endpoint, ExecutionVariables.PIPELINE_EXECUTION_ID]),
        production_variants=[variant],
        tags=jobs.tag_list,
        kms_key=jobs.volume_kms_key,
    )
    return EndpointConfigStep(name=name, step_args=step_args)


def endpoint_step(
    name: str, *, jobs: JobDefaults, config: EndpointConfigStep, endpoint: Value
) -> EndpointStep:
    """Create the endpoint, or, as its documentation has it, update the one of that name."""
    step_args = jobs.session.create_endpoint(
        endpoint_name=endpoint,
        config_name=config.properties.EndpointConfigName,
        tags=jobs.tag_list,
    )
    return EndpointStep(name=name, step_args=step_args)


def lambda_step(
    name: str, *, jobs: JobDefaults, function_arn: str, inputs: Mapping[str, Value], outputs: Sequence[str]
) -> LambdaStep:
    """Call a function that exists; its answer has these outputs, each a text of at most 1024 characters.

    It is never cached: a function is called for what is true now.
    """
    # The session keeps the SDK from opening one with the caller's credentials. With an ARN and no code, it
    # neither creates the function nor changes it.
    function = Lambda(function_arn=function_arn, session=jobs.session)
    texts = [LambdaOutput(output_name=key, output_type=LambdaOutputTypeEnum.String) for key in outputs]
    return LambdaStep(name=name, lambda_func=function, inputs=dict(inputs), outputs=texts)


def function_output(step: LambdaStep, name: str) -> PipelineVariable:
    """One output of a function."""
    return step.properties.Outputs[name]
