"""Pipelines in the style of well-known examples, written with version 2 of the SageMaker SDK.

It runs in an interpreter that has that version, which this project does not use; see regenerate.py.
"""

import os

os.environ.update(
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_ACCESS_KEY_ID="none",
    AWS_SECRET_ACCESS_KEY="none",
    AWS_EC2_METADATA_DISABLED="true",
    SAGEMAKER_SUPPRESS_V2_WARNING="1",
)

import boto3
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.lambda_helper import Lambda
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.telemetry import telemetry_logging
from sagemaker.transformer import Transformer
from sagemaker.tuner import CategoricalParameter, HyperparameterTuner
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThanOrEqualTo,
    ConditionLessThanOrEqualTo,
)
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.workflow.steps import ProcessingStep, TrainingStep, TransformStep, TuningStep

# Compiling makes no call to anywhere.
telemetry_logging._send_telemetry_request = lambda *_, **__: None

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PROCESSOR, TRAINER = f"{REGISTRY}/toy-processor:1", f"{REGISTRY}/toy-trainer:1"
ROLE = "arn:aws:iam::123456789012:role/Toys"
OUTPUT = "/opt/ml/processing"


def session():
    made = PipelineSession(boto_session=boto3.Session(region_name="eu-west-1"))
    # Naming it is not enough: the SDK then looks whether it exists.
    made._default_bucket = "toys"
    return made


SESSION = session()


def script(name, code, *, inputs=(), outputs=(), arguments=None, count=1, instance="ml.m5.xlarge", **more):
    """A step that runs s3://toys/code/<code>; inputs and outputs are (name, URI) and names."""
    processor = ScriptProcessor(
        image_uri=PROCESSOR,
        command=["sh"],
        role=ROLE,
        instance_count=count,
        instance_type=instance,
        env=more.pop("env", None),
        sagemaker_session=SESSION,
    )
    step_args = processor.run(
        code=f"s3://toys/code/{code}",
        inputs=[
            ProcessingInput(input_name=key, source=uri, destination=f"{OUTPUT}/{key}") for key, uri in inputs
        ],
        outputs=[
            output
            if isinstance(output, ProcessingOutput)
            else ProcessingOutput(output_name=output, source=f"{OUTPUT}/{output}")
            for output in outputs
        ],
        arguments=arguments,
    )
    return ProcessingStep(name, step_args=step_args, **more)


def output_of(step, name):
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def estimator(hyperparameters, *, instance="ml.m5.xlarge", output_path="s3://toys/models"):
    return Estimator(
        image_uri=TRAINER,
        role=ROLE,
        instance_count=1,
        instance_type=instance,
        output_path=output_path,
        hyperparameters=hyperparameters,
        sagemaker_session=SESSION,
    )


def training(name, *, train, hyperparameters, retry_policies=None, **more):
    inputs = {"train": TrainingInput(s3_data=train, content_type="text/csv")}
    step_args = estimator(hyperparameters, **more).fit(inputs=inputs)
    return TrainingStep(name, step_args=step_args, retry_policies=retry_policies)


def trained(step):
    return step.properties.ModelArtifacts.S3ModelArtifacts


def model_of(step):
    return Model(image_uri=TRAINER, model_data=trained(step), role=ROLE, sagemaker_session=SESSION)


def pipeline(name, parameters, steps):
    return Pipeline(name=name, parameters=parameters, steps=steps, sagemaker_session=SESSION)


def abalone():
    """Prepare, train, evaluate; then register, create and score, or fail with the number."""
    count = ParameterInteger("ProcessingInstanceCount", default_value=1)
    instance = ParameterString("TrainingInstanceType", default_value="ml.m5.xlarge")
    approval = ParameterString("ModelApprovalStatus", default_value="PendingManualApproval")
    data = ParameterString("InputData", default_value="s3://toys/abalone/raw")
    batch = ParameterString("BatchData", default_value="s3://toys/abalone/batch")
    threshold = ParameterFloat("MseThreshold", default_value=6.0)
    prepare = script(
        "AbaloneProcess",
        "preprocess.sh",
        inputs=[("input", data)],
        outputs=["train", "test"],
        arguments=["--input-data", data],
        count=count,
    )
    train = training(
        "AbaloneTrain",
        train=output_of(prepare, "train"),
        hyperparameters={"objective": "reg:linear", "num_round": 50, "eta": 0.2},
        instance=instance,
    )
    report = PropertyFile("EvaluationReport", output_name="evaluation", path="evaluation.json")
    evaluate = script(
        "AbaloneEval",
        "evaluate.sh",
        inputs=[("model", trained(train)), ("test", output_of(prepare, "test"))],
        outputs=["evaluation"],
        property_files=[report],
    )
    mse = JsonGet(step_name=evaluate.name, property_file=report, json_path="regression_metrics.mse.value")
    metrics = ModelMetrics(
        model_statistics=MetricsSource(
            s3_uri=Join(on="/", values=[output_of(evaluate, "evaluation"), "evaluation.json"]),
            content_type="application/json",
        )
    )
    register = ModelStep(
        "AbaloneRegisterModel",
        step_args=model_of(train).register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.t2.medium", "ml.m5.xlarge"],
            transform_instances=["ml.m5.xlarge"],
            model_package_group_name="abalone",
            approval_status=approval,
            model_metrics=metrics,
        ),
    )
    create = ModelStep("AbaloneCreateModel", step_args=model_of(train).create(instance_type="ml.m5.large"))
    transformer = Transformer(
        model_name=create.properties.ModelName,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        output_path="s3://toys/abalone/scores",
        sagemaker_session=SESSION,
    )
    score = TransformStep("AbaloneTransform", step_args=transformer.transform(data=batch))
    fail = FailStep(
        "AbaloneMSEFail",
        error_message=Join(on=" ", values=["Execution failed due to MSE >", threshold]),
    )
    gate = ConditionStep(
        "AbaloneMSECond",
        conditions=[ConditionLessThanOrEqualTo(left=mse, right=threshold)],
        if_steps=[register, create, score],
        else_steps=[fail],
    )
    return pipeline(
        "abalone", [count, instance, approval, data, batch, threshold], [prepare, train, evaluate, gate]
    )


def depends_on_chain():
    """Steps that share no data, in an order that only DependsOn gives; one waits for two."""
    first, second, third, last = (
        script(name, "note.sh", outputs=["out"], arguments=[name]) for name in ("One", "Two", "Three", "Four")
    )
    second.add_depends_on([first])
    third.add_depends_on(["One"])
    last.add_depends_on([second, third])
    return pipeline("depends-on-chain", [], [last, third, second, first])


def fail_message():
    """A Fail step on the main path, whose message is joined from all kinds of values."""
    report = PropertyFile("Report", output_name="report", path="report.json")
    count = script("Count", "count.sh", outputs=["report"], property_files=[report])
    limit = ParameterInteger("Limit", default_value=3)
    message = Join(
        on=" ",
        values=[
            "counted",
            JsonGet(step_name="Count", property_file=report, json_path="counts[1].birds"),
            "birds, the limit of",
            ExecutionVariables.PIPELINE_NAME,
            "is",
            limit,
        ],
    )
    fail = FailStep("TooMany", error_message=message, depends_on=[count])
    after = script("Unrelated", "note.sh", outputs=["out"], arguments=["unrelated"], depends_on=["Count"])
    gate = ConditionStep(
        "Compare",
        conditions=[
            ConditionGreaterThanOrEqualTo(
                left=JsonGet(step_name="Count", property_file=report, json_path="counts[1].birds"),
                right=limit,
            )
        ],
        if_steps=[fail],
        else_steps=[after],
    )
    return pipeline("fail-message", [limit], [count, gate])


def retry_policies():
    """A policy for faults of the service, one for faults of the job; what is not named is not tried again."""
    policies = [
        StepRetryPolicy(
            exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
            interval_seconds=1,
            backoff_rate=1.0,
            max_attempts=2,
        ),
        SageMakerJobStepRetryPolicy(
            exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
            failure_reason_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR],
            interval_seconds=1,
            expire_after_mins=5,
        ),
    ]
    prepare = script("Prepare", "data.sh", outputs=["train"], retry_policies=policies)
    train = training(
        "Train",
        train=output_of(prepare, "train"),
        hyperparameters={"map": "0.5"},
        retry_policies=policies,
    )
    return pipeline("retry-policies", [], [prepare, train])


def property_files():
    """Two property files of a step, read by path, in arguments, in the environment and in conditions."""
    numbers = PropertyFile("Numbers", output_name="numbers", path="deep/numbers.json")
    words = PropertyFile("Words", output_name="words", path="words.json")
    write = script("Write", "reports.sh", outputs=["numbers", "words"], property_files=[numbers, words])

    def number(path):
        return JsonGet(step_name="Write", property_file=numbers, json_path=path)

    def word(path):
        return JsonGet(step_name="Write", property_file="Words", json_path=path)

    read = script(
        "Read",
        "note.sh",
        outputs=["out"],
        arguments=[word("greeting.english"), word("list[2]"), word("list[0]")],
        env={"GREETING": word("greeting.french")},
    )
    gate = ConditionStep(
        "Gate",
        conditions=[
            ConditionGreaterThanOrEqualTo(left=number("big"), right=number("small.least")),
            ConditionEquals(left=word("greeting.english"), right="hello"),
            ConditionEquals(left=number("matrix[1][0]"), right=3),
        ],
        if_steps=[read],
        else_steps=[],
    )
    return pipeline("property-files", [], [write, gate])


def execution_variables():
    """Every execution variable: in URIs, in the environment of jobs, in their arguments."""
    place = Join(
        on="/",
        values=[
            "s3://toys",
            ExecutionVariables.PIPELINE_NAME,
            ExecutionVariables.PIPELINE_EXECUTION_ID,
            "tell",
        ],
    )
    tell = script(
        "Tell",
        "note.sh",
        outputs=[ProcessingOutput(output_name="out", source=f"{OUTPUT}/out", destination=place)],
        arguments=[
            ExecutionVariables.PIPELINE_NAME,
            ExecutionVariables.PIPELINE_EXECUTION_ID,
            ExecutionVariables.PROCESSING_JOB_NAME,
        ],
        env={
            "PIPELINE": ExecutionVariables.PIPELINE_ARN,
            "EXECUTION": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            "STARTED": ExecutionVariables.START_DATETIME,
            "NOW": ExecutionVariables.CURRENT_DATETIME,
        },
    )
    train = training(
        "Train",
        train=output_of(tell, "out"),
        hyperparameters={
            "job": ExecutionVariables.TRAINING_JOB_NAME,
            "run": Join(on="-", values=["run", ExecutionVariables.PIPELINE_EXECUTION_ID]),
        },
        output_path=Join(on="/", values=["s3://toys/models", ExecutionVariables.PIPELINE_EXECUTION_ID]),
    )
    return pipeline("execution-variables", [], [tell, train])


def outside_of_a_branch():
    """Steps outside that hang on a step inside a branch, and on a condition itself."""
    side = ParameterString("Side", default_value="left")
    inside = script("Inside", "note.sh", outputs=["out"], arguments=["inside"])
    other = script("Other", "note.sh", outputs=["out"], arguments=["other"])
    gate = ConditionStep(
        "Gate",
        conditions=[ConditionEquals(left=side, right="left")],
        if_steps=[inside],
        else_steps=[other],
    )
    reads = script("Reads", "copy.sh", inputs=[("input", output_of(inside, "out"))], outputs=["out"])
    behind = script("Behind", "note.sh", outputs=["out"], arguments=["behind"], depends_on=[reads])
    either = script("Either", "note.sh", outputs=["out"], arguments=["either"], depends_on=[gate])
    alone = script("Alone", "note.sh", outputs=["out"], arguments=["alone"])
    return pipeline("outside-of-a-branch", [side], [gate, reads, behind, either, alone])


def lambda_outputs():
    """A function's answers as hyperparameter, in a condition and in another function's input."""
    function = Lambda(function_arn="arn:aws:lambda:eu-west-1:123456789012:function:choose", session=SESSION)
    choose = LambdaStep(
        "Choose",
        lambda_func=function,
        inputs={"size": 4, "name": ExecutionVariables.PIPELINE_NAME, "half": 0.5},
        outputs=[
            LambdaOutput("epochs", LambdaOutputTypeEnum.Integer),
            LambdaOutput("rate", LambdaOutputTypeEnum.Float),
            LambdaOutput("go", LambdaOutputTypeEnum.Boolean),
            LambdaOutput("who", LambdaOutputTypeEnum.String),
        ],
    )
    answers = choose.properties.Outputs
    train = training(
        "Train",
        train="s3://toys/data",
        hyperparameters={"epochs": answers["epochs"].to_string(), "rate": answers["rate"].to_string()},
    )
    tell = LambdaStep(
        "Tell",
        lambda_func=function,
        inputs={"size": answers["epochs"], "name": Join(on=":", values=["by", answers["who"]]), "half": 1},
        outputs=[LambdaOutput("who", LambdaOutputTypeEnum.String)],
        depends_on=[train],
    )
    gate = ConditionStep(
        "Gate",
        conditions=[
            ConditionEquals(left=answers["go"], right=True),
            ConditionGreaterThanOrEqualTo(left=answers["epochs"], right=8),
        ],
        if_steps=[train, tell],
        else_steps=[],
    )
    return pipeline("lambda-outputs", [], [choose, gate])


def tuning_top_models():
    """A tuning over a grid; its best and its second best model are used."""
    tuner = HyperparameterTuner(
        estimator=estimator({"depth": 4}),
        objective_metric_name="validation:mAP",
        hyperparameter_ranges={"map": CategoricalParameter(["0.25", "0.75", "0.5"])},
        metric_definitions=[{"Name": "validation:mAP", "Regex": r"validation mAP=\(([0-9.]+)\)"}],
        strategy="Grid",
        max_jobs=3,
        max_parallel_jobs=3,
    )
    inputs = {"train": TrainingInput(s3_data="s3://toys/data", content_type="text/csv")}
    tune = TuningStep("Tune", step_args=tuner.fit(inputs=inputs))
    top = [tune.get_top_model_s3_uri(top_k=rank, s3_bucket="toys", prefix="models") for rank in (0, 1)]
    look = script("LookInside", "look.sh", inputs=[("best", top[0]), ("second", top[1])], outputs=["out"])
    best = Model(image_uri=TRAINER, model_data=top[0], role=ROLE, sagemaker_session=SESSION)
    create = ModelStep("Best", step_args=best.create(instance_type="ml.m5.large"))
    return pipeline("tuning-top-models", [], [tune, look, create])


def lambda_and_callback():
    """A function picks what is to be labelled, people label it, and what they say is trained on."""
    function = Lambda(function_arn="arn:aws:lambda:eu-west-1:123456789012:function:pick", session=SESSION)
    pick = LambdaStep(
        "Pick",
        lambda_func=function,
        inputs={"folder": "s3://toys/unlabelled"},
        outputs=[LambdaOutput("first", LambdaOutputTypeEnum.String)],
    )
    label = CallbackStep(
        "Label",
        sqs_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/labels",
        inputs={
            "uri": pick.properties.Outputs["first"],
            "execution": ExecutionVariables.PIPELINE_EXECUTION_ID,
        },
        outputs=[
            CallbackOutput("uri", CallbackOutputTypeEnum.String),
            CallbackOutput("count", CallbackOutputTypeEnum.Integer),
        ],
    )
    labels = label.properties.Outputs
    train = training(
        "Train", train=labels["uri"], hyperparameters={"num_samples": labels["count"].to_string()}
    )
    gate = ConditionStep(
        "Enough",
        conditions=[ConditionGreaterThanOrEqualTo(left=labels["count"], right=2)],
        if_steps=[train],
        else_steps=[FailStep("TooFew", error_message=Join(on=" ", values=["only", labels["count"]]))],
    )
    return pipeline("lambda-and-callback", [], [pick, label, gate])


PIPELINES = (
    abalone,
    depends_on_chain,
    fail_message,
    retry_policies,
    property_files,
    execution_variables,
    outside_of_a_branch,
    lambda_outputs,
    lambda_and_callback,
    tuning_top_models,
)


def compile_all():
    """(file name, definition) of each."""
    for make in PIPELINES:
        yield f"v2-{make.__name__.replace('_', '-')}", make().definition()
