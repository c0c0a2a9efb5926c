import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.definition.errors import DanglingReference, DefinitionError, DependencyCycle
from workflows.definition.expressions import parse_path
from workflows.definition.loader import load


def step(name, arguments=None, kind="Processing", **more):
    return {"Name": name, "Type": kind, "Arguments": arguments or {}, **more}


def definition(*steps, parameters=()):
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)})


def get(path):
    return {"Get": path}


def condition(name, *, left=1, if_steps=(), else_steps=()):
    test = {"Type": "Equals", "LeftValue": left, "RightValue": 1}
    arguments = {"Conditions": [test], "IfSteps": list(if_steps), "ElseSteps": list(else_steps)}
    return step(name, arguments, "Condition")


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
        pytest.param(definition(step("A"), step("A")), ["'A'", "unique"], id="two-of-a-name"),
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
        pytest.param(definition(step("A", {"X": get("Nonsense.Id")})), ["Nonsense.Id"], id="root"),
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
                step("A", PropertyFiles=[{"PropertyFileName": "R", "OutputName": "o", "FilePath": "f"}])
            ),
            ["PropertyFiles 'R'", "no output is named 'o'"],
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
            definition(step("F", {"ErrorMessage": "x"}, "Fail"), step("B", DependsOn=["F"])),
            ["Fail step", "nothing can wait"],
            id="waits-for-fail",
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


def test_a_cycle_names_its_steps():
    with pytest.raises(DependencyCycle) as caught:
        load(definition(step("A", DependsOn=["C"]), step("B", DependsOn=["A"]), step("C", DependsOn=["B"])))
    assert set(caught.value.steps) == {"A", "B", "C"}


def test_a_dangling_reference_keeps_its_parts():
    with pytest.raises(DanglingReference) as caught:
        load(definition(step("A", {"X": get("Steps.B.C")})))
    assert (caught.value.kind, caught.value.name) == ("step", "B")


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[A-Za-z0-9_\-]+", fullmatch=True),
            st.integers(0, 99),
            st.text(st.characters(codec="utf-8", exclude_characters="'"), max_size=8),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_path_is_read_as_it_was_written(parts):
    head, rest = f"Steps{len(parts)}", list(parts)
    text = head + "".join(f"[{part}]" if isinstance(part, int) else f"['{part}']" for part in rest)
    assert parse_path(text, where="here") == (head, *rest)
