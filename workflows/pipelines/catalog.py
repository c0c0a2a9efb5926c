"""The pipelines by name: what there is, and one compiled.

Importing this costs milliseconds; the SageMaker SDK, which takes seconds, is loaded by the first compile.
"""

import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_type_hints

from workflows.definition.errors import did_you_mean
from workflows.definition.source import SourceLine
from workflows.pipelines import origins
from workflows.pipelines.errors import PipelineOptionError, UnknownPipeline, UnknownProfile

if TYPE_CHECKING:
    from workflows.pipelines.sdk import Pipeline


@dataclass(frozen=True, kw_only=True)
class _Entry:
    module: str  # has get_pipeline()
    description: str
    sample: str  # the module of `samples` that draws data for it


@dataclass(frozen=True, kw_only=True)
class Override:
    """A value that a profile gives a parameter, as the start of an execution takes it."""

    value: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A pipeline as the service takes it, and where it comes from."""

    text: str  # JSON
    lines: Mapping[str, SourceLine]  # step -> where it is made


_ENTRIES: Mapping[str, _Entry] = {
    "birds-detection": _Entry(
        module="workflows.pipelines.birds_detection",
        description="find and name birds in photographs: train in two runs, evaluate, register, deploy",
        sample="birds",
    ),
    "birds-detection-retrain": _Entry(
        module="workflows.pipelines.birds_retraining",
        description="train the approved detector on with new photographs, compare both, register, deploy",
        sample="birds",
    ),
    "caltech-classification": _Entry(
        module="workflows.pipelines.caltech_classification",
        description="say what a picture shows: train in two runs, evaluate, register, deploy",
        sample="caltech",
    ),
    "caltech-classification-retrain": _Entry(
        module="workflows.pipelines.caltech_retraining",
        description="train the approved classifier on with new pictures, compare both, register, deploy",
        sample="caltech",
    ),
}
_ANY = "**"  # no argument's name
_PROFILES = Path(__file__).with_name("profiles.toml")


def names() -> tuple[str, ...]:
    """The names of all pipelines."""
    return tuple(_ENTRIES)


def descriptions() -> dict[str, str]:
    """Name -> one line of text."""
    return {name: entry.description for name, entry in _ENTRIES.items()}


def sample_of(pipeline: str) -> str:
    """The sample data set that stands in for a pipeline's real one."""
    return _entry(pipeline).sample


def compile_definition(name: str, *, region: str, role: str, default_bucket: str, **options: object) -> str:
    """The text of :func:`compile_pipeline`."""
    return compile_pipeline(name, region=region, role=role, default_bucket=default_bucket, **options).text


def compile_pipeline(
    name: str, *, region: str, role: str, default_bucket: str, **options: object
) -> Compiled:
    """The definition of a pipeline as JSON text, the same bytes for the same arguments.

    Args:
        name: one of :func:`names`.
        region: where it will run.
        role: full ARN of the role that its jobs take.
        default_bucket: bucket that its executions write to.
        options: further keyword arguments of the module's get_pipeline().

    Raises:
        UnknownPipeline: no pipeline has that name.
        PipelineOptionError: an option is unknown or has no valid value.
    """
    get_pipeline = _entry_point(name)
    check_options(get_pipeline, options)
    # Imported here, because this is what takes seconds.
    from workflows.pipelines.sdk import definition_text

    with origins.remembered() as lines:
        pipeline = get_pipeline(region=region, role=role, default_bucket=default_bucket, **options)
    return Compiled(text=definition_text(pipeline), lines=lines)


def profile_names(pipeline: str) -> tuple[str, ...]:
    """The profiles that a pipeline has."""
    _entry(pipeline)
    return tuple(_profiles().get(pipeline, {}))


def profile(name: str, pipeline: str) -> dict[str, str]:
    """Parameter -> value, for :func:`overrides` without the reasons."""
    return {parameter: override.value for parameter, override in overrides(name, pipeline).items()}


def overrides(name: str, pipeline: str) -> dict[str, Override]:
    """What a profile changes in a pipeline's parameters, and why.

    Raises:
        UnknownPipeline: no pipeline has that name.
        UnknownProfile: the pipeline has no such profile.
    """
    known = profile_names(pipeline)
    if name not in known:
        raise UnknownProfile(f"{pipeline} has no profile '{name}'{did_you_mean(name, known)}")
    return {
        parameter: Override(value=entry["value"], reason=entry["reason"])
        for parameter, entry in _profiles()[pipeline][name].items()
    }


def _profiles() -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    """Pipeline -> profile -> parameter -> value and reason."""
    return tomllib.loads(_PROFILES.read_text(encoding="utf-8"))


def _entry(name: str) -> _Entry:
    try:
        return _ENTRIES[name]
    except KeyError:
        raise UnknownPipeline(f"no pipeline is named '{name}'{did_you_mean(name, names())}") from None


def _entry_point(name: str) -> "Callable[..., Pipeline]":
    entry_point: Callable[..., Pipeline] = import_module(_entry(name).module).get_pipeline
    return entry_point


def check_options(get_pipeline: "Callable[..., Pipeline]", options: Mapping[str, object]) -> None:
    """Refuse arguments that a get_pipeline() does not know; one with a plain `**options` takes any.

    Raises:
        PipelineOptionError: with the name that may be meant.
    """
    known = list(_option_names(get_pipeline))
    for option in options:
        if option not in known and _ANY not in known:
            raise PipelineOptionError(f"no option is named '{option}'{did_you_mean(option, known)}")


def _option_names(get_pipeline: "Callable[..., Pipeline]") -> Iterator[str]:
    """The keyword arguments it takes, those of a `**options: Unpack[...]` among them."""
    for name, parameter in inspect.signature(get_pipeline).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            packed = get_args(parameter.annotation)
            yield from get_type_hints(packed[0]) if packed else (_ANY,)
        else:
            yield name
