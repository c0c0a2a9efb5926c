"""A pipeline that goes on from the model version that is approved now.

    FindApprovedModel -> PrepareData -> Train -> CreateModel -> ScoreValidation -> Evaluate
                         CreateApprovedModel -> ScoreApproved -> Evaluate
      -> CheckQuality  - RegisterModel, or else FailQuality
      -> CheckApproval - CreateEndpointConfig -> CreateEndpoint

FindApprovedModel calls a function, as no step of Pipelines reads the registry. Which version it found is an
output of that step and stands on the new version. PrepareData waits for it, so that without an approved
version nothing has cost anything. The approved and the new model answer for the same held-out pictures, and
the new one is registered only where it reaches the threshold and is not worse by more than AllowedDrop.

No step is cached. A cache key holds the address of the data and nothing of what lies there, so a cached
PrepareData would not see new pictures under the same prefix, and what follows reads what PrepareData wrote
under the execution's own prefix, which no earlier execution has read.

Every parameter has a default, as a schedule gives none. Where the pictures are split at random, new ones can
change which are held out; those that the approved version was trained on then flatter both models.
"""

import re

from workflows.pipelines.errors import PipelineOptionError
from workflows.pipelines.parameters import Parameters, by_name
from workflows.pipelines.processing_image import role_account
from workflows.pipelines.project import Project
from workflows.pipelines.sdk import LambdaStep, Parameter, ParameterFloat, Pipeline
from workflows.pipelines.steps import function_output, lambda_step, model_step
from workflows.pipelines.task import VisionTask
from workflows.pipelines.verdict import ALLOWED_DROP, Verdict
from workflows.pipelines.vision_steps import VisionSteps

FUNCTION = "sagemaker-find-approved-model"  # the managed policy for Pipelines allows names with "sagemaker"

_FUNCTION_ARN = re.compile(r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[\w:$-]+")


def retraining(
    task: VisionTask, project: Project, parameters: Parameters, *, approved_model_function_arn: str | None
) -> Pipeline:
    """Build it; call this inside :func:`workflows.pipelines.sdk.offline`.

    Args:
        task: what is trained; its incremental run is the training.
        project: whose jobs, and the group that is read and registered in.
        parameters: of :func:`retraining_parameters`.
        approved_model_function_arn: the function of infrastructure/functions/find_approved_model.py, or None
            for the one named FUNCTION in the region of the pipeline and the account of the role.

    Raises:
        PipelineOptionError: the ARN is not a function's, or the function is in another region.
    """
    function = _function_arn(approved_model_function_arn, project)
    make = VisionSteps(task=task, project=project, parameters=parameters)
    find = _find_approved_model(project, function)
    artifact, version = (function_output(find, name) for name in ("ModelDataUrl", "ModelPackageVersion"))
    prepared = make.prepare_data(after=[find])
    prepare = prepared.step
    train = make.train("Train", task.incremental, prepared, parent=artifact)
    model = make.create_model(train)
    approved = model_step(
        "CreateApprovedModel", jobs=project.jobs, image=function_output(find, "Image"), artifact=artifact
    )
    score = make.score("ScoreValidation", model, prepare)
    score_approved = make.score("ScoreApproved", approved, prepare)
    evaluate = make.evaluate(
        prepare,
        {"predictions": score, "approved_predictions": score_approved},
        further_arguments={"allowed-drop": ALLOWED_DROP},
    )
    verdict = Verdict(
        task=task, parameters=parameters, training=train, evaluation=evaluate, approved_version=version
    )
    parent = {
        "ParentModelPackageArn": function_output(find, "ModelPackageArn"),
        "ParentModelPackageVersion": version,
    }
    check = make.check_quality(verdict, prepare, parent=parent)
    deploy = make.check_approval(verdict, model, after=check)
    return make.pipeline(
        [find, *prepared.steps, train, model, approved, score, score_approved, evaluate, check, deploy]
    )


def retraining_parameters(task: VisionTask, parameters: Parameters) -> dict[str, Parameter]:
    """Those of the pipeline with two trainings, less what only its first one reads, and AllowedDrop."""
    gone = set(task.base.recipe.values()) - set(task.incremental.recipe.values())
    kept = [parameter for name, parameter in parameters.items() if name not in gone]
    return by_name([*kept, ParameterFloat(ALLOWED_DROP, 0.0)])


def _find_approved_model(project: Project, function_arn: str) -> LambdaStep:
    return lambda_step(
        "FindApprovedModel",
        jobs=project.jobs,
        function_arn=function_arn,
        inputs={"ModelPackageGroupName": project.group},
        outputs=["ModelPackageArn", "ModelPackageVersion", "ModelDataUrl", "Image"],
    )


def _function_arn(given: str | None, project: Project) -> str:
    if given is None:
        partition, account = role_account(project.jobs.role)
        return f"arn:{partition}:lambda:{project.region}:{account}:function:{FUNCTION}"
    match = _FUNCTION_ARN.fullmatch(given)
    if match is None:
        raise PipelineOptionError(f"approved_model_function_arn: '{given}' is not the ARN of a function")
    if match["region"] != project.region:
        raise PipelineOptionError(
            f"approved_model_function_arn: the function is in {match['region']}, the pipeline is for "
            f"{project.region}"
        )
    return given
