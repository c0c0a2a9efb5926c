import json

import pytest

from workflows.definition.errors import UnresolvedValue
from workflows.definition.loader import load
from workflows.local.resolver import Scope, resolve

STEPS = [
    {
        "Name": "Prepare",
        "Type": "Processing",
        "Arguments": {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "report"}]}},
        "PropertyFiles": [
            {"PropertyFileName": "Report", "OutputName": "report", "FilePath": "r/report.json"}
        ],
    }
]
PARAMETERS = [{"Name": "Name", "Type": "String", "DefaultValue": "birds"}]
EXPERIMENT = {
    "ExperimentName": {"Get": "Execution.PipelineName"},
    "TrialName": {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.Name"}, "x"]}},
}
OUTPUTS = [{"OutputName": "report", "S3Output": {"S3Uri": "s3://b/report"}}]
REPORT = {"hyperparameters": {"num_classes": "5"}, "scores": [{"map": 0.25}], "by": {"class:name": 1}}


@pytest.fixture
def scope():
    objects = {
        "s3://b/report/r/report.json": json.dumps(REPORT).encode(),
        "s3://b/bad": b"{",
        "s3://b/deep": b"[" * 99_999,
    }
    return Scope(
        definition=load(
            json.dumps({"Parameters": PARAMETERS, "PipelineExperimentConfig": EXPERIMENT, "Steps": STEPS})
        ),
        parameters={"Epochs": 3, "Rate": 0.001, "Name": "birds", "Flip": True},
        variables={"PipelineExecutionId": "abc", "PipelineName": "birds"},
        properties={
            "Prepare": {"ProcessingOutputConfig": {"Outputs": OUTPUTS}},
            "Gate": {"Outcome": "True"},
            "Ask": {"OutputParameters": {"approved": "yes"}},
            "Train": {"FinalMetricDataList": [{"MetricName": "validation:mAP", "Value": 0.5}]},
        },
        read_object=objects.__getitem__,
    )


def json_get(path):
    return {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prepare.PropertyFiles.Report"}, "Path": path}}


def join(on, *values):
    return {"Std:Join": {"On": on, "Values": list(values)}}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param({"Get": "Parameters.Epochs"}, 3, id="parameter-keeps-its-type"),
        pytest.param(join("", {"Get": "Parameters.Epochs"}), "3", id="join-makes-a-string"),
        pytest.param(join("", {"Get": "Parameters.Rate"}), "0.001", id="float-in-join"),
        pytest.param(join("", {"Get": "Parameters.Flip"}), "true", id="boolean-in-join"),
        pytest.param(
            join("/", "s3://b", {"Get": "Execution.PipelineExecutionId"}, "x"), "s3://b/abc/x", id="variable"
        ),
        pytest.param(join("-", join("+", "a", "b"), "c"), "a+b-c", id="join-in-join"),
        pytest.param(
            {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"},
            "s3://b/report",
            id="by-name",
        ),
        pytest.param(
            {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs[0].OutputName"}, "report", id="by-index"
        ),
        pytest.param({"Get": "Steps.Train.FinalMetricDataList['validation:mAP'].Value"}, 0.5, id="metric"),
        pytest.param(json_get("hyperparameters.num_classes"), "5", id="property-file"),
        pytest.param(json_get("scores[0].map"), 0.25, id="property-file-index"),
        pytest.param(
            {"Std:JsonGet": {"S3Uri": join("/", "s3://b/report", "r/report.json"), "Path": "scores[0].map"}},
            0.25,
            id="s3-uri",
        ),
        pytest.param(json_get("by.class:name"), 1, id="key-with-a-colon"),
        pytest.param(join(" ", "mAP", json_get("scores[0].map")), "mAP 0.25", id="json-get-in-join"),
        pytest.param({"Get": "Steps.Gate.Outcome"}, "True", id="outcome"),
        pytest.param({"Get": "Steps.Ask.OutputParameters['approved']"}, "yes", id="output-parameter"),
        pytest.param({"Get": "PipelineExperimentConfig.ExperimentName"}, "birds", id="experiment"),
        pytest.param({"Get": "PipelineExperimentConfig.TrialName"}, "birds-x", id="trial"),
        pytest.param(
            {"Get": "Parameters.Flip", "Other": 1}, {"Get": "Parameters.Flip", "Other": 1}, id="data"
        ),
        pytest.param({"A": [{"B": {"Get": "Parameters.Name"}}]}, {"A": [{"B": "birds"}]}, id="deep"),
    ],
)
def test_an_expression_becomes_its_value(scope, node, expected):
    assert resolve(node, scope, where="X") == expected


@pytest.mark.parametrize(
    ("node", "fragments"),
    [
        pytest.param(
            {"Get": "Steps.Train.FinalMetricDataList['validation:map'].Value"},
            ["validation:map", "did you mean 'validation:mAP'?"],
            id="metric",
        ),
        pytest.param(
            json_get("hyperparameters.classes"),
            ["s3://b/report/r/report.json", "'classes'", "num_classes"],
            id="path",
        ),
        pytest.param(
            {"Std:JsonGet": {"S3Uri": join("", "s3://b/bad"), "Path": "a"}},
            ["s3://b/bad is not JSON"],
            id="no-json",
        ),
        pytest.param(
            {"Std:JsonGet": {"S3Uri": join("", "s3://b/deep"), "Path": "a"}},
            ["s3://b/deep", "nested too deeply"],
            id="deep-json",
        ),
        pytest.param({"Get": "Execution.TrainingJobName"}, ["a job's own arguments only"], id="job-name"),
        pytest.param({"Get": "Steps.Skipped.X"}, ["step 'Skipped' did not run"], id="step-that-did-not-run"),
    ],
)
def test_a_value_that_is_not_there_is_told_with_its_place(scope, node, fragments):
    with pytest.raises(UnresolvedValue) as caught:
        resolve({"K": node}, scope, where="Steps[2] 'Check'")
    for fragment in ["Steps[2] 'Check'.K", *fragments]:
        assert fragment in str(caught.value)
