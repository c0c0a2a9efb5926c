"""Names of metrics against what the training job will publish."""

from collections.abc import Iterator

from workflows.definition.errors import did_you_mean
from workflows.definition.expressions import STEPS, Get
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import at, objects, own_arguments
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.properties import METRICS
from workflows.preflight.rules.references import references
from workflows.preflight.trainings import Training, trainings

UNKNOWN = Rule(
    identifier="unknown-metric",
    severity=Severity.ERROR,
    title="A metric that the training job does not publish",
    why="When the training is over and paid for, the expression has no value, or the tuning no objective.",
    source="SageMaker Developer Guide, metrics of the built-in algorithms; API reference, MetricDefinitions",
)
UNDEFINED = Rule(
    identifier="undefined-metric",
    severity=Severity.WARNING,
    title="A metric of an image of your own, without MetricDefinitions",
    why="Images publish only what MetricDefinitions finds in their logs; AWS's own images are an exception.",
    source="SageMaker Developer Guide, define metrics",
)
OVERRIDDEN = Rule(
    identifier="metrics-overridden",
    severity=Severity.ERROR,
    title="MetricDefinitions for a built-in algorithm",
    why="CreateTrainingJob refuses them: a built-in algorithm defines its own.",
    source="SageMaker Developer Guide, define metrics",
)

_DEFINITIONS = "MetricDefinitions"


def _find(context: Context) -> Iterator[Finding]:
    by_step: dict[str, list[Training]] = {}
    for training in trainings(context):
        by_step.setdefault(training.step.name, []).append(training)
        yield from _definitions(training)
    for step in context.of_type("Tuning"):
        objective = at(
            step.arguments.get("HyperParameterTuningJobConfig"), "HyperParameterTuningJobObjective"
        )
        name = context.text_at(at(objective, "MetricName"))
        path = (
            *step.arguments_path,
            "HyperParameterTuningJobConfig",
            "HyperParameterTuningJobObjective",
            "MetricName",
        )
        for training in by_step.get(step.name, ()) if name else ():
            yield from _published(context, training, str(name), path)
    for step in context.steps:
        for reference in references(dict(own_arguments(step)), step.arguments_path):
            target = reference.leads_to
            if isinstance(target, Get) and target.root == STEPS and METRICS in target.path[1:2]:
                for training in by_step.get(target.name, ()) if len(target.path) > 2 else ():
                    yield from _published(context, training, str(target.path[2]), reference.path)


CHECK = Check(rules=(UNKNOWN, UNDEFINED, OVERRIDDEN), find=_find)


def _published(context: Context, training: Training, name: str, path: Path) -> Iterator[Finding]:
    if training.image is None or name.isdigit():
        return
    if training.algorithm is not None:
        known, whose = list(training.algorithm.metrics), training.algorithm.title
    else:
        specification = at(training.node.get("AlgorithmSpecification"), _DEFINITIONS)
        names = [context.text_at(node.get("Name")) for node, _ in objects(specification, ())]
        known, whose = [each for each in names if each], f"the job of '{training.step.name}'"
        if not known:
            yield UNDEFINED.at(
                path,
                f"{whose} has no MetricDefinitions, so it may publish no '{name}'",
                "add one with the expression that finds it in the log",
            )
            return
    if name not in known:
        yield UNKNOWN.at(
            path,
            f"{whose} publishes no metric '{name}'{did_you_mean(name, known)}",
            "name one of its metrics",
        )


def _definitions(training: Training) -> Iterator[Finding]:
    if training.algorithm and at(training.node.get("AlgorithmSpecification"), _DEFINITIONS):
        yield OVERRIDDEN.at(
            (*training.path, "AlgorithmSpecification", _DEFINITIONS),
            f"{training.algorithm.title} defines its own metrics",
            "remove MetricDefinitions",
        )
