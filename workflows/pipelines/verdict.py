"""Which figures a model is judged by, what they must reach, and what is said where they do not."""

from dataclasses import dataclass

from workflows.pipelines.parameters import Parameters
from workflows.pipelines.sdk import (
    ConditionGreaterThanOrEqualTo,
    FailStep,
    Join,
    JsonGet,
    PipelineVariable,
    ProcessingStep,
    PropertyFile,
    TrainingStep,
    Value,
)
from workflows.pipelines.steps import reported
from workflows.pipelines.task import VisionTask

EVALUATION_REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
ALLOWED_DROP = "AllowedDrop"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The figures of a new model; with `approved_version`, also how it compares with that one."""

    task: VisionTask
    parameters: Parameters
    training: TrainingStep
    evaluation: ProcessingStep
    approved_version: PipelineVariable | None = None

    @property
    def in_training(self) -> PipelineVariable:
        """The training's own metric."""
        return self.training.properties.FinalMetricDataList[self.task.metric].Value

    @property
    def in_evaluation(self) -> JsonGet:
        """The same figure, found by our evaluation."""
        return self._evaluated(self.task.figure_path)

    @property
    def approved(self) -> JsonGet:
        """The figure of the approved version on the same pictures."""
        return self._evaluated("comparison.approved")

    def _evaluated(self, path: str) -> JsonGet:
        return reported(self.evaluation, EVALUATION_REPORT, path)

    def conditions(self) -> list[ConditionGreaterThanOrEqualTo]:
        """Both figures reach the threshold, and the model is not worse than the approved one."""
        threshold = self.parameters[self.task.threshold]
        reached = [
            ConditionGreaterThanOrEqualTo(left=figure, right=threshold)
            for figure in (self.in_training, self.in_evaluation)
        ]
        if self.approved_version is None:
            return reached
        # The evaluation subtracts and compares, since an expression cannot: 1 or 0.
        not_worse = self._evaluated("comparison.not_worse")
        return [*reached, ConditionGreaterThanOrEqualTo(left=not_worse, right=1)]

    def metadata(self) -> dict[str, Value]:
        """The figures for the registry, which takes text only, hence the joins around numbers."""
        figures = {"Validation": self.in_training, "Evaluation": self.in_evaluation}
        if self.approved_version is not None:
            figures["Approved"] = self.approved
        return {f"{key}{self.task.figure_key}": Join(on="", values=[value]) for key, value in figures.items()}

    def fail_step(self, name: str) -> FailStep:
        """End the execution with all figures in its reason."""
        message = [
            f"The model was not registered: {self.task.metric} of {self.training.name} is ",
            self.in_training,
            f", {self.task.figure} of Evaluate is ",
            self.in_evaluation,
            f", and {self.task.threshold} asks for ",
            self.parameters[self.task.threshold],
            " from both",
            *self._compared(),
        ]
        return FailStep(name=name, error_message=Join(on="", values=message))

    def _compared(self) -> list[Value]:
        if self.approved_version is None:
            return []
        return [
            "; on the same pictures the approved version ",
            self.approved_version,
            " has ",
            self.approved,
            f", and {ALLOWED_DROP} lets a new one have ",
            self.parameters[ALLOWED_DROP],
            " less",
        ]
