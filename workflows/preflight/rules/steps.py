"""What every step has beside its request: name, type, caching, retries, property files."""

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial

from workflows.definition.errors import did_you_mean
from workflows.definition.fields import optional_text
from workflows.definition.model import JSON
from workflows.definition.policies import cache_policy, retry_policy
from workflows.definition.step_types import STEP_TYPES, step_type
from workflows.definition.steps import (
    LONGEST_DESCRIPTION,
    LONGEST_DISPLAY_NAME,
    check_message,
    check_output,
    check_step_name,
    read_dependency,
    read_property_file,
)
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import BRANCHES, RawStep, list_of, object_of, objects, text_of
from workflows.preflight.findings import Finding, Path, Rule, Severity
from workflows.preflight.placed import refused_by

_GUIDE = "SageMaker Developer Guide, Pipelines"
_REFUSED = "The service refuses the definition."

MALFORMED = Rule(
    identifier="malformed-step",
    severity=Severity.ERROR,
    title="A step has no proper name or type, lacks a field, or has one of a wrong type",
    why=_REFUSED,
    source=f"published JSON schema of definitions; {_GUIDE}, steps",
    refused_here=True,
)
REPEATED = Rule(
    identifier="repeated-step",
    severity=Severity.ERROR,
    title="Two steps have one name, also if they stand in different branches",
    why=_REFUSED,
    source=f"{_GUIDE}, step names are unique in the pipeline",
    refused_here=True,
)
UNKNOWN_TYPE = Rule(
    identifier="unknown-step-type",
    severity=Severity.ERROR,
    title="There is no such step type; a warning where it resembles none that is known",
    why="The service refuses the definition, unless the type is newer than this check.",
    source=f"{_GUIDE}, step types; API reference, PipelineExecutionStepMetadata",
)
UNKNOWN_FIELD = Rule(
    identifier="unknown-step-field",
    severity=Severity.WARNING,
    title="A step has a field that steps of its type do not have",
    why="The service may refuse it, or ignore what was meant.",
    source="published JSON schema of definitions; SageMaker SDK",
)
NESTED = Rule(
    identifier="nested-condition",
    severity=Severity.ERROR,
    title="A condition stands inside the branch of another one",
    why=_REFUSED,
    source=f"{_GUIDE}, condition step",
    refused_here=True,
)
DEPENDENCY = Rule(
    identifier="malformed-dependency",
    severity=Severity.ERROR,
    title="An entry of DependsOn is neither a step's name nor Step and Trigger",
    why=_REFUSED,
    source="SageMaker SDK, depends_on",
    refused_here=True,
)
CACHE = Rule(
    identifier="malformed-cache",
    severity=Severity.ERROR,
    title="CacheConfig is malformed, or steps of this type are not cached",
    why=_REFUSED,
    source=f"{_GUIDE}, caching pipeline steps",
    refused_here=True,
)
RETRY = Rule(
    identifier="malformed-retry",
    severity=Severity.ERROR,
    title="A retry policy is malformed, or steps of this type have none",
    why=_REFUSED,
    source=f"{_GUIDE}, retry policy for pipeline steps",
    refused_here=True,
)
FILE = Rule(
    identifier="malformed-property-file",
    severity=Severity.ERROR,
    title="A property file is malformed, repeated, or reads from no output of its step",
    why=f"{_REFUSED} Or later steps find no file.",
    source=f"{_GUIDE}, property files and JsonGet",
    refused_here=True,
)
OUTPUT_PARAMETER = Rule(
    identifier="malformed-output-parameter",
    severity=Severity.ERROR,
    title="An output parameter of a Lambda or Callback step is malformed, repeated or one too many",
    why=_REFUSED,
    source=f"{_GUIDE}, Lambda step and callback step; published JSON schema of definitions",
)
NESTED_INPUT = Rule(
    identifier="nested-input",
    severity=Severity.ERROR,
    title="An argument of a Lambda or Callback step is no single value",
    why="The step fails when it starts.",
    source=f"{_GUIDE}, Lambda step: flat inputs of primitive types",
)

# Seen in the API and in public definitions; what they may have is not known.
_OTHER_TYPES = ("EMRServerless", "InferenceComponent", "Job", "Lineage", "NotebookJob")
_FIELDS = (
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "DisplayName",
    "Description",
    "CacheConfig",
    "RetryPolicies",
)
_MORE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Processing": ("PropertyFiles",),
    "Lambda": ("FunctionArn", "OutputParameters"),
    "Callback": ("SqsQueueUrl", "OutputParameters"),
    "EMR": ("ClusterId", "ClusterConfig", "StepConfig", "ExecutionRoleArn"),
}
# These have fields of their own that no page lists as a whole.
_ANY_FIELD = ("ClarifyCheck", "QualityCheck")
_RESEMBLES = 0.8
_OUTPUT_TYPES = ("String", "Integer", "Float", "Boolean")
_MOST_OUTPUTS = 50
_WRITE_AS_GUIDE = "write it as the guide has it"


def _find(context: Context) -> Iterator[Finding]:
    yield from _not_objects(context.document.get("Steps"), ("Steps",))
    names = Counter(step.name for step in context.steps if step.name)
    seen: set[str] = set()
    for step in context.steps:
        if names[step.name] > 1 and step.name in seen:
            yield REPEATED.at(
                (*step.path, "Name"), f"two steps are named '{step.name}'", "rename or remove one of them"
            )
        seen.add(step.name)
        yield from _step(step)


CHECK = Check(
    rules=(
        MALFORMED,
        REPEATED,
        UNKNOWN_TYPE,
        UNKNOWN_FIELD,
        NESTED,
        DEPENDENCY,
        CACHE,
        RETRY,
        FILE,
        OUTPUT_PARAMETER,
        NESTED_INPUT,
    ),
    find=_find,
)


def _not_objects(nodes: JSON, path: Path) -> Iterator[Finding]:
    for index, node in enumerate(list_of(nodes)):
        if not isinstance(node, dict):
            yield MALFORMED.at((*path, index), "a step must be an object", "write Name, Type and Arguments")
        elif node.get("Type") == "Condition":
            for key, _ in BRANCHES:
                branch, place = object_of(node.get("Arguments")).get(key), (*path, index, "Arguments", key)
                if branch is not None and not isinstance(branch, list):
                    yield MALFORMED.at(place, f"{key} must be a list", "write a list of steps")
                yield from _not_objects(branch, place)


def _step(step: RawStep) -> Iterator[Finding]:
    yield from refused_by(
        partial(check_step_name, step.node, ""), MALFORMED, step.path, "give it a name of its own"
    )
    yield from _texts(step)
    yield from _type(step)
    yield from _dependencies(step)
    yield from _policies(step)
    yield from _property_files(step)
    if step.type in ("Lambda", "Callback"):
        yield from _inputs_and_outputs(step)
    if step.type == "Condition" and step.branch:
        yield NESTED.at(
            step.path,
            f"a condition cannot stand inside the branch of '{step.branch.condition}'",
            "put it beside that step and repeat the condition",
        )
    if step.type == "Fail":
        yield from refused_by(
            partial(check_message, step.arguments, ""), MALFORMED, step.arguments_path, "write a message"
        )


def _texts(step: RawStep) -> Iterator[Finding]:
    for key, most in (("DisplayName", LONGEST_DISPLAY_NAME), ("Description", LONGEST_DESCRIPTION)):
        yield from refused_by(
            partial(optional_text, step.node, key, "", at_most=most),
            MALFORMED,
            step.path,
            f"write a string of at most {most} characters",
        )


def _type(step: RawStep) -> Iterator[Finding]:
    if not step.type:
        yield MALFORMED.at(step.path, "Type is missing, or no string", "say what the step does")
        return
    arguments = step.node.get("Arguments")
    if arguments is not None and not isinstance(arguments, dict):
        yield MALFORMED.at(step.arguments_path, "Arguments must be an object", "write an object")
    for field in step_type(step.type).required:
        if step.node.get(field) is None:
            yield MALFORMED.at(step.path, f"{field} is missing; {step.type} steps need it", f"add {field}")
    known = (*STEP_TYPES, *_OTHER_TYPES)
    if step.type not in known:
        rule = (
            UNKNOWN_TYPE.at if get_close_matches(step.type, known, 1, _RESEMBLES) else UNKNOWN_TYPE.mildly_at
        )
        near = did_you_mean(step.type, known)
        yield rule(
            (*step.path, "Type"),
            f"no step type is named '{step.type}'{near}",
            "correct it; if the type is newer than this check, nothing in its steps is checked",
        )
    elif step.type in STEP_TYPES and step.type not in _ANY_FIELD:
        yield from _fields(step)


def _fields(step: RawStep) -> Iterator[Finding]:
    known = (*_FIELDS, *_MORE_FIELDS.get(step.type, ()))
    for key in step.node:
        # Of property files elsewhere another rule knows more.
        if key not in known and key != "PropertyFiles":
            yield UNKNOWN_FIELD.at(
                (*step.path, key),
                f"a {step.type} step has no field '{key}'{did_you_mean(key, known)}",
                "remove or rename it",
            )


def _dependencies(step: RawStep) -> Iterator[Finding]:
    nodes, path = step.node.get("DependsOn"), (*step.path, "DependsOn")
    if nodes is not None and not isinstance(nodes, list):
        yield DEPENDENCY.at(path, "DependsOn must be a list", "write a list of step names")
    triggers: dict[str, str] = {}
    for index, node in enumerate(list_of(nodes)):
        place = (*path, index)
        found = list(refused_by(partial(read_dependency, node, ""), DEPENDENCY, place, _WRITE_AS_GUIDE))
        yield from found
        if not found:
            name, trigger = read_dependency(node, "")
            if triggers.setdefault(name, trigger) != trigger:
                yield DEPENDENCY.at(
                    place,
                    f"'{name}' is listed twice, with Triggers {triggers[name]} and {trigger}",
                    "remove one of them",
                )


def _policies(step: RawStep) -> Iterator[Finding]:
    yield from refused_by(
        partial(cache_policy, step.node.get("CacheConfig"), step.type, ""),
        CACHE,
        (*step.path, "CacheConfig"),
        _WRITE_AS_GUIDE,
    )
    nodes, path = step.node.get("RetryPolicies"), (*step.path, "RetryPolicies")
    if nodes is not None and not isinstance(nodes, list):
        yield RETRY.at(path, "RetryPolicies must be a list", "write a list of objects")
    taken: dict[str, int] = {}
    for index, node in enumerate(list_of(nodes)):
        place = (*path, index)
        if not isinstance(node, dict):
            yield RETRY.at(place, "a retry policy must be an object", _WRITE_AS_GUIDE)
            continue
        found = list(refused_by(partial(retry_policy, node, step.type, ""), RETRY, place, _WRITE_AS_GUIDE))
        yield from found
        if found:
            continue
        for name in retry_policy(node, step.type, "").exception_types:
            if taken.setdefault(name, index) != index:
                yield RETRY.at(
                    place,
                    f"policy {taken[name]} retries after {name}, too; a failure has one policy",
                    "remove it from one of them",
                )


def _property_files(step: RawStep) -> Iterator[Finding]:
    nodes, path = step.node.get("PropertyFiles"), (*step.path, "PropertyFiles")
    if nodes is not None and not isinstance(nodes, list):
        yield FILE.at(path, "PropertyFiles must be a list", "write a list of objects")
    if nodes and not step_type(step.type).has_property_files:
        yield FILE.at(path, "only Processing steps have property files", "remove it")
        return
    names: set[str] = set()
    for index, node in enumerate(list_of(nodes)):
        place = (*path, index)
        if not isinstance(node, dict):
            yield FILE.at(place, "a property file must be an object", _WRITE_AS_GUIDE)
            continue
        yield from refused_by(
            partial(_check_file, node, step.arguments),
            FILE,
            place,
            "name one of the step's outputs",
        )
        name = text_of(node.get("PropertyFileName"))
        if name in names:
            yield FILE.at(place, f"two property files are named '{name}'", "rename or remove one of them")
        names.add(name)


def _check_file(node: Mapping[str, JSON], arguments: Mapping[str, JSON]) -> None:
    check_output(read_property_file(node, ""), arguments, "")


def _inputs_and_outputs(step: RawStep) -> Iterator[Finding]:
    for key, value in step.arguments.items():
        nested = isinstance(value, list) or (isinstance(value, dict) and not _is_function(value))
        if nested and step.type == "Lambda":
            yield NESTED_INPUT.at(
                (*step.arguments_path, key),
                f"{key} is no string, number or Boolean",
                "give single values; a longer one as an S3 URI",
            )
    path = (*step.path, "OutputParameters")
    outputs = list_of(step.node.get("OutputParameters"))
    if len(outputs) > _MOST_OUTPUTS:
        yield OUTPUT_PARAMETER.at(
            path, f"{len(outputs)} are more than {_MOST_OUTPUTS}", "return what is needed only"
        )
    seen: set[str] = set()
    for node, place in objects(step.node.get("OutputParameters"), path):
        name, kind = text_of(node.get("OutputName")), node.get("OutputType")
        if not name or name in seen:
            fault = f"two output parameters are named '{name}'" if name else "OutputName is missing"
            yield OUTPUT_PARAMETER.at(place, fault, "give each a name of its own")
        seen.add(name)
        if kind not in _OUTPUT_TYPES:
            yield OUTPUT_PARAMETER.at(
                (*place, "OutputType") if "OutputType" in node else place,
                f"OutputType is {kind!r}{did_you_mean(str(kind), _OUTPUT_TYPES)}",
                f"write one of {', '.join(_OUTPUT_TYPES)}",
            )


def _is_function(value: Mapping[str, JSON]) -> bool:
    return "Get" in value or any(key.startswith("Std:") for key in value)
