"""The steps that pipelines of every vision task have, whether they train anew or retrain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workflows.pipelines import options
from workflows.pipelines.jobs import JobDefaults
from workflows.pipelines.parameters import Parameters
from workflows.pipelines.project import DAY_S, Project
from workflows.pipelines.sdk import (
    ConditionEquals,
    ConditionStep,
    ExecutionVariables,
    LambdaStep,
    ModelStep,
    Pipeline,
    ProcessingStep,
    PropertyFile,
    TrainingStep,
    TransformStep,
    Value,
)
from workflows.pipelines.steps import (
    Uri,
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
from workflows.pipelines.task import FromParameters, Run, VisionTask
from workflows.pipelines.verdict import EVALUATION_REPORT, Verdict

_DATA_REPORT = PropertyFile(name="DataReport", output_name="report", path="report.json")


# Those of the outputs that hold record files.
_RECORDS = ("train", "train_flipped", "validation")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The data of a pipeline, ready to be trained on and judged by."""

    step: ProcessingStep
    records: ProcessingStep  # whose record files are whole: `step`, or the one that joins their parts

    @property
    def steps(self) -> list[ProcessingStep]:
        """One step, or both."""
        return [self.step] if self.records is self.step else [self.step, self.records]


@dataclass(frozen=True, kw_only=True)
class VisionSteps:
    """Makes the steps of one pipeline; use it inside :func:`workflows.pipelines.sdk.offline`."""

    task: VisionTask
    project: Project
    parameters: Parameters

    def pipeline(self, steps: Sequence[object]) -> Pipeline:
        """The pipeline of these steps."""
        return Pipeline(
            name=self.project.name,
            parameters=list(self.parameters.values()),
            # An experiment and a trial for each execution would need rights that nothing else here needs.
            pipeline_experiment_config=None,
            steps=list(steps),
            sagemaker_session=self.jobs.session,
        )

    @property
    def jobs(self) -> JobDefaults:
        """What all jobs share."""
        return self.project.jobs

    @property
    def image(self) -> str:
        """The built-in algorithm's image, for training and for inference."""
        return options.algorithm_image(self.task.algorithm, region=self.project.region)

    def prepare_data(self, *, after: Sequence[LambdaStep] = ()) -> Prepared:
        """PrepareData: pictures in, RecordIO, lists, held-out pictures and a report on them out."""
        step = processing_step(
            "PrepareData",
            jobs=self.jobs,
            module=self.task.prepare.module,
            instance_type=self.parameters["ProcessingInstanceType"],
            inputs={"data": self.parameters["InputDataUrl"]},
            outputs=self.task.prepared,
            arguments=self._values(self.task.prepare.arguments),
            property_files=[_DATA_REPORT],
            volume_gb=self.project.processing_volume_gb,
            max_runtime_s=DAY_S,
            instances=self.project.preparation_instances,
            after=after,
        )
        whole = self.project.preparation_instances == 1
        return Prepared(step=step, records=step if whole else self._join_records(step))

    def _join_records(self, prepare: ProcessingStep) -> ProcessingStep:
        """JoinRecords: the parts that several instances packed, as the one file that a channel takes."""
        folders = [name for name in self.task.prepared if name in _RECORDS]
        return processing_step(
            "JoinRecords",
            jobs=self.jobs,
            module="processing_scripts.jobs.join_records",
            instance_type=self.parameters["ProcessingInstanceType"],
            inputs={name: output_folder(prepare, name) for name in ("lists", *folders)},
            outputs=folders,
            arguments={},
            volume_gb=self.project.processing_volume_gb,
            max_runtime_s=DAY_S,
        )

    def train(self, name: str, run: Run, prepared: Prepared, *, parent: Uri | None) -> TrainingStep:
        """One training; `parent` is the model.tar.gz that it starts from."""
        channels = [
            recordio_channel("train", output_folder(prepared.records, run.data)),
            recordio_channel("validation", output_folder(prepared.records, "validation")),
        ]
        if parent is not None:
            channels.append(seed_model_channel(parent))
        # What the data decide is read from the report on them: counts that nobody has to type.
        counts = {
            name: reported(prepared.step, _DATA_REPORT, f"hyperparameters.{key}")
            for name, key in run.counts.items()
        }
        return training_step(
            name,
            jobs=self.jobs,
            image=self.image,
            instance_type=self.parameters["TrainingInstanceType"],
            channels=channels,
            hyperparameters=dict(run.constants) | self._values(run.recipe) | counts,
            volume_gb=self.project.training_volume_gb,
            max_runtime_s=self.project.max_training_s,
            spot=self.project.spot,
        )

    def _values(self, names: FromParameters) -> dict[str, Value]:
        return {key: self.parameters[parameter] for key, parameter in names.items()}

    def create_model(self, training: TrainingStep) -> ModelStep:
        """CreateModel: what a training left, for transform jobs and the endpoint."""
        return model_step("CreateModel", jobs=self.jobs, image=self.image, artifact=trained_model(training))

    def score(self, name: str, model: ModelStep, prepare: ProcessingStep) -> TransformStep:
        """The model's answers for the held-out pictures."""
        return image_transform_step(
            name,
            jobs=self.jobs,
            model=model,
            images=output_folder(prepare, "validation_images"),
            instance_type=self.parameters["TransformInstanceType"],
        )

    def evaluate(
        self,
        prepare: ProcessingStep,
        answers: Mapping[str, TransformStep],
        *,
        further_arguments: FromParameters | None = None,
    ) -> ProcessingStep:
        """Evaluate: figures and pictures from answers, by the name of the input that takes them."""
        predictions = {name: transform_folder(step) for name, step in answers.items()}
        return processing_step(
            "Evaluate",
            jobs=self.jobs,
            module=self.task.evaluate.module,
            instance_type=self.parameters["ProcessingInstanceType"],
            inputs=predictions
            | {
                "images": output_folder(prepare, "validation_images"),
                "lists": output_folder(prepare, "lists"),
                "report": output_folder(prepare, "report"),
            },
            outputs=["evaluation", "pictures"],
            arguments=self._values({**self.task.evaluate.arguments, **(further_arguments or {})}),
            property_files=[EVALUATION_REPORT],
            volume_gb=self.project.processing_volume_gb,
            max_runtime_s=DAY_S,
        )

    def check_quality(
        self, verdict: Verdict, prepare: ProcessingStep, *, parent: Mapping[str, Value]
    ) -> ConditionStep:
        """CheckQuality: register a model that passes, with `parent` saying what it was trained from."""
        training, evaluation = verdict.training, verdict.evaluation
        provenance = {
            "DataReport": output_file(prepare, "report", "report.json"),
            # What an endpoint with this model is tried on.
            "ValidationPictures": output_folder(prepare, "validation_images"),
            "TrainingJobName": training.properties.TrainingJobName,
            **parent,
            "PipelineExecutionArn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        }
        register = register_step(
            "RegisterModel",
            jobs=self.jobs,
            image=self.image,
            artifact=trained_model(training),
            group=self.project.group,
            approval_status=self.parameters["ModelApprovalStatus"],
            endpoint_instance_type=self.parameters["EndpointInstanceType"],
            transform_instance_type=self.parameters["TransformInstanceType"],
            statistics_uri=output_file(evaluation, "evaluation", "evaluation.json"),
            metadata=provenance | verdict.metadata(),
            task=self.task.registry_task,
        )
        return ConditionStep(
            name="CheckQuality",
            conditions=verdict.conditions(),
            if_steps=[register],
            else_steps=[verdict.fail_step("FailQuality")],
        )

    def check_approval(self, verdict: Verdict, model: ModelStep, *, after: ConditionStep) -> ConditionStep:
        """CheckApproval: deploy a model that passes and is approved at once.

        It stands beside CheckQuality and asks its questions again, because conditions inside a condition are
        not supported and no step may refer to one in the branch of another condition. For the same reason
        the endpoint serves the model of CreateModel, which exists before the first condition.
        """
        name, instance_type = self.parameters["EndpointName"], self.parameters["EndpointInstanceType"]
        config = endpoint_config_step(
            "CreateEndpointConfig", jobs=self.jobs, model=model, endpoint=name, instance_type=instance_type
        )
        endpoint = endpoint_step("CreateEndpoint", jobs=self.jobs, config=config, endpoint=name)
        approved = ConditionEquals(left=self.parameters["ModelApprovalStatus"], right="Approved")
        return ConditionStep(
            name="CheckApproval",
            conditions=[*verdict.conditions(), approved],
            if_steps=[config, endpoint],
            else_steps=[],
            # So that a model which fails ends the execution first; the service promises no order otherwise.
            depends_on=[after],
        )
