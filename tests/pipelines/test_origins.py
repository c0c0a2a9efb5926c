"""The lines of code that a compiled pipeline's steps lead back to."""

from pathlib import Path

import pytest

from tests.pipelines.definitions import all_steps, compiled, lines
from workflows.pipelines import catalog

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", catalog.names())
def test_every_step_leads_to_the_line_of_the_pipeline_that_makes_it(name):
    assert set(lines(name)) == set(all_steps(compiled(name)))
    module = "retraining" if name.endswith("-retrain") else "two_trainings"
    assert {place.file for place in lines(name).values()} == {f"workflows/pipelines/{module}.py"}


@pytest.mark.parametrize(
    ("step", "made"),
    [
        ("PrepareData", "make.prepare_data("),
        ("TrainBase", 'make.train("TrainBase"'),
        ("TrainIncremental", 'make.train("TrainIncremental"'),
        ("FailQuality", "make.check_quality("),
        ("CreateEndpoint", "make.check_approval("),
    ],
)
def test_the_line_says_how_the_step_is_made(step, made):
    file, line = lines("birds-detection")[step]
    assert made in (PROJECT / file).read_text().splitlines()[line - 1]
