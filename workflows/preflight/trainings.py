"""The training jobs of a definition: those of Training steps, and those that a Tuning step starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workflows.definition.model import JSON
from workflows.preflight.builtin.algorithm import Algorithm
from workflows.preflight.builtin.images import parse_image
from workflows.preflight.context import Context
from workflows.preflight.document import RawStep, at, object_of, objects, text_of
from workflows.preflight.findings import Path
from workflows.preflight.values import Value

_RANGES = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


@dataclass(frozen=True, kw_only=True)
class TunedRange:
    """A hyperparameter that a tuning job chooses, and what it may become at its ends."""

    name: str
    path: Path
    values: Mapping[Path, str]


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training job, or what all training jobs of a tuning have in common."""

    step: RawStep
    path: Path  # of its description
    node: Mapping[str, JSON]
    hyperparameters: Mapping[str, Value]
    hyperparameters_path: Path
    resources: Mapping[str, JSON]
    resources_path: Path
    image: str | None  # None: not known before the step starts
    tuned: tuple[TunedRange, ...] = ()

    @property
    def algorithm(self) -> Algorithm | None:
        """The built-in algorithm that it runs; None if it is another image."""
        image = parse_image(self.image) if self.image else None
        return image.algorithm if image else None

    def text(self, name: str) -> str | None:
        """A hyperparameter's value, or its default; None if it is not known."""
        if name in self.hyperparameters:
            return self.hyperparameters[name].text
        if self.algorithm is None or any(each.name == name for each in self.tuned):
            return None
        return self.algorithm.hyperparameters[name].default

    def is_wrong(self, name: str) -> bool:
        """Whether a hyperparameter's value is none that the algorithm takes."""
        entry = self.algorithm.hyperparameters.get(name) if self.algorithm else None
        value = self.hyperparameters.get(name)
        return bool(entry and value and value.text is not None and entry.fault(value.text))

    def place(self, name: str) -> Path:
        """Where a hyperparameter stands; where it does not, it has its default."""
        is_here = name in self.hyperparameters
        return (*self.hyperparameters_path, name) if is_here else self.hyperparameters_path

    def channels(self) -> Iterator[tuple[dict[str, JSON], Path]]:
        """The entries of InputDataConfig with their places."""
        return objects(self.node.get("InputDataConfig"), (*self.path, "InputDataConfig"))


def trainings(context: Context) -> Iterator[Training]:
    """Every training job that a step describes."""
    for step in context.of_type("Training"):
        yield _training(context, step, step.arguments, step.arguments_path, "HyperParameters")
    for step in context.of_type("Tuning"):
        single = step.arguments.get("TrainingJobDefinition")
        if isinstance(single, dict):
            path = (*step.arguments_path, "TrainingJobDefinition")
            all_ranges = at(step.arguments.get("HyperParameterTuningJobConfig"), "ParameterRanges")
            ranges_path = (*step.arguments_path, "HyperParameterTuningJobConfig", "ParameterRanges")
            yield _tuned(context, step, single, path, _tuned_ranges(context, all_ranges, ranges_path))
        several = (*step.arguments_path, "TrainingJobDefinitions")
        for node, path in objects(step.arguments.get("TrainingJobDefinitions"), several):
            ranges_path = (*path, "HyperParameterRanges")
            ranges = _tuned_ranges(context, node.get("HyperParameterRanges"), ranges_path)
            yield _tuned(context, step, node, path, ranges)


def _tuned(
    context: Context,
    step: RawStep,
    node: Mapping[str, JSON],
    path: Path,
    ranges: tuple[TunedRange, ...],
) -> Training:
    return _training(context, step, node, path, "StaticHyperParameters", ranges)


def _training(
    context: Context,
    step: RawStep,
    node: Mapping[str, JSON],
    path: Path,
    key: str,
    tuned: tuple[TunedRange, ...] = (),
) -> Training:
    given = object_of(node.get(key))
    resources = "ResourceConfig"
    if resources not in node and "HyperParameterTuningResourceConfig" in node:
        resources = "HyperParameterTuningResourceConfig"
    return Training(
        step=step,
        path=path,
        node=node,
        hyperparameters={name: context.resolve(value) for name, value in given.items()},
        hyperparameters_path=(*path, key) if key in node else path,
        resources=object_of(node.get(resources)),
        resources_path=(*path, resources),
        image=context.text_at(at(node.get("AlgorithmSpecification"), "TrainingImage")),
        tuned=tuned,
    )


def _tuned_ranges(context: Context, ranges: JSON, path: Path) -> tuple[TunedRange, ...]:
    found = []
    for key in _RANGES:
        for node, place in objects(object_of(ranges).get(key), (*path, key)):
            ends: dict[Path, JSON] = {(*place, end): node.get(end) for end in ("MinValue", "MaxValue")}
            choices = node.get("Values")
            for index, value in enumerate(choices if isinstance(choices, list) else []):
                ends[(*place, "Values", index)] = value
            texts = {end: context.text_at(value) for end, value in ends.items()}
            known = {end: text for end, text in texts.items() if text is not None}
            found.append(TunedRange(name=text_of(node.get("Name")), path=place, values=known))
    return tuple(found)
