"""From definition JSON, whoever compiled it, to a checked `Definition`."""

import json
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NoReturn

from workflows.definition.errors import DefinitionError, DependencyCycle
from workflows.definition.expressions import EXPERIMENT, EXPERIMENT_FIELDS, is_expression
from workflows.definition.fields import an_object
from workflows.definition.model import JSON, Definition
from workflows.definition.parameters import read_parameters
from workflows.definition.references import Names, check_experiment, needs
from workflows.definition.steps import read_steps

VERSION = "2020-12-01"
# Of CreatePipeline's PipelineDefinition.
MOST_CHARACTERS = 1_048_576

# No request of the service is half as deep; reading and resolving go down by recursion.
_DEEPEST = 100
_METADATA_KEY = re.compile(r"[A-Za-z0-9\-_]{1,128}")
_LONGEST_METADATA = 1024
_EXPERIMENT_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")


def load(text: str, *, source: str = "definition", from_s3: bool = False) -> Definition:
    """Read a definition and check everything that can be known from it alone.

    Args:
        text: the JSON, compiled by any version of the SDK or written by hand.
        source: what to call it in messages, such as its file name.
        from_s3: whether it reaches the service through PipelineDefinitionS3Location, which takes more than
            MOST_CHARACTERS.

    Raises:
        DefinitionError: with the place in the document.
    """
    if len(text) > MOST_CHARACTERS and not from_s3:
        raise DefinitionError(
            f"{source}: {len(text)} characters are more than the {MOST_CHARACTERS} that CreatePipeline "
            "takes; write it without indentation, or hand it over through S3"
        )
    document = _document(text, source)
    experiment = read_experiment(document.get(EXPERIMENT))
    names = Names(
        parameters=read_parameters(document.get("Parameters")),
        steps=read_steps(document["Steps"]),
        experiment=experiment,
    )
    check_experiment(names)
    needed = {step.name: needs(step, names) for step in names.steps.values()}
    _refuse_cycles(needed)
    return Definition(
        parameters=names.parameters,
        steps=names.steps,
        needs=needed,
        document=document,
        text=text,
        experiment=experiment,
    )


def _document(text: str, source: str) -> dict[str, JSON]:
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep(source) from None
    except ValueError as error:
        raise DefinitionError(f"{source}: not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list):
        raise DefinitionError(f"{source}: a pipeline definition is an object with a list of Steps")
    if document.get("Version", VERSION) != VERSION:
        raise DefinitionError(f"{source}: Version is {document['Version']!r}; only '{VERSION}' is known")
    _check_depth(document, source)
    check_metadata(document.get("Metadata"))
    if document.get("MlflowConfig") is not None:
        an_object(document["MlflowConfig"], "MlflowConfig")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_depth(document: JSON, source: str) -> None:
    level = [document]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise _too_deep(source)


def _children(node: JSON) -> list[JSON]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _too_deep(source: str) -> DefinitionError:
    return DefinitionError(f"{source}: more than {_DEEPEST} objects and lists stand in one another")


def check_metadata(node: JSON) -> None:
    """Check Metadata; it may be null or absent.

    Raises:
        DefinitionError: a key or a value is malformed.
    """
    for key, value in an_object(node or {}, "Metadata").items():
        if not _METADATA_KEY.fullmatch(key):
            raise DefinitionError(
                f"Metadata: the key '{key}' must be 1 to 128 letters, digits, hyphens or underscores"
            )
        if not isinstance(value, str) or len(value) > _LONGEST_METADATA:
            raise DefinitionError(
                f"Metadata.{key}: must be a string of at most {_LONGEST_METADATA} characters"
            )


def read_experiment(node: JSON) -> Mapping[str, JSON]:
    """PipelineExperimentConfig; empty where it is null or absent, which means that there is no experiment.

    Raises:
        DefinitionError: a name in it is malformed.
    """
    config = an_object(node or {}, EXPERIMENT)
    found = {key: config[key] for key in EXPERIMENT_FIELDS if config.get(key) is not None}
    for key, value in found.items():
        if not is_expression(value) and not (isinstance(value, str) and _EXPERIMENT_NAME.fullmatch(value)):
            raise DefinitionError(
                f"{EXPERIMENT}.{key}: {value!r} must be 1 to 120 letters, digits or hyphens, no hyphen first "
                "or last"
            )
    return found


def _refuse_cycles(needed: Mapping[str, frozenset[str]]) -> None:
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        raise DependencyCycle(reversed(error.args[1])) from None
