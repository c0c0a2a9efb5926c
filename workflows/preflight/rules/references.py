"""Whether every expression and every DependsOn leads to something that will be there then."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from workflows.definition.errors import DefinitionError, did_you_mean
from workflows.definition.expressions import (
    EXECUTION,
    EXECUTION_VARIABLES,
    EXPERIMENT,
    EXPERIMENT_FIELDS,
    EXPRESSION_KEYS,
    PARAMETERS,
    STEPS,
    Get,
    JsonGet,
    is_expression,
    parse_get,
    parse_join,
    parse_json_get,
)
from workflows.definition.model import JSON
from workflows.definition.step_types import STEP_TYPES, step_type
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import RawStep, at, list_of, object_of, objects, own_arguments, text_of
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.properties import lead

_GUIDE = "SageMaker Developer Guide, Pipelines"
_NO_VALUE = "The service refuses the definition, or the step fails because the expression has no value."

MALFORMED = Rule(
    identifier="malformed-expression",
    severity=Severity.ERROR,
    title="An expression is not written as one",
    why=_NO_VALUE,
    source=f"{_GUIDE}; SageMaker SDK, expressions of the definition",
    refused_here=True,
)
UNKNOWN_PARAMETER = Rule(
    identifier="unknown-parameter",
    severity=Severity.ERROR,
    title="An expression names a parameter that the definition does not have",
    why=_NO_VALUE,
    source=f"{_GUIDE}, parameters",
    refused_here=True,
)
UNKNOWN_VARIABLE = Rule(
    identifier="unknown-execution-variable",
    severity=Severity.ERROR,
    title="An expression names an execution variable that does not exist, or has no value there",
    why=_NO_VALUE,
    source="SageMaker SDK, ExecutionVariables",
    refused_here=True,
)
UNKNOWN_STEP = Rule(
    identifier="unknown-step",
    severity=Severity.ERROR,
    title="An expression or a DependsOn names a step that the definition does not have",
    why=_NO_VALUE,
    source=f"{_GUIDE}, data dependency between steps",
    refused_here=True,
)
UNKNOWN_PROPERTY = Rule(
    identifier="unknown-property",
    severity=Severity.ERROR,
    title="An expression leads to nothing in what the step's Describe call returns",
    why=_NO_VALUE,
    source=f"{_GUIDE}, step properties; botocore's model of the Describe call",
)
UNKNOWN_FILE = Rule(
    identifier="unknown-property-file",
    severity=Severity.ERROR,
    title="A Std:JsonGet names a property file that its step does not have",
    why=_NO_VALUE,
    source=f"{_GUIDE}, property files and JsonGet",
    refused_here=True,
)
NEVER_THERE = Rule(
    identifier="step-never-there",
    severity=Severity.ERROR,
    title="What is waited for ends the execution, or stands on the other branch",
    why="The step could never run.",
    source=f"{_GUIDE}, condition step and fail step",
    refused_here=True,
)
MAY_NOT_RUN = Rule(
    identifier="step-may-not-run",
    severity=Severity.WARNING,
    title="A step reads from one that runs on one branch only",
    why="If the condition goes the other way, there is nothing to read, and the step does not run.",
    source=f"{_GUIDE}, condition step",
)
CYCLE = Rule(
    identifier="steps-in-a-circle",
    severity=Severity.ERROR,
    title="Steps wait for each other",
    why="The service refuses the definition.",
    source=f"{_GUIDE}, pipeline structure: a directed acyclic graph",
    refused_here=True,
)

_KINDS = {
    PARAMETERS: (UNKNOWN_PARAMETER, "parameter"),
    EXECUTION: (UNKNOWN_VARIABLE, "execution variable"),
    EXPERIMENT: (UNKNOWN_PARAMETER, f"field of {EXPERIMENT}"),
}
_OWN_JOB_NAMES = frozenset(kind.own_job for kind in STEP_TYPES.values() if kind.own_job)
# Read into what they are; the rest of a step, such as a Lambda's FunctionArn, may hold expressions.
_NO_EXPRESSIONS = (
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "PropertyFiles",
    "CacheConfig",
    "RetryPolicies",
    "DisplayName",
    "Description",
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A Get or a Std:JsonGet, or what is wrong with one."""

    path: Path
    leads_to: Get | JsonGet | None
    fault: str = ""


def _find(context: Context) -> Iterator[Finding]:
    needs: dict[str, set[str]] = {step.name: set() for step in context.steps}
    for step in context.steps:
        if step.branch:
            needs[step.name].add(step.branch.condition)
        yield from _dependencies(context, step, needs[step.name])
        for reference in _references(step):
            yield from _reference(context, step, reference, needs[step.name])
    yield from _experiment(context)
    yield from _circle(context, needs)


CHECK = Check(
    rules=(
        MALFORMED,
        UNKNOWN_PARAMETER,
        UNKNOWN_VARIABLE,
        UNKNOWN_STEP,
        UNKNOWN_PROPERTY,
        UNKNOWN_FILE,
        NEVER_THERE,
        MAY_NOT_RUN,
        CYCLE,
    ),
    find=_find,
)


def references(node: JSON, path: Path) -> Iterator[Reference]:
    """Every Get and Std:JsonGet below a node, malformed ones among them."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, (*path, index))
    elif isinstance(node, dict):
        functions = [key for key in node if key.startswith("Std:")]
        if is_expression(node):
            yield from _expression(node, path)
        elif functions:
            yield Reference(path=path, leads_to=None, fault=_misused(functions[0]))
        else:
            for key, value in node.items():
                yield from references(value, (*path, key))


def _expression(node: Mapping[str, JSON], path: Path) -> Iterator[Reference]:
    ((key, body),) = node.items()
    try:
        if key == "Get":
            yield Reference(path=path, leads_to=parse_get(body, where=""))
        elif key == "Std:JsonGet":
            yield Reference(path=path, leads_to=parse_json_get(body, where=""))
            yield from references(at(body, "S3Uri"), (*path, key, "S3Uri"))
        else:
            for index, value in enumerate(parse_join(body, where="")[1]):
                place = (*path, key, "Values", index)
                if value is None or (isinstance(value, (dict, list)) and not is_expression(value)):
                    yield Reference(path=place, leads_to=None, fault="what is there cannot be joined")
                else:
                    yield from references(value, place)
    except DefinitionError as error:
        yield Reference(path=path, leads_to=None, fault=str(error).partition(": ")[2])


def _misused(function: str) -> str:
    if function in EXPRESSION_KEYS:
        return f"{function} must stand alone in its object"
    return f"no function is named '{function}'{did_you_mean(function, EXPRESSION_KEYS[1:])}"


def _references(step: RawStep) -> Iterator[Reference]:
    # A type that is not known may have expressions of its own, such as those in the body of a ForEach.
    if step.type not in STEP_TYPES:
        return
    yield from references(dict(own_arguments(step)), step.arguments_path)
    for key, value in step.node.items():
        if key not in _NO_EXPRESSIONS:
            yield from references(value, (*step.path, key))


def _dependencies(context: Context, step: RawStep, needs: set[str]) -> Iterator[Finding]:
    for index, entry in enumerate(list_of(step.node.get("DependsOn"))):
        name = entry if isinstance(entry, str) else text_of(object_of(entry).get("Step"))
        if name:
            yield from _step(context, step, name, (*step.path, "DependsOn", index))
            needs.add(name)


def _reference(context: Context, step: RawStep, reference: Reference, needs: set[str]) -> Iterator[Finding]:
    target, path = reference.leads_to, reference.path
    if target is None:
        yield MALFORMED.at(path, reference.fault, "write it as the guide has it, or as the SDK writes it")
    elif isinstance(target, JsonGet):
        if target.step is not None:
            needs.add(target.step)
            yield from _property_file(context, step, target, path)
    elif target.root == STEPS:
        needs.add(target.name)
        yield from _property(context, step, target, path)
    else:
        yield from _named(context, target, path)
        yield from _own_job(step, target, path)


def _named(context: Context, target: Get, path: Path) -> Iterator[Finding]:
    known: Mapping[str, Collection[str]] = {
        PARAMETERS: context.parameters,
        EXECUTION: EXECUTION_VARIABLES,
        EXPERIMENT: [
            key for key in EXPERIMENT_FIELDS if at(context.document.get(EXPERIMENT), key) is not None
        ],
    }
    rule, kind = _KINDS[target.root]
    if target.name not in known[target.root]:
        near = did_you_mean(target.name, known[target.root])
        yield rule.at(path, f"no {kind} is named '{target.name}'{near}", f"name a {kind} that there is")


def _own_job(step: RawStep, target: Get, path: Path) -> Iterator[Finding]:
    known = STEP_TYPES.get(step.type)
    if known is None or target.root != EXECUTION or target.name not in _OWN_JOB_NAMES:
        return
    if known.own_job != target.name:
        yield UNKNOWN_VARIABLE.at(
            path,
            f"{target.name} has a value inside its job's own step only, not in a {step.type} step",
            f"read it from the job's step: Steps.NAME.{target.name}",
        )


def _step(context: Context, step: RawStep, name: str, path: Path) -> Iterator[Finding]:
    target = context.by_name.get(name)
    if target is None:
        near = did_you_mean(name, list(context.by_name))
        yield UNKNOWN_STEP.at(path, f"no step is named '{name}'{near}", "name a step that there is")
    elif target.type == "Fail":
        yield NEVER_THERE.at(
            path,
            f"'{name}' is a Fail step, which ends the execution; nothing can wait for it",
            "remove the reference",
        )
    elif target.branch:
        yield from _other_branch(step, target, path)


def _other_branch(step: RawStep, target: RawStep, path: Path) -> Iterator[Finding]:
    mine, its = step.branch, target.branch
    if its is None or mine == its:
        return
    if mine and mine.condition == its.condition:
        yield NEVER_THERE.at(
            path,
            f"'{target.name}' stands on the other branch of '{its.condition}', so it never runs together "
            f"with '{step.name}'",
            "move it out of the condition, or remove the reference",
        )
    else:
        yield MAY_NOT_RUN.at(
            path,
            f"'{target.name}' runs only if '{its.condition}' is {str(its.outcome).lower()}, and "
            f"'{step.name}' needs it",
            f"move '{step.name}' to the same branch",
        )


def _property_file(context: Context, step: RawStep, target: JsonGet, path: Path) -> Iterator[Finding]:
    name, file = str(target.step), str(target.property_file)
    found = list(_step(context, step, name, path))
    yield from found
    source = context.by_name.get(name)
    if source is None:
        return
    if not step_type(source.type).has_property_files:
        yield UNKNOWN_FILE.at(
            path,
            f"'{name}' is a {source.type} step; only Processing steps have property files",
            "read a file that a Processing step writes, or use S3Uri",
        )
        return
    known = [
        text_of(entry.get("PropertyFileName")) for entry, _ in objects(source.node.get("PropertyFiles"), ())
    ]
    if file not in known:
        yield UNKNOWN_FILE.at(
            path,
            f"no property file of '{name}' is named '{file}'{did_you_mean(file, known)}",
            f"name one of its PropertyFiles, or add it to '{name}'",
        )


def _property(context: Context, step: RawStep, target: Get, path: Path) -> Iterator[Finding]:
    yield from _step(context, step, target.name, path)
    source = context.by_name.get(target.name)
    if source is None or source.type == "Fail":
        return
    if source.type == "Condition" and target.path[1:] != ("Outcome",):
        finding = UNKNOWN_PROPERTY.at(
            path,
            f"'{target.name}' is a Condition step; it has nothing but Outcome",
            f"write Steps.{target.name}.Outcome",
        )
        yield replace(finding, refused_here=True)
        return
    missing = lead(source, target.path[1:], context.service).missing
    if missing:
        yield UNKNOWN_PROPERTY.at(
            path,
            f"Steps.{'.'.join(map(str, target.path))}: {missing}",
            f"name what '{target.name}' has",
        )


def _experiment(context: Context) -> Iterator[Finding]:
    for reference in references(object_of(context.document.get(EXPERIMENT)), (EXPERIMENT,)):
        target = reference.leads_to
        if target is None:
            yield MALFORMED.at(reference.path, reference.fault, "write it as the SDK writes it")
        elif isinstance(target, JsonGet) or target.root not in (PARAMETERS, EXECUTION):
            yield MALFORMED.at(
                reference.path,
                "only parameters and execution variables have a value here",
                "use one of them, or a literal name",
            )
        elif target.name in _OWN_JOB_NAMES:
            yield UNKNOWN_VARIABLE.at(
                reference.path,
                f"{target.name} has a value inside its job's own step only",
                "use Execution.PipelineExecutionId",
            )
        else:
            yield from _named(context, target, reference.path)


def _circle(context: Context, needs: Mapping[str, set[str]]) -> Iterator[Finding]:
    known = {name: {other for other in others if other in needs} for name, others in needs.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        names = [str(name) for name in reversed(error.args[1])]
        first = context.by_name.get(names[0])
        yield CYCLE.at(
            first.path if first else (),
            f"these steps wait for each other: {' → '.join(names)}",
            "remove one of the references",
        )
