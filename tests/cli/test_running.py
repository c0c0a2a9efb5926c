"""`workflows run` and the commands that look at what it left, on definitions of shell scripts."""

import json

import pytest

from tests.toys import (
    at_least,
    condition,
    definition,
    endpoint,
    endpoint_config,
    fail,
    get,
    join,
    model,
    output_of,
    processing,
    register,
    training,
)

MAP = get("Steps.Train.FinalMetricDataList['validation:mAP'].Value")
PARAMETERS = [
    {"Name": "InputDataUrl", "Type": "String", "DefaultValue": "s3://nowhere/in"},
    {"Name": "MapThreshold", "Type": "Float", "DefaultValue": 0.5},
]


def pipeline():
    copy = "cp /opt/ml/processing/input/data/* /opt/ml/processing/output/out"
    return definition(
        processing("Prepare", copy, inputs={"data": get("Parameters.InputDataUrl")}),
        training(
            "Train", channels={"train": output_of("Prepare", "out")}, hyperparameters={"map": "0.25,0.75"}
        ),
        condition(
            "Gate",
            at_least(MAP, get("Parameters.MapThreshold")),
            if_steps=[
                register("Register", "toys", "Train"),
                model("Model", "Train"),
                endpoint_config("Config", "Model"),
                endpoint("Deploy", "Config", "toys"),
            ],
            else_steps=[fail("Refuse", join("mAP", MAP, "is below", get("Parameters.MapThreshold"), on=" "))],
        ),
        parameters=PARAMETERS,
    )


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "one.txt").write_text("cardinal")
    return folder


@pytest.fixture
def toys(workflows):
    return workflows.write("toys.json", pipeline())


def test_a_run_that_succeeds_registers_deploys_and_draws(workflows, toys, data):
    done = workflows("run", toys, "--data", data)
    assert done.returncode == 0, done.stderr
    assert "metric     Train validation:mAP 0.7500" in done.stdout
    assert "model      toys/1 PendingManualApproval" in done.stdout
    assert "endpoint   toys InService" in done.stdout
    assert "instance types mean nothing here" in done.stdout
    assert "< Train  epoch 1  validation:mAP 0.7500" in done.stderr
    (chart,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("picture")]
    with open(chart, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_run_that_fails_says_why_and_exits_with_1(workflows, toys, data):
    done = workflows("run", toys, "--data", data, "--set", "MapThreshold=0.999")
    assert done.returncode == 1
    assert "ERROR Step failure: Refuse: mAP 0.75 is below 0.999" in done.stderr


def test_everything_can_be_had_as_json(workflows, toys, data):
    document = workflows.json("run", toys, "--data", data)
    assert document["PipelineExecutionStatus"] == "Succeeded"
    assert document["Endpoints"] == [
        {
            "EndpointName": "toys",
            "EndpointStatus": "InService",
            "EndpointConfigName": f"toys-{document['execution']}",
        }
    ]
    (listed,) = workflows.json("executions")
    assert listed["PipelineExecutionArn"] == document["PipelineExecutionArn"]
    shown = workflows.json("show", document["execution"])
    assert [step["StepName"] for step in shown["Steps"]][:3] == ["Prepare", "Train", "Gate"]
    assert [entry["EndpointName"] for entry in workflows.json("endpoints", "list")] == ["toys"]
    assert [entry["ModelPackageVersion"] for entry in workflows.json("models", "list")] == [1]
    assert workflows.json("plot") == document["Pictures"]


def test_versions_are_approved_and_rejected(workflows, toys, data):
    workflows("run", toys, "--data", data)
    assert workflows("models", "approve", "toys/1", "--reason", "looks right").stdout == "toys/1 Approved\n"
    shown = workflows.json("models", "show", "toys/1")
    assert (shown["ModelApprovalStatus"], shown["ApprovalDescription"]) == ("Approved", "looks right")
    workflows("models", "reject", shown["ModelPackageArn"])
    assert "Rejected" in workflows("models", "list").stdout
    missing = workflows("models", "approve", "toys/2")
    assert missing.returncode == 2
    assert "no model version 'toys/2'; did you mean 'toys/1'?" in missing.stderr


def test_an_endpoint_is_deleted_once(workflows, toys, data):
    workflows("run", toys, "--data", data)
    assert workflows("endpoints", "delete", "toys").returncode == 0
    again = workflows("endpoints", "delete", "toys")
    assert (again.returncode, "no endpoint is named 'toys'" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(
            ["run", "toys.json", "--set", "MapTreshold=1"], "did you mean 'MapThreshold'?", id="parameter"
        ),
        pytest.param(
            ["run", "toys.json", "--set", "MapThreshold=high"], "takes a Float; 'high' is none", id="type"
        ),
        pytest.param(["run", "toys.json", "--set", "MapThreshold"], "write NAME=VALUE", id="no-value"),
        pytest.param(
            ["run", "broken.json"], "no step is named 'Trian'; did you mean 'Train'?", id="dangling"
        ),
        pytest.param(["run", "no-such-thing"], "neither a pipeline", id="unknown"),
        pytest.param(["run", "toys.json", "--data", "nowhere"], "does not exist", id="no-data"),
        pytest.param(
            ["run", "toys.json", "--profile", "sample"], "no pipeline is named 'toys'", id="profile"
        ),
        pytest.param(["show", "abc"], "no execution 'abc'", id="show"),
        pytest.param(["predict", "toys", "picture.jpg"], "picture.jpg: no such file", id="picture"),
        pytest.param(["serve", "--host", "0.0.0.0"], "give a --token", id="serve"),
        pytest.param(["frobnicate"], "No such command", id="command"),
    ],
)
def test_wrong_use_is_told_in_one_message_and_exits_with_2(workflows, toys, arguments, fragment):
    broken = json.loads(pipeline())
    broken["Steps"][2]["Arguments"]["Conditions"][0]["LeftValue"] = get("Steps.Trian.X")
    workflows.write("broken.json", json.dumps(broken))
    done = workflows(*arguments)
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_tell_where_they_come_from(workflows):
    (workflows.folder / "workflows.toml").write_text('bucket = "ours"\nregion = "eu-north-1"\n')
    done = workflows("--home", "elsewhere", "settings", "--json", AWS_REGION="eu-west-1")
    values = json.loads(done.stdout)
    assert values["home"] == {"value": "elsewhere", "origin": "--home"}
    assert values["region"] == {"value": "eu-west-1", "origin": "AWS_REGION"}
    assert values["bucket"] == {"value": "ours", "origin": "workflows.toml"}
    assert values["role"]["origin"] == "default"


def test_an_unknown_setting_is_refused(workflows):
    (workflows.folder / "workflows.toml").write_text('buket = "ours"\n')
    done = workflows("settings")
    assert (done.returncode, "did you mean 'bucket'?" in done.stderr) == (2, True)
