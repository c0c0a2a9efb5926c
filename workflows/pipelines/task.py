"""What tells the pipelines for one kind of vision model from those for another, as data.

Jobs, outputs and hyperparameters are named here; the steps that both kinds have are in
:mod:`workflows.pipelines.vision_steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

# Option of a job or hyperparameter -> name of the pipeline parameter that gives its value.
FromParameters: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One of our processing jobs."""

    module: str  # run with python -m
    arguments: FromParameters  # option without its dashes -> parameter


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of a model: which pictures, and where each hyperparameter comes from."""

    data: str  # output of PrepareData in the train channel
    recipe: FromParameters
    counts: Mapping[str, str]  # hyperparameter -> its key among the data report's hyperparameters
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VisionTask:
    """One kind of vision model, trained by a built-in algorithm."""

    algorithm: str  # as the SDK's table of images calls it
    registry_task: str  # as a model package names it
    metric: str  # of the training, over the held-out pictures
    figure: str  # what the evaluation calls the same, in words
    figure_path: str  # where evaluation.json holds it
    figure_key: str  # ending of the properties of a version that hold it
    threshold: str  # the parameter that both figures must reach
    prepare: Job
    prepared: tuple[str, ...]  # the outputs of PrepareData
    evaluate: Job
    base: Run
    incremental: Run
