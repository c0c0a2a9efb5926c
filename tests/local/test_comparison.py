import json
import math

import pytest

from tests.toys import (
    at_least,
    condition,
    definition,
    fail,
    get,
    join,
    output_of,
    processing,
    register,
    training,
)
from workflows.definition.differences import by_name
from workflows.local.comparison import Metric, compare
from workflows.local.executor import Options
from workflows.local.faults import Fault
from workflows.local.records import MODEL_PACKAGE
from workflows.local.selection import Selection

MAP = get("Steps.Train.FinalMetricDataList['validation:mAP'].Value")
CACHED = {"CacheConfig": {"Enabled": True}}
PARAMETERS = [
    {"Name": "Map", "Type": "String", "DefaultValue": "0.25,0.5"},
    {"Name": "Text", "Type": "String", "DefaultValue": "birds"},
]
REPORT = """{"figures": {"mAP": VALUE, "classes": 2}, "good": true, "name": "x", "curve": [0.1, VALUE]}"""


def pipeline(*extra, parameters=PARAMETERS, **prepare):
    report = processing(
        "Report",
        f"echo '{REPORT}' | sed s/VALUE/$0/g > /opt/ml/processing/output/out/report.json",
        property_files=[("Quality", "out", "report.json")],
    )
    # Arguments are strings.
    report["Arguments"]["AppSpecification"]["ContainerArguments"].append(join(MAP))
    return definition(
        processing("Prepare", "echo birds > /opt/ml/processing/output/out/data.txt", **prepare),
        training(
            "Train",
            channels={"train": output_of("Prepare", "out")},
            hyperparameters={"map": get("Parameters.Map")},
        ),
        report,
        register("Register", "birds", "Train"),
        *extra,
        parameters=parameters,
    )


def compared(machine, first, second):
    return compare(machine.store, first.execution.id, second.execution.id)


def test_the_same_twice_differs_in_nothing_but_time(machine):
    first, second = machine.run(pipeline()), machine.run(pipeline())
    comparison = compared(machine, first, second)
    assert not comparison.differs
    assert {pair.step for pair in comparison.steps} == {"Prepare", "Train", "Report", "Register"}
    assert all(pair.before.seconds >= 0 and pair.after.seconds >= 0 for pair in comparison.steps)
    (package,) = comparison.packages
    versions = [package.before["ModelPackageArn"][-7:], package.after["ModelPackageArn"][-7:]]
    assert versions == ["birds/1", "birds/2"]


def test_a_parameter_that_changed_a_metric(machine):
    first, second = machine.run(pipeline()), machine.run(pipeline(), Map="0.25,0.75")
    comparison = compared(machine, first, second)
    assert [(found.field, found.before, found.after) for found in comparison.parameters] == [
        ("Map", "0.25,0.5", "0.25,0.75")
    ]
    different = {
        (found.step, found.name): (found.before, found.after, found.difference)
        for found in comparison.metrics
        if found.differs
    }
    assert different == {
        ("Train", "validation:mAP"): (0.5, 0.75, 0.25),
        ("Report", "Quality.figures.mAP"): (0.5, 0.75, 0.25),
        ("Report", "Quality.curve[1]"): (0.5, 0.75, 0.25),
    }
    same = {found.name for found in comparison.metrics if not found.differs}
    assert same == {"Quality.figures.classes", "Quality.curve[0]"}
    assert comparison.execution == comparison.definition == ()
    assert not any(pair.differs for pair in comparison.steps)


def test_a_definition_that_changed_is_told_by_step_and_field(machine):
    first = machine.run(pipeline())
    document = json.loads(pipeline(processing("Extra", "true")))
    document["Steps"][1]["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"] = 61
    # In another order: that is no change.
    document["Steps"].reverse()
    second = machine.run(json.dumps(document))
    comparison = compared(machine, first, second)
    changes = {found.field: (found.before, found.after) for found in comparison.definition}
    extra = changes.pop("Steps.Extra")
    assert (extra[0], extra[1]["Type"]) == (None, "Processing")
    assert changes == {"Steps.Train.Arguments.StoppingCondition.MaxRuntimeInSeconds": (60, 61)}
    assert [(found.field, found.before, found.after) for found in comparison.execution] == [
        ("PipelineVersionId", 1, 2)
    ]
    (added,) = [pair for pair in comparison.steps if pair.differs]
    assert (added.step, added.before, added.after.status) == ("Extra", None, "Succeeded")


def test_where_one_has_failed_the_status_and_the_reason_differ(machine):
    gate = condition(
        "Gate",
        at_least(MAP, 0.5),
        else_steps=[fail("Refuse", "too low")],
    )
    first, second = machine.run(pipeline(gate)), machine.run(pipeline(gate), Map="0.1")
    comparison = compared(machine, first, second)
    assert {found.field: (found.before, found.after) for found in comparison.execution} == {
        "PipelineExecutionStatus": ("Succeeded", "Failed"),
        "FailureReason": (None, "Step failure: Refuse: too low"),
    }
    (refused,) = [pair for pair in comparison.steps if pair.differs]
    assert (refused.step, refused.before, refused.after.failure) == ("Refuse", None, "too low")
    assert (comparison.before.status, comparison.after.status) == ("Succeeded", "Failed")


def test_steps_from_the_cache_and_steps_tried_again_differ_from_those_that_ran(machine):
    first = machine.run(pipeline(**CACHED))
    throttled = {"Train": Fault("throttling")}
    execution, recorder = machine.prepare(pipeline(**CACHED), options=Options(faults=throttled))
    execution.run()
    comparison = compare(machine.store, first.execution.id, execution.id)
    states = {pair.step: pair.after for pair in comparison.steps if pair.differs}
    assert states["Prepare"].source == first.execution.id
    assert states["Train"].attempts == 2
    assert set(states) == {"Prepare", "Train"}
    assert len(recorder.retries) == 1


def test_selected_steps_take_the_others_results(machine):
    first = machine.run(pipeline())
    selection = Selection(steps=("Report",), source_arn=first.execution.arn)
    execution, _ = machine.prepare(pipeline(), selection=selection)
    execution.run()
    comparison = compare(machine.store, first.execution.id, execution.id)
    assert [found.field for found in comparison.execution] == ["SelectiveExecutionConfig"]
    states = {pair.step: pair.after for pair in comparison.steps}
    assert (states["Train"].source, states["Report"].source) == (first.execution.id, None)
    assert states["Register"] is None


def test_an_approved_version_differs_from_one_that_is_not(machine):
    first, second = machine.run(pipeline()), machine.run(pipeline())
    machine.store.change(
        MODEL_PACKAGE, "birds/2", lambda record: {**record, "ModelApprovalStatus": "Approved"}
    )
    assert [package.differs for package in compared(machine, first, second).packages] == [True]


def test_executions_of_two_pipelines_are_compared_by_the_names_of_their_steps(machine):
    first = machine.run(pipeline())
    execution, _ = machine.prepare(pipeline(), pipeline="others", Map="0.75")
    execution.run()
    comparison = compare(machine.store, first.execution.id, execution.id)
    assert [(found.field, found.before, found.after) for found in comparison.execution] == [
        ("PipelineName", "toys", "others")
    ]
    (metric,) = [found for found in comparison.metrics if found.step == "Train"]
    assert metric.difference == 0.25


def test_a_report_that_is_no_json_has_no_figures(machine):
    files = [("Quality", "out", "report.json")]
    text = definition(
        processing("Bad", "echo no > /opt/ml/processing/output/out/report.json", property_files=files),
        processing("None", "true", property_files=files),
    )
    first, second = machine.run(text), machine.run(text)
    assert compared(machine, first, second).metrics == ()


@pytest.mark.parametrize(
    ("before", "after", "differs", "difference"),
    [
        pytest.param(0.5, 0.5, False, 0.0, id="same"),
        pytest.param(1.0, 0.25, True, -0.75, id="lower"),
        pytest.param(None, 0.5, True, None, id="only-in-one"),
        pytest.param(math.nan, math.nan, False, None, id="no-numbers"),
        pytest.param(0.5, math.nan, True, None, id="no-number-any-more"),
        pytest.param(math.inf, math.inf, False, None, id="infinite"),
        pytest.param(0.0, 0.5, True, 0.5, id="from-zero"),
    ],
)
def test_metrics_differ_as_numbers(before, after, differs, difference):
    metric = Metric(step="Train", name="loss", before=before, after=after)
    assert (metric.differs, metric.difference) == (differs, difference)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            [{"Name": "b", "x": 1}, {"Name": "a"}],
            {"b": {"Name": "b", "x": 1}, "a": {"Name": "a"}},
            id="named",
        ),
        pytest.param([{"Name": "a"}, {"Name": "a"}], [{"Name": "a"}, {"Name": "a"}], id="one-name-twice"),
        pytest.param([{"Name": "a"}, 1], [{"Name": "a"}, 1], id="not-all-named"),
        pytest.param(["a", "b"], ["a", "b"], id="texts"),
        pytest.param([], [], id="empty"),
        pytest.param(
            [{"Name": {"Get": "Parameters.X"}}], [{"Name": {"Get": "Parameters.X"}}], id="an-expression"
        ),
        pytest.param(
            {"Steps": [{"Name": "a", "IfSteps": [{"Name": "b"}]}]},
            {"Steps": {"a": {"Name": "a", "IfSteps": {"b": {"Name": "b"}}}}},
            id="nested",
        ),
    ],
)
def test_lists_become_objects_where_their_entries_have_names(document, expected):
    assert by_name(document) == expected
