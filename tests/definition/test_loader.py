import pytest

from tests.definition.definitions import condition, definition, equals, get, refusal, step
from workflows.definition.errors import DanglingReference, DefinitionError, DependencyCycle
from workflows.definition.loader import load


def test_references_and_depends_on_make_the_order():
    loaded = load(
        definition(
            step("C", {"A": [{"B": get("Steps.A.X['k'].Y")}]}, DependsOn=["B"]),
            step("B", {"In": {"Std:Join": {"On": "/", "Values": ["s3:/", get("Steps.A.Z")]}}}),
            step("A"),
        )
    )
    assert loaded.needs == {"A": frozenset(), "B": {"A"}, "C": {"A", "B"}}
    assert list(loaded.steps) == ["C", "B", "A"]


def test_steps_in_branches_need_their_condition_and_know_their_side():
    loaded = load(definition(condition("Gate", if_steps=[step("Yes")], else_steps=[step("No")])))
    assert loaded.needs["Yes"] == {"Gate"}
    yes, no = loaded.steps["Yes"].branch, loaded.steps["No"].branch
    assert yes is not None and (yes.condition, yes.outcome) == ("Gate", True)
    assert no is not None and (no.condition, no.outcome) == ("Gate", False)


def test_a_property_file_is_a_need_of_its_own():
    outputs = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "report"}]}}
    file = {"PropertyFileName": "R", "OutputName": "report", "FilePath": "r.json"}
    read = {"Std:JsonGet": {"PropertyFile": get("Steps.A.PropertyFiles.R"), "Path": "a.b"}}
    loaded = load(definition(step("B", {"X": read}), step("A", outputs, PropertyFiles=[file])))
    assert loaded.needs["B"] == {"A"}
    assert loaded.steps["A"].property_files["R"].path == "r.json"


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        pytest.param("{", ["not JSON"], id="no-json"),
        pytest.param("[]", ["list of Steps"], id="no-object"),
        pytest.param('{"Version": "2019", "Steps": []}', ["2019", "2020-12-01"], id="version"),
        pytest.param(
            definition(step("A"), step("A")),
            ["Steps[0] and Steps[1]", "two steps are named 'A'", "unique"],
            id="two-of-a-name",
        ),
        pytest.param(
            definition(step("A"), condition("G", if_steps=[step("B"), step("A")])),
            ["Steps[0] and Steps[1].Arguments.IfSteps[1]", "'A'", "remove one"],
            id="in-two-places",
        ),
        pytest.param(
            definition(condition("G", if_steps=[step("A")], else_steps=[step("A")])),
            ["IfSteps[0] and", "ElseSteps[0]", "'A'"],
            id="in-both-branches",
        ),
        pytest.param(definition(step("a b")), ["Steps[0].Name", "a b"], id="name"),
        pytest.param(
            definition({"Name": "A", "Type": "Processing"}), ["Steps[0] 'A'", "Arguments"], id="no-arguments"
        ),
        pytest.param(
            definition(
                step("Train", {"X": get("Parameters.Epoch")}),
                parameters=[{"Name": "Epochs", "Type": "Integer"}],
            ),
            ["Steps[0] 'Train' Arguments.X", "no parameter", "'Epoch'", "did you mean 'Epochs'?"],
            id="parameter",
        ),
        pytest.param(
            definition(step("Prepare"), step("B", {"X": get("Steps.Prepar.Y")})),
            ["Steps[1] 'B' Arguments.X", "no step", "did you mean 'Prepare'?"],
            id="step",
        ),
        pytest.param(
            definition(step("B", DependsOn=["A"])), ["DependsOn", "no step is named 'A'"], id="depends-on"
        ),
        pytest.param(
            definition(step("A", {"X": get("Execution.Id")})), ["execution variable", "Id"], id="variable"
        ),
        pytest.param(
            definition(step("A", {"X": get("Nonsense.Id")})), ["Nonsense.Id", "PipelineExper"], id="root"
        ),
        pytest.param(definition(step("A", {"X": get("Steps")})), ["'Steps'"], id="root-alone"),
        pytest.param(definition(step("A", {"X": get(5)})), ["takes a string, not 5"], id="get-number"),
        pytest.param(
            definition(step("A", {"X": get("Parameters.P.Y")}), parameters=[{"Name": "P", "Type": "String"}]),
            ["nothing can follow Parameters.P"],
            id="into-a-parameter",
        ),
        pytest.param(definition(step("A", {"X": get("Steps.A[")})), ["not a path"], id="path"),
        pytest.param(
            definition(
                step("A"),
                step(
                    "B", {"X": {"Std:JsonGet": {"PropertyFile": get("Steps.A.PropertyFiles.R"), "Path": "a"}}}
                ),
            ),
            ["property file of 'A'", "'R'"],
            id="property-file",
        ),
        pytest.param(
            definition(
                step("A", {}, "Training"),
                step(
                    "B", {"X": {"Std:JsonGet": {"PropertyFile": get("Steps.A.PropertyFiles.R"), "Path": "a"}}}
                ),
            ),
            ["'A' is a Training step", "only Processing steps"],
            id="property-file-of-training",
        ),
        pytest.param(
            definition(step("A", {}, "Training", PropertyFiles=[{}])),
            ["Steps[0] 'A' PropertyFiles", "only Processing steps"],
            id="property-file-on-training",
        ),
        pytest.param(
            definition(step("A", PropertyFiles=[{"PropertyFileName": "R", "OutputName": "o"}])),
            ["PropertyFiles[0]", "FilePath is missing"],
            id="property-file-without-path",
        ),
        pytest.param(
            definition(
                step("A", PropertyFiles=[{"PropertyFileName": "R", "OutputName": "o", "FilePath": "f"}])
            ),
            ["PropertyFiles[0] 'R'", "no output is named 'o'"],
            id="output-of-property-file",
        ),
        pytest.param(
            definition(condition("G", if_steps=[condition("H")])),
            ["'H'", "inside the branch of 'G'"],
            id="nested",
        ),
        pytest.param(
            definition(condition("G", if_steps=[step("A")], else_steps=[step("B", {"X": get("Steps.A.Y")})])),
            ["other branch of 'G'"],
            id="other-branch",
        ),
        pytest.param(
            definition(
                condition("G", if_steps=[step("A")], else_steps=[step("B", DependsOn=["A"])]),
            ),
            ["'B' DependsOn", "other branch of 'G'", "move it out"],
            id="other-branch-by-depends-on",
        ),
        pytest.param(
            definition(step("F", {"ErrorMessage": "x"}, "Fail"), step("B", DependsOn=["F"])),
            ["Fail step", "nothing can wait"],
            id="waits-for-fail",
        ),
        pytest.param(
            definition(
                step("F", {"ErrorMessage": "x"}, "Fail"), step("B", {"X": get("Steps.F.ErrorMessage")})
            ),
            ["Fail step", "nothing can wait"],
            id="value-of-fail",
        ),
        pytest.param(
            definition(step("F", {}, "Fail")), ["ErrorMessage is missing"], id="fail-without-message"
        ),
        pytest.param(
            definition(step("F", {"ErrorMessage": "x" * 3073}, "Fail")),
            ["ErrorMessage", "3073", "3072"],
            id="long-message",
        ),
        pytest.param(
            definition(condition("G"), step("B", {"X": get("Steps.G.Result")})),
            ["'G' is a Condition step", "Steps.G.Outcome"],
            id="value-of-condition",
        ),
        pytest.param(
            definition(step("A", DependsOn=[["B"]])),
            ["DependsOn[0]", "a step's name or an object"],
            id="depends-on-list",
        ),
        pytest.param(definition(step("A", DependsOn="B")), ["DependsOn", "a list"], id="depends-on-string"),
        pytest.param(
            definition({"Name": "A", "Arguments": {}}), ["Steps[0] 'A'", "Type is missing"], id="no-type"
        ),
        pytest.param(definition(step("A", kind="Lambda")), ["FunctionArn is missing"], id="lambda"),
        pytest.param(definition(step("A", kind="Callback")), ["SqsQueueUrl is missing"], id="callback"),
        pytest.param(definition(step("A" * 65)), ["Steps[0].Name", "1 to 64"], id="long-name"),
        pytest.param(
            definition(step("A", DisplayName="x" * 257)), ["DisplayName", "257", "256"], id="display"
        ),
        pytest.param(
            definition(step("A", Description="x" * 3073)), ["Description", "3072"], id="description"
        ),
        pytest.param(
            definition(step("A", Description=5)), ["Description", "a string"], id="description-number"
        ),
        pytest.param(
            definition(step("T", {"X": get("Execution.ProcessingJobName")}, "Training")),
            ["ProcessingJobName", "own step only", "Training"],
            id="name-of-another-job",
        ),
        pytest.param(
            definition(condition("G", equals(get("Execution.TrainingJobName")))),
            ["TrainingJobName", "own step only", "Condition"],
            id="job-name-without-job",
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Concat": []}})), ["no function", "'Std:Concat'"], id="function"
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Join": {"Values": []}, "More": 1}})),
            ["Std:Join must stand alone", "More"],
            id="not-alone",
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Join": {"On": 1, "Values": []}}})), ["X.On"], id="join-on"
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Join": {"On": ""}}})), ["needs Values"], id="join-values"
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Join": {"On": "", "Values": [["a"]]}}})),
            ["X.Values[0]", "cannot be joined"],
            id="join-list",
        ),
        pytest.param(
            definition(step("A", {"X": {"Std:Join": {"On": "", "Values": [None]}}})),
            ["X.Values[0]", "cannot be joined"],
            id="join-null",
        ),
        pytest.param(
            definition(parameters=[{"Name": "P", "Type": "Integer", "DefaultValue": "3"}]),
            ["'P'", "no Integer"],
            id="default",
        ),
        pytest.param(
            definition(parameters=[{"Name": "P", "Type": "Boolean", "DefaultValue": 1}]),
            ["'P'", "no Boolean"],
            id="bool",
        ),
        pytest.param(
            definition(parameters=[{"Name": "P", "Type": "Integer", "DefaultValue": True}]),
            ["no Integer"],
            id="int",
        ),
        pytest.param(definition(parameters=[{"Name": "P", "Type": "Date"}]), ["'P'", "Date"], id="type"),
        pytest.param(
            definition(
                parameters=[{"Name": "P", "Type": "String", "DefaultValue": "c", "EnumValues": ["a", "b"]}]
            ),
            ["none of a, b"],
            id="choices",
        ),
    ],
)
def test_a_wrong_definition_is_refused_with_its_place(text, fragments):
    with pytest.raises(DefinitionError) as caught:
        load(text)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_step_outside_may_refer_to_a_step_inside_a_branch():
    outside = step("Out", {"X": get("Steps.In.Y")})
    loaded = load(definition(condition("G", if_steps=[step("In")]), outside))
    assert loaded.needs["Out"] == {"In"} and loaded.steps["Out"].branch is None


def test_steps_in_the_same_branch_and_in_branches_of_different_conditions_may_refer_to_each_other():
    first = condition("G", if_steps=[step("A"), step("B", DependsOn=["A"])])
    second = condition("H", else_steps=[step("C", {"X": get("Steps.B.Y")})])
    assert load(definition(first, second)).needs["C"] == {"H", "B"}


def test_the_outcome_of_a_condition_is_a_value():
    loaded = load(definition(condition("G"), step("A", {"X": get("Steps.G.Outcome")})))
    assert loaded.needs["A"] == {"G"}


def test_a_job_may_use_its_own_name_and_a_type_that_is_not_known_any():
    steps = [
        step("P", {"X": get("Execution.ProcessingJobName")}),
        step("T", {"X": get("Execution.TrainingJobName")}, "Training"),
        step("Q", {"X": get("Execution.TrainingJobName")}, "Quantum"),
    ]
    assert list(load(definition(*steps)).steps) == ["P", "T", "Q"]


def test_a_step_may_run_when_another_has_not_succeeded():
    failed, both = {"Step": "A", "Trigger": "Failed"}, {"Step": "B", "Trigger": "Completed"}
    loaded = load(definition(step("A"), step("B"), step("C", DependsOn=[failed, "A2", both]), step("A2")))
    assert loaded.needs["C"] == {"A", "A2", "B"}
    assert loaded.steps["C"].depends_on == ("A", "A2", "B")
    assert loaded.steps["C"].triggers == {"A": "Failed"}


@pytest.mark.parametrize(
    ("depends_on", "fragments"),
    [
        pytest.param([{"Step": "A", "Trigger": "Fails"}], ["[0]", "did you mean 'Failed'?"], id="trigger"),
        pytest.param([{"Trigger": "Any"}], ["[0]", "Step is missing"], id="no-step"),
        pytest.param([{"Step": "Z", "Trigger": "Any"}], ["no step is named 'Z'"], id="unknown-step"),
        pytest.param(["A", {"Step": "A", "Trigger": "Any"}], ["[1]", "Completed and Any"], id="conflict"),
    ],
)
def test_a_wrong_run_condition_is_refused(depends_on, fragments):
    message = refusal(load, definition(step("A"), step("B", DependsOn=depends_on)), error=DefinitionError)
    for fragment in ["Steps[1] 'B' DependsOn", *fragments]:
        assert fragment in message


def test_a_type_that_is_not_known_may_have_expressions_of_its_own():
    body = step(
        "Each", {"X": get("ForEach.CurrentItem.name"), "Y": get("Steps.Inner.X"), "Z": get("Steps.A.X")}
    )
    loaded = load(definition(step("A"), step("All", {"Body": [body]}, "ForEach")))
    assert loaded.needs["All"] == {"A"}


def test_a_steps_display_name_is_kept():
    assert load(definition(step("A", DisplayName="The first"))).steps["A"].display_name == "The first"
    assert load(definition(step("A"))).steps["A"].display_name is None


def test_a_lambda_step_needs_no_arguments():
    lambda_step = {"Name": "L", "Type": "Lambda", "FunctionArn": "arn"}
    assert load(definition(lambda_step)).steps["L"].arguments == {}


def test_a_cycle_names_its_steps():
    with pytest.raises(DependencyCycle) as caught:
        load(definition(step("A", DependsOn=["C"]), step("B", DependsOn=["A"]), step("C", DependsOn=["B"])))
    assert set(caught.value.steps) == {"A", "B", "C"}


def test_a_dangling_reference_keeps_its_parts():
    with pytest.raises(DanglingReference) as caught:
        load(definition(step("A", {"X": get("Steps.B.C")})))
    assert (caught.value.kind, caught.value.name) == ("step", "B")
