"""What stands around the steps, and documents that are damaged or hostile."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.definitions import definition, get, refusal, step
from workflows.definition.errors import DefinitionError
from workflows.definition.loader import MOST_CHARACTERS, load

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"ExperimentName": "e", "TrialName": get("Execution.PipelineExecutionId")}, id="both"),
        pytest.param(
            {"ExperimentName": {"Std:Join": {"On": "-", "Values": ["e", get("Parameters.P")]}}}, id="join"
        ),
        pytest.param(None, id="null"),
    ],
)
def test_a_pipeline_experiment_config_is_kept(config):
    parameters = [{"Name": "P", "Type": "String", "DefaultValue": "x"}]
    loaded = load(definition(parameters=parameters, PipelineExperimentConfig=config))
    assert loaded.experiment == (config or {})


@pytest.mark.parametrize(
    ("more", "fragments"),
    [
        pytest.param({"ExperimentName": "two words"}, ["ExperimentName", "'two words'"], id="name"),
        pytest.param({"ExperimentName": "e" * 121}, ["1 to 120"], id="long"),
        pytest.param({"TrialName": get("Steps.A.X")}, ["TrialName", "only parameters"], id="step"),
        pytest.param(
            {"TrialName": get("PipelineExperimentConfig.TrialName")}, ["only parameters"], id="self"
        ),
        pytest.param({"TrialName": get("Parameters.P")}, ["no parameter is named 'P'"], id="unknown"),
        pytest.param({"TrialName": get("Execution.TrainingJobName")}, ["own step only"], id="job"),
        pytest.param([1], ["PipelineExperimentConfig", "an object"], id="list"),
    ],
)
def test_a_wrong_pipeline_experiment_config_is_refused(more, fragments):
    message = refusal(load, definition(step("A"), PipelineExperimentConfig=more), error=DefinitionError)
    for fragment in ["PipelineExperimentConfig", *fragments]:
        assert fragment in message


def test_a_field_of_an_experiment_that_is_not_there_is_refused():
    text = definition(step("A", {"X": get("PipelineExperimentConfig.TrialName")}))
    message = refusal(load, text, error=DefinitionError)
    assert "Steps[0] 'A' Arguments.X: no field of PipelineExperimentConfig is named 'TrialName'" in message


@pytest.mark.parametrize(
    ("more", "fragments"),
    [
        pytest.param({"Metadata": {"a b": "x"}}, ["Metadata", "'a b'"], id="metadata-key"),
        pytest.param({"Metadata": {"a": 5}}, ["Metadata.a", "string"], id="metadata-number"),
        pytest.param({"Metadata": {"a": "x" * 1025}}, ["Metadata.a", "1024"], id="metadata-long"),
        pytest.param({"Metadata": "a"}, ["Metadata", "an object"], id="metadata-text"),
        pytest.param({"MlflowConfig": "a"}, ["MlflowConfig", "an object"], id="mlflow"),
    ],
)
def test_what_stands_beside_the_steps_is_checked_lightly(more, fragments):
    message = refusal(load, definition(**more), error=DefinitionError)
    for fragment in fragments:
        assert fragment in message


def test_what_stands_beside_the_steps_may_be_there():
    more = {"Metadata": {"team": "birds"}, "MlflowConfig": {"MlflowResourceArn": "arn"}}
    assert load(definition(**more)).document["Metadata"] == {"team": "birds"}
    assert load(definition(Metadata=None, MlflowConfig=None)).steps == {}


def test_a_definition_has_a_greatest_length_unless_it_goes_through_s3():
    text = definition(step("A"))
    padded = text + " " * (MOST_CHARACTERS - len(text))
    assert list(load(padded).steps) == ["A"]
    message = refusal(load, padded + " ", error=DefinitionError)
    assert "1048577 characters" in message and "through S3" in message
    assert list(load(padded + " ", from_s3=True).steps) == ["A"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"Steps": ' + "[" * 99_999 + "]" * 99_999 + "}", id="deeper-than-the-parser-goes"),
        pytest.param(
            definition(step("A", {"X": json.loads('{"a": ' * 200 + "1" + "}" * 200)})), id="deep-objects"
        ),
    ],
)
def test_a_definition_that_is_nested_without_end_is_refused(text):
    assert "stand in one another" in refusal(load, text, error=DefinitionError)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_know_as_a_number_is_refused(number):
    text = definition(step("A", {"X": "?"})).replace('"?"', number)
    assert f"{number} is no JSON number" in refusal(load, text, error=DefinitionError)


_scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 50), st.text(max_size=5), st.floats())
_names = st.sampled_from(
    ["Get", "Std:Join", "Std:JsonGet", "Name", "Type", "Arguments", "Values", "Path", "x"]
)
_nodes = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=5,
)


def _places(node):
    """Every place in a document: its parent, and the key or index there."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield node, key
        yield from _places(child)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_definition_is_refused_with_words_or_taken_never_with_a_traceback(data):
    document = json.loads((GOLDEN / "birds-detection.json").read_text())
    parent, key = data.draw(st.sampled_from(list(_places(document))))
    parent[key] = data.draw(_nodes)
    try:
        loaded = load(json.dumps(document))
    except DefinitionError:
        return
    assert all(needed in loaded.steps for needs in loaded.needs.values() for needed in needs)
