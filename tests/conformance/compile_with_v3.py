"""Pipelines in the style of well-known examples, written with version 3 of the SageMaker SDK."""

from workflows.pipelines.sdk import (
    CacheConfig,
    Compute,
    ConditionEquals,
    ConditionGreaterThanOrEqualTo,
    ConditionStep,
    EndpointConfigStep,
    EndpointStep,
    ExecutionVariables,
    FailStep,
    InputData,
    Join,
    JsonGet,
    MetricsSource,
    ModelBuilder,
    ModelMetrics,
    ModelStep,
    ModelTrainer,
    OutputDataConfig,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
    Pipeline,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    ProcessingStep,
    Processor,
    PropertyFile,
    StoppingCondition,
    TrainingStep,
    Transformer,
    TransformStep,
    offline,
    offline_session,
)

with offline():
    from sagemaker.core.parameter import CategoricalParameter
    from sagemaker.core.workflow.conditions import (
        ConditionGreaterThan,
        ConditionIn,
        ConditionLessThan,
        ConditionLessThanOrEqualTo,
        ConditionNot,
        ConditionOr,
    )
    from sagemaker.core.workflow.parameters import ParameterBoolean
    from sagemaker.mlops.workflow.pipeline_experiment_config import (
        PipelineExperimentConfig,
        PipelineExperimentConfigProperties,
    )
    from sagemaker.mlops.workflow.steps import TuningStep
    from sagemaker.train.tuner import HyperparameterTuner

    SESSION = offline_session(region="eu-west-1", default_bucket="toys")

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PROCESSOR, TRAINER = f"{REGISTRY}/toy-processor:1", f"{REGISTRY}/toy-trainer:1"
ROLE = "arn:aws:iam::123456789012:role/Toys"
FOLDER = "/opt/ml/processing"
EXECUTION = ExecutionVariables.PIPELINE_EXECUTION_ID


def job(name, script, *, inputs=None, outputs=("out",), arguments=None, environment=None, **more):
    """A step that runs a line of shell; its arguments are $1, $2 and so on."""
    processor = Processor(
        role=ROLE,
        image_uri=PROCESSOR,
        entrypoint=["sh", "-euc", script, name],
        instance_count=1,
        instance_type="ml.m5.large",
        env=environment,
        sagemaker_session=SESSION,
    )
    step_args = processor.run(
        inputs=[_input(key, uri) for key, uri in (inputs or {}).items()],
        outputs=[_output(key, name) for key in outputs],
        arguments=arguments,
    )
    return ProcessingStep(name=name, step_args=step_args, **more)


def _input(name, uri):
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=uri, local_path=f"{FOLDER}/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
        ),
    )


def _output(name, step):
    uri = Join(on="/", values=["s3://toys", EXECUTION, step, name])
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(s3_uri=uri, local_path=f"{FOLDER}/{name}", s3_upload_mode="EndOfJob"),
    )


def output_of(step, name="out"):
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def trainer(name, hyperparameters):
    return ModelTrainer(
        training_image=TRAINER,
        role=ROLE,
        sagemaker_session=SESSION,
        compute=Compute(instance_type="ml.g5.xlarge", instance_count=1, volume_size_in_gb=50),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        output_data_config=OutputDataConfig(
            s3_output_path=Join(on="/", values=["s3://toys", EXECUTION, name])
        ),
        hyperparameters=hyperparameters,
    )


def training(name, channels, hyperparameters, **more):
    data = [
        InputData(channel_name=key, data_source=uri, content_type=kind)
        for key, (uri, kind) in channels.items()
    ]
    step_args = trainer(name, hyperparameters).train(input_data_config=data)
    return TrainingStep(name=name, step_args=step_args, **more)


def trained(step):
    return step.properties.ModelArtifacts.S3ModelArtifacts


def model_of(step):
    return ModelBuilder(
        image_uri=TRAINER,
        s3_model_data_url=trained(step),
        dependencies={},
        role_arn=ROLE,
        sagemaker_session=SESSION,
    )


def reported(step, file, path):
    return JsonGet(step_name=step.name, property_file=file, json_path=path)


def pipeline(name, steps, parameters=(), **more):
    return Pipeline(name=name, parameters=list(parameters), steps=steps, sagemaker_session=SESSION, **more)


def abalone():
    """Prepare, train, evaluate, gate; registered with its metrics, or failed with the number."""
    data = ParameterString("InputData", default_value="s3://toys/abalone/raw")
    approval = ParameterString(
        "ModelApprovalStatus",
        default_value="PendingManualApproval",
        enum_values=["PendingManualApproval", "Approved"],
    )
    threshold = ParameterFloat("MseThreshold", default_value=6.0)
    prepare = job(
        "Prepare",
        "cd /opt/ml/processing; sort input/data.csv | head -n 3 > train/data.csv; "
        "sort input/data.csv | tail -n 1 > test/data.csv",
        inputs={"input": data},
        outputs=["train", "test"],
    )
    train = training("Train", {"train": (output_of(prepare, "train"), "text/csv")}, {"map": "0.25,0.5"})
    report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
    evaluate = job(
        "Evaluate",
        "cd /opt/ml/processing; tar xzf model/model.tar.gz; grep -q . model.txt; "
        'printf \'{"regression_metrics": {"mse": {"value": %s}}}\' $(cut -d, -f2 test/data.csv) '
        "> evaluation/evaluation.json",
        inputs={"model": trained(train), "test": output_of(prepare, "test")},
        outputs=["evaluation"],
        property_files=[report],
    )
    mse = reported(evaluate, report, "regression_metrics.mse.value")
    statistics = Join(on="/", values=[output_of(evaluate, "evaluation"), "evaluation.json"])
    register = ModelStep(
        name="Register",
        step_args=model_of(train).register(
            model_package_group_name="abalone",
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            approval_status=approval,
            model_metrics=ModelMetrics(
                model_statistics=MetricsSource(content_type="application/json", s3_uri=statistics)
            ),
        ),
    )
    refuse = FailStep(name="Refuse", error_message=Join(on=" ", values=["MSE", mse, "is above", threshold]))
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionLessThanOrEqualTo(left=mse, right=threshold)],
        if_steps=[register],
        else_steps=[refuse],
    )
    return pipeline("abalone", [prepare, train, evaluate, gate], [data, approval, threshold])


def incremental_training():
    """Image classification: a base training, one that goes on from its model, a gate on its metric."""
    epochs = ParameterInteger("Epochs", default_value=10)
    prepare = job(
        "PrepareImages",
        "cd /opt/ml/processing; echo rec-1 > train/images.rec; echo rec-2 > validation/images.rec",
        outputs=["train", "validation"],
    )
    records = {
        "train": (output_of(prepare, "train"), "application/x-recordio"),
        "validation": (output_of(prepare, "validation"), "application/x-recordio"),
    }
    fixed = {"num_layers": "18", "image_shape": "3,224,224", "num_classes": "257"}
    base = training("TrainBase", records, {**fixed, "epochs": epochs.to_string(), "map": "0.1,0.4"})
    seed = {"model": (trained(base), "application/x-sagemaker-model")}
    again = training("TrainIncremental", {**records, **seed}, {**fixed, "epochs": "2", "map": "0.5,0.75"})
    metric = again.properties.FinalMetricDataList["validation:mAP"].Value
    earlier = base.properties.FinalMetricDataList["validation:mAP"].Value
    gate = ConditionStep(
        name="IsBetter",
        conditions=[
            ConditionGreaterThan(left=metric, right=earlier),
            ConditionGreaterThanOrEqualTo(left=metric, right=0.75),
        ],
        if_steps=[ModelStep(name="CreateModel", step_args=model_of(again).build())],
        else_steps=[FailStep(name="Worse", error_message=Join(on="", values=["only ", metric]))],
    )
    look = job(
        "LookInside",
        "tar xzf /opt/ml/processing/model/model.tar.gz -C /opt/ml/processing/out",
        inputs={"model": trained(again)},
    )
    return pipeline("incremental-training", [prepare, base, again, gate, look], [epochs])


def batch_transform():
    """Every object through the model, then all answers into one file."""
    train = training("Train", {"train": ("s3://toys/data", "text/plain")}, {"map": "1"})
    create = ModelStep(name="CreateModel", step_args=model_of(train).build())
    transformer = Transformer(
        model_name=create.properties.ModelName,
        instance_count=1,
        instance_type="ml.m5.large",
        strategy="SingleRecord",
        output_path=Join(on="/", values=["s3://toys", EXECUTION, "answers"]),
        max_concurrent_transforms=2,
        sagemaker_session=SESSION,
    )
    score = TransformStep(
        name="Score",
        step_args=transformer.transform(
            "s3://toys/questions/", data_type="S3Prefix", content_type="text/plain", split_type="None"
        ),
    )
    collect = job(
        "Collect",
        "cd /opt/ml/processing/answers; for file in *.out; do cat $file; echo; done > ../out/all.txt",
        inputs={"answers": score.properties.TransformOutput.S3OutputPath},
    )
    return pipeline("batch-transform", [train, create, score, collect])


def joins():
    """Std:Join wherever a string may stand, nested, with every kind of value."""
    bucket = ParameterString("Bucket", default_value="toys")
    number = ParameterInteger("Number", default_value=7)
    rate = ParameterFloat("Rate", default_value=0.125)
    flag = ParameterBoolean("Flag", default_value=True)
    inner = Join(on="-", values=[number, rate, flag, "end"])
    first = job(
        "First",
        'cd /opt/ml/processing/out; printf "%s\\n" "$@" "$JOINED" > seen.txt',
        arguments=[
            inner,
            Join(on="", values=["s3://", bucket, "/", Join(on="/", values=["a", "b"])]),
            Join(on=", ", values=[1, 2.5, "three"]),
            Join(on="/", values=[]),
        ],
        environment={"JOINED": Join(on="+", values=[inner, inner])},
    )
    seen = Join(on="/", values=[output_of(first), "seen.txt"])
    second = job("Second", "cp /opt/ml/processing/one/seen.txt /opt/ml/processing/out", inputs={"one": seen})
    return pipeline("joins", [first, second], [bucket, number, rate, flag])


def json_get_hyperparameters():
    """What a preparation counted becomes hyperparameters of the training, alone and joined."""
    report = PropertyFile(name="Counts", output_name="report", path="counts.json")
    prepare = job(
        "Prepare",
        "cd /opt/ml/processing; echo data > train/data.txt; "
        'echo \'{"classes": "5", "samples": [{"train": "90"}, {"validation": "10"}], "mean": 0.5}\' '
        "> report/counts.json",
        outputs=["train", "report"],
        property_files=[report],
    )
    train = training(
        "Train",
        {"train": (output_of(prepare, "train"), "text/plain")},
        {
            "num_classes": reported(prepare, report, "classes"),
            "num_training_samples": reported(prepare, report, "samples[0].train"),
            "label": Join(on=" of ", values=[reported(prepare, report, "samples[1].validation"), "all"]),
            "map": "0.5",
        },
    )
    gate = ConditionStep(
        name="Enough",
        conditions=[ConditionLessThan(left=reported(prepare, report, "mean"), right=1)],
        if_steps=[train],
        else_steps=[],
    )
    return pipeline("json-get-hyperparameters", [prepare, gate])


def conditions():
    """All types of conditions, nested; which branch is taken depends on four parameters."""
    number = ParameterInteger("Number", default_value=5)
    rate = ParameterFloat("Rate", default_value=0.5)
    colour = ParameterString("Colour", default_value="red")
    flag = ParameterBoolean("Flag", default_value=True)
    everything = ConditionStep(
        name="Everything",
        conditions=[
            ConditionIn(value=colour, in_values=["red", "green", Join(on="", values=["bl", "ue"])]),
            ConditionNot(
                expression=ConditionOr(
                    conditions=[
                        ConditionEquals(left=number, right=0),
                        ConditionGreaterThan(left=rate, right=number),
                    ]
                )
            ),
            ConditionOr(
                conditions=[
                    ConditionNot(expression=ConditionEquals(left=flag, right=True)),
                    ConditionLessThan(left=rate, right=1),
                ]
            ),
            ConditionGreaterThanOrEqualTo(left=number, right=rate),
            ConditionLessThanOrEqualTo(left=number, right=5.0),
        ],
        if_steps=[job("All", "true")],
        else_steps=[job("NotAll", "true")],
    )
    after = ConditionStep(
        name="After",
        conditions=[ConditionEquals(left=everything.properties.Outcome, right="True")],
        if_steps=[job("AfterAll", "true")],
        else_steps=[job("AfterNotAll", "true"), job("AfterThat", "true", depends_on=["AfterNotAll"])],
    )
    return pipeline("conditions", [everything, after], [number, rate, colour, flag])


def parallel_branches():
    """A fan of four that are independent of each other, and a step that reads all of them."""
    start = job("Start", "echo seed > /opt/ml/processing/out/seed.txt")
    fan = [
        job(
            f"Branch{letter}",
            "cat /opt/ml/processing/seed/seed.txt > /opt/ml/processing/out/$0.txt; "
            "echo $0 >> /opt/ml/processing/out/$0.txt",
            inputs={"seed": output_of(start)},
        )
        for letter in "ABCD"
    ]
    join = job(
        "Join",
        "cat /opt/ml/processing/Branch*/*.txt > /opt/ml/processing/out/all.txt",
        inputs={step.name: output_of(step) for step in fan},
    )
    return pipeline("parallel-branches", [join, *reversed(fan), start])


def cached_steps():
    """Steps with a cache, one whose arguments come from a parameter, one with an expiry long past."""
    word = ParameterString("Word", default_value="one")
    kept = CacheConfig(enable_caching=True, expire_after="P30D")
    expired = CacheConfig(enable_caching=True, expire_after="PT0S")
    off = CacheConfig(enable_caching=False, expire_after="P30D")
    first = job("First", "echo first > /opt/ml/processing/out/x.txt", cache_config=kept)
    second = job(
        "Second",
        'cd /opt/ml/processing; echo "$1" > out/x.txt; cat in/x.txt >> out/x.txt',
        inputs={"in": output_of(first)},
        arguments=[word],
        cache_config=kept,
    )
    old = job("Old", "true", cache_config=expired)
    each = job("Each", "true", cache_config=off)
    return pipeline("cached-steps", [first, second, old, each], [word])


def deployment():
    """Train, create the model, an endpoint configuration of the execution's own, the endpoint."""
    name = ParameterString("EndpointName", default_value="toys")
    train = training("Train", {"train": ("s3://toys/data", "text/plain")}, {"map": "1"})
    create = ModelStep(name="CreateModel", step_args=model_of(train).build())
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": create.properties.ModelName,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    config = EndpointConfigStep(
        name="Configure",
        step_args=SESSION.create_endpoint_config(
            name=Join(on="-", values=[name, EXECUTION]),
            production_variants=[variant],
            tags=None,
            kms_key=None,
        ),
    )
    deploy = EndpointStep(
        name="Deploy",
        step_args=SESSION.create_endpoint(
            endpoint_name=name, config_name=config.properties.EndpointConfigName, tags=None
        ),
    )
    return pipeline("deployment", [train, create, config, deploy], [name])


def experiment():
    """Names of the experiment and of its trial, made of expressions, as values of a step."""
    owner = ParameterString("Owner", default_value="birds")
    tell = job(
        "Tell",
        'printf "%s\\n" "$@" > /opt/ml/processing/out/names.txt',
        arguments=[
            PipelineExperimentConfigProperties.EXPERIMENT_NAME,
            Join(on="/", values=["trial", PipelineExperimentConfigProperties.TRIAL_NAME]),
        ],
    )
    config = PipelineExperimentConfig(
        experiment_name=Join(on="-", values=[owner, "experiment"]), trial_name=EXECUTION
    )
    return pipeline("experiment", [tell], [owner], pipeline_experiment_config=config)


def json_get_by_uri():
    """A value out of any JSON object in S3, whose URI is joined of properties, parameters and variables."""
    shelf = ParameterString("Shelf", default_value="s3://toys/shelf")
    write = job("Write", 'echo \'{"scores": [{"map": 0.75}]}\' > /opt/ml/processing/out/scores.json')
    score = JsonGet(
        s3_uri=Join(on="/", values=[output_of(write), "scores.json"]), json_path="scores[0].map", step=write
    )
    limit = JsonGet(s3_uri=Join(on="/", values=[shelf, "limits.json"]), json_path="limits['map at 50'].least")
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThanOrEqualTo(left=score, right=limit)],
        if_steps=[job("Good", "true")],
        else_steps=[FailStep(name="Bad", error_message=Join(on=" ", values=["below", limit]))],
    )
    return pipeline("json-get-by-uri", [write, gate], [shelf])


def failing_job():
    """A chain with a job in its middle that fails if it is told to, with a message of its own."""
    fails = ParameterString("Fails", default_value="no")
    first = job("First", "true")
    breaks = job(
        "Breaks",
        'test "$1" = no && exit; mkdir -p /opt/ml/output; '
        "echo the input is broken > /opt/ml/output/message; exit 3",
        arguments=[fails],
        depends_on=[first],
    )
    never = job("AfterBreaks", "true", depends_on=[breaks])
    last = job("Last", "true", depends_on=[never])
    return pipeline("failing-job", [first, breaks, never, last], [fails])


def tuning():
    """A tuning whose best value is compared with a threshold before its best model is created."""
    threshold = ParameterFloat("Threshold", default_value=0.5)
    tuner = HyperparameterTuner(
        model_trainer=trainer("Tune", {"depth": "4"}),
        objective_metric_name="validation:mAP",
        hyperparameter_ranges={"map": CategoricalParameter(["0.5", "0.75"])},
        metric_definitions=[{"Name": "validation:mAP", "Regex": r"validation mAP=\(([0-9.]+)\)"}],
        strategy="Grid",
        max_jobs=2,
        max_parallel_jobs=2,
    )
    data = InputData(channel_name="train", data_source="s3://toys/data", content_type="text/plain")
    tune = TuningStep(name="Tune", step_args=tuner.tune(inputs=[data], wait=False))
    best = tune.properties.BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value
    artifact = Join(
        on="/",
        values=[
            "s3://toys",
            EXECUTION,
            "Tune",
            tune.properties.BestTrainingJob.TrainingJobName,
            "output/model.tar.gz",
        ],
    )
    model = ModelBuilder(
        image_uri=TRAINER,
        s3_model_data_url=artifact,
        dependencies={},
        role_arn=ROLE,
        sagemaker_session=SESSION,
    )
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThan(left=best, right=threshold)],
        if_steps=[ModelStep(name="CreateBest", step_args=model.build())],
        else_steps=[FailStep(name="Worse", error_message=Join(on=" ", values=["at best", best]))],
    )
    return pipeline("tuning", [tune, gate], [threshold])


PIPELINES = (
    abalone,
    incremental_training,
    batch_transform,
    joins,
    json_get_hyperparameters,
    conditions,
    parallel_branches,
    cached_steps,
    deployment,
    experiment,
    json_get_by_uri,
    failing_job,
    tuning,
)


def compile_all():
    """(file name, definition) of each."""
    for make in PIPELINES:
        with offline():
            yield f"v3-{make.__name__.replace('_', '-')}", make().definition()
