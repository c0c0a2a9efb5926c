"""The document as a whole: its form, its size, and its parts beside parameters and steps."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from workflows.definition.errors import DefinitionError, did_you_mean
from workflows.definition.expressions import EXPERIMENT
from workflows.definition.loader import MOST_CHARACTERS, VERSION, check_metadata, read_experiment
from workflows.definition.model import JSON
from workflows.preflight.checks import Check
from workflows.preflight.context import Context
from workflows.preflight.document import DEEPEST, Repeating, list_of
from workflows.preflight.findings import Finding, Path, Rule, Severity

_SCHEMA = "published JSON schema of pipeline definitions"
_REFUSED = "The service refuses the definition."
_KEYS = ("Version", "Metadata", "Parameters", "Steps", EXPERIMENT, "MlflowConfig")
# Of a pipeline; the page of AWS's quotas that is known of is a third party's.
_MANY_STEPS = 50

NOT_JSON = Rule(
    identifier="not-json",
    severity=Severity.ERROR,
    title="The text is no JSON object with a list of Steps",
    why=_REFUSED,
    source=_SCHEMA,
    refused_here=True,
)
TOO_DEEP = Rule(
    identifier="too-deep",
    severity=Severity.ERROR,
    title=f"More than {DEEPEST} objects and lists stand in one another",
    why="No request of the service is half as deep.",
    source="limit of this project's loader",
    refused_here=True,
)
TOO_LONG = Rule(
    identifier="definition-too-long",
    severity=Severity.WARNING,
    title=f"The definition has more than {MOST_CHARACTERS} characters",
    why="CreatePipeline takes it through S3 only.",
    source="API reference, CreatePipeline, PipelineDefinition",
)
WRONG_PART = Rule(
    identifier="wrong-document-part",
    severity=Severity.ERROR,
    title="Version, Metadata, MlflowConfig or PipelineExperimentConfig is malformed",
    why=_REFUSED,
    source=f"{_SCHEMA}; SageMaker SDK, PipelineExperimentConfig",
    refused_here=True,
)
UNKNOWN_PART = Rule(
    identifier="unknown-document-part",
    severity=Severity.WARNING,
    title="The document has a part that no known version of the SDK writes",
    why="The service may refuse the definition, or ignore the part.",
    source=_SCHEMA,
)
REPEATED_KEY = Rule(
    identifier="repeated-key",
    severity=Severity.WARNING,
    title="A key stands more than once in an object; the last one counts",
    why="What the first one says is lost without a word.",
    source="RFC 8259, section 4",
)
MANY_STEPS = Rule(
    identifier="many-steps",
    severity=Severity.WARNING,
    title=f"The pipeline has more than {_MANY_STEPS} steps",
    why="The quota of an account may not allow them.",
    source="facts on pipelines, section 7: the figure is not AWS's own",
)
REFUSED = Rule(
    identifier="definition-refused",
    severity=Severity.ERROR,
    title="The loader refuses the definition",
    why=_REFUSED,
    source="workflows.definition.loader",
    refused_here=True,
)


def not_json(fault: str) -> Finding:
    """The text cannot be parsed."""
    return NOT_JSON.at((), f"not JSON: {fault}", "write the definition anew, or correct the text there")


def not_an_object() -> Finding:
    """The text is JSON, but no definition."""
    return NOT_JSON.at(
        (), "a pipeline definition is an object with a list of Steps", "give a whole definition"
    )


def too_deep() -> Finding:
    """Nothing else can be checked."""
    return TOO_DEEP.at((), f"more than {DEEPEST} objects and lists stand in one another", "flatten it")


def refused(fault: str) -> Finding:
    """A fault that only the loader has seen."""
    return REFUSED.at((), fault, "correct it; what is wrong beside it is told, too")


def _find(context: Context) -> Iterator[Finding]:
    document = context.document
    if not isinstance(document.get("Steps"), list):
        yield not_an_object()
    yield from _parts(document)
    for key in document:
        if key not in _KEYS:
            yield UNKNOWN_PART.at(
                (key,), f"'{key}' is no part of a definition{did_you_mean(key, _KEYS)}", "remove or rename it"
            )
    if len(context.text) > MOST_CHARACTERS:
        yield TOO_LONG.at(
            (),
            f"{len(context.text)} characters are more than the {MOST_CHARACTERS} that CreatePipeline takes",
            "write it without indentation, or hand it over through S3",
        )
    if len(context.steps) > _MANY_STEPS:
        yield MANY_STEPS.at(
            ("Steps",), f"{len(context.steps)} steps", "ask for a higher quota, or split the pipeline"
        )
    yield from _repeated(context.document, ())


CHECK = Check(
    rules=(
        NOT_JSON,
        TOO_DEEP,
        TOO_LONG,
        WRONG_PART,
        UNKNOWN_PART,
        REPEATED_KEY,
        MANY_STEPS,
        REFUSED,
    ),
    find=_find,
)


def _parts(document: Mapping[str, JSON]) -> Iterator[Finding]:
    if document.get("Version", VERSION) != VERSION:
        yield WRONG_PART.at(
            ("Version",), f"Version is {document['Version']!r}; only '{VERSION}' is known", f"write {VERSION}"
        )
    if document.get("MlflowConfig") is not None and not isinstance(document["MlflowConfig"], dict):
        yield WRONG_PART.at(("MlflowConfig",), "MlflowConfig must be an object", "write an object, or null")
    metadata = document.get("Metadata")
    parts = [{key: part} for key, part in metadata.items()] if isinstance(metadata, dict) else [metadata]
    for part in parts:
        path = ("Metadata", *part) if isinstance(part, dict) else ("Metadata",)
        yield from _refused_by(partial(check_metadata, part), path)
    yield from _refused_by(partial(read_experiment, document.get(EXPERIMENT)), (EXPERIMENT,))


def _refused_by(read: Callable[[], object], path: Path) -> Iterator[Finding]:
    try:
        read()
    except DefinitionError as error:
        yield WRONG_PART.at(path, str(error), "correct or remove it")


def _repeated(node: JSON, path: Path) -> Iterator[Finding]:
    if isinstance(node, Repeating):
        for key in node.repeated:
            yield REPEATED_KEY.at((*path, key), f"'{key}' stands more than once", "remove all but one")
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _repeated(value, (*path, key))
    for index, item in enumerate(list_of(node)):
        yield from _repeated(item, (*path, index))
