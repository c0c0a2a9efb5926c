"""A pipeline that trains twice: from the start, then on from those weights.

PrepareData -> TrainBase -> TrainIncremental -> CreateModel -> ScoreValidation -> Evaluate
  -> CheckQuality  - RegisterModel, or else FailQuality
  -> CheckApproval - CreateEndpointConfig -> CreateEndpoint
"""

from workflows.pipelines.parameters import Parameters
from workflows.pipelines.project import Project
from workflows.pipelines.sdk import Pipeline
from workflows.pipelines.steps import trained_model
from workflows.pipelines.task import VisionTask
from workflows.pipelines.verdict import Verdict
from workflows.pipelines.vision_steps import VisionSteps


def two_trainings(task: VisionTask, project: Project, parameters: Parameters) -> Pipeline:
    """Build it; call this inside :func:`workflows.pipelines.sdk.offline`."""
    make = VisionSteps(task=task, project=project, parameters=parameters)
    prepared = make.prepare_data()
    prepare = prepared.step
    base = make.train("TrainBase", task.base, prepared, parent=None)
    incremental = make.train("TrainIncremental", task.incremental, prepared, parent=trained_model(base))
    model = make.create_model(incremental)
    score = make.score("ScoreValidation", model, prepare)
    evaluate = make.evaluate(prepare, {"predictions": score})
    verdict = Verdict(task=task, parameters=parameters, training=incremental, evaluation=evaluate)
    parent = {"BaseTrainingJobName": base.properties.TrainingJobName}
    check = make.check_quality(verdict, prepare, parent=parent)
    deploy = make.check_approval(verdict, model, after=check)
    return make.pipeline([*prepared.steps, base, incremental, model, score, evaluate, check, deploy])
