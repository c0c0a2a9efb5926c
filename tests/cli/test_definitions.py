import json


def test_pipelines_are_listed(workflows):
    (entry,) = [item for item in workflows.json("list") if item["name"] == "birds-detection"]
    assert "sample" in entry["profiles"]


def test_a_definition_is_printed_and_nothing_else(workflows):
    done = workflows("definition", "birds-detection")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Version"] == "2020-12-01"


def test_a_definition_with_other_defaults_is_written_to_a_file(workflows):
    done = workflows("definition", "birds-detection", "--set", "Epochs=7", "--output", "birds.json")
    assert done.stdout == "birds.json\n"
    parameters = json.loads((workflows.folder / "birds.json").read_text())["Parameters"]
    assert {entry["Name"]: entry.get("DefaultValue") for entry in parameters}["Epochs"] == 7


def test_an_unknown_pipeline_is_told_with_the_nearest_name(workflows):
    done = workflows("definition", "bird-detection")
    assert done.returncode == 2
    assert "did you mean 'birds-detection'?" in done.stderr
