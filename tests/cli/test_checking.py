"""`workflows check`, and the check before a pipeline is sent or run."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests import toys
from tests.cli.conftest import WORKFLOWS
from tests.preflight.definitions import changed, golden
from tests.preflight.test_data import ONE, PICTURES, ZERO, picture, write

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def workflows(workflows, home):
    """The command, with what it has compiled kept from test to test."""
    file = workflows.folder / "workflows.toml"
    file.write_text(f'home = "{home}"\n{file.read_text()}')
    return workflows


@pytest.fixture
def broken(workflows):
    document = changed(
        golden("birds-detection"), "TrainBase/Arguments/HyperParameters/base_network", "resnet-5"
    )
    return workflows.write("birds.json", json.dumps(document))


def test_nothing_found_is_success(workflows):
    done = workflows("check", "birds-detection")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "birds-detection: nothing found" in done.stdout
    assert "upper bound" in done.stdout


def test_errors_are_grouped_by_step_and_exit_with_1(workflows, broken):
    done = workflows("check", broken)
    assert done.returncode == 1
    assert done.stdout.startswith(
        "TrainBase\n"
        "  ERROR base_network='resnet-5' must be one of vgg-16, resnet-50; did you mean 'resnet-50'?\n"
        "        write one of vgg-16, resnet-50\n"
        "        wrong-hyperparameter at /Steps/1/Arguments/HyperParameters/base_network\n"
    )


def test_warnings_alone_are_success(workflows):
    document = changed(golden("birds-detection"), "$Epochs/DefaultValue", 50)
    done = workflows("check", workflows.write("birds.json", json.dumps(document)))
    assert done.returncode == 0
    assert "  WARN  lr_scheduler_step='33,67', but the training has 50 epochs" in done.stdout


def test_values_and_profiles_count(workflows):
    done = workflows("check", "birds-detection", "--set", "Optimizer=sdg")
    assert done.returncode == 1
    assert re.match(r"TrainBase \(workflows/pipelines/two_trainings\.py:\d+\)\n", done.stdout)
    # The sample profile has a network that SageMaker's image refuses.
    assert "resnet-18-half" in workflows("check", "birds-detection", "--profile", "sample").stdout


def test_findings_in_our_own_pipelines_lead_to_the_line_that_makes_the_step(workflows):
    done = workflows("check", "birds-detection", "--set", "Optimizer=sdg", "--json", "--sarif", "found.sarif")
    sources = [each["source"] for each in json.loads(done.stdout)["findings"]]
    assert {source["file"] for source in sources} == {"workflows/pipelines/two_trainings.py"}
    code = (PROJECT / sources[0]["file"]).read_text().splitlines()
    assert ['"TrainBase"' in code[source["line"] - 1] for source in sources] == [True, False]
    results = json.loads((workflows.folder / "found.sarif").read_text())["runs"][0]["results"]
    places = [each["locations"][0]["physicalLocation"] for each in results]
    assert [
        {"file": place["artifactLocation"]["uri"], "line": place["region"]["startLine"]} for place in places
    ] == sources


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no-name"),
        pytest.param(["no-such-pipeline"], id="no-such-pipeline"),
        pytest.param(["birds-detection", "--silence", "no-image"], id="silence-without-reason"),
        pytest.param(["birds-detection", "--silence", "no-imag=x"], id="silence-of-no-rule"),
        pytest.param(["--explain", "no-imag"], id="explain-no-rule"),
        pytest.param(["birds-detection", "--set", "Epochs"], id="set-without-value"),
    ],
)
def test_wrong_use_exits_with_2(workflows, arguments):
    assert workflows("check", *arguments).returncode == 2


def test_json_and_sarif_say_the_same(workflows, broken):
    done = workflows("check", broken, "--json", "--sarif", "found.sarif")
    document = json.loads(done.stdout)
    results = json.loads((workflows.folder / "found.sarif").read_text())["runs"][0]["results"]
    assert [each["identifier"] for each in document["findings"]] == [each["ruleId"] for each in results]
    assert {each["source"] for each in document["findings"]} == {None}  # nobody knows who wrote a file
    assert document["costs"]["is_complete"] is True


def test_findings_are_silenced_by_an_option_or_in_the_settings(workflows, broken):
    done = workflows("check", broken, "--silence", "wrong-hyperparameter=a network of our own")
    assert "wrong-hyperparameter at" not in done.stdout
    assert "1 silenced" in done.stdout
    settings = workflows.folder / "workflows.toml"
    settings.write_text(
        settings.read_text() + '[silence]\nwrong-hyperparameter = "ours"\nno-image = "once"\n'
    )
    done = workflows("check", broken)
    assert "1 silenced" in done.stdout
    assert "the silence of no-image silences nothing; remove it" in done.stdout


def test_a_silence_without_reason_in_the_settings_is_refused(workflows):
    settings = workflows.folder / "workflows.toml"
    settings.write_text(settings.read_text() + '[silence]\nno-image = ""\n')
    done = workflows("check", "birds-detection")
    assert done.returncode == 2
    assert "no-image=REASON" in done.stderr


def test_a_rule_is_explained(workflows):
    done = workflows("check", "--explain", "parent-differs")
    assert done.returncode == 0
    assert "Source: SageMaker Developer Guide, incremental training." in done.stdout


def test_a_limit_of_cost_and_a_table_of_prices(workflows):
    assert workflows("check", "birds-detection", "--max-cost", 100).returncode == 1
    table = 'currency = "EUR"\nregion = "x"\nas_of = 2025-01-01\n[per_hour]\n"ml.m5.xlarge" = 0.001\n'
    file = workflows.write("prices.toml", table + '"ml.g5.2xlarge" = 0.001\n')
    done = workflows("check", "birds-detection", "--max-cost", 100, "--prices", file)
    assert done.returncode == 0, done.stdout
    assert "EUR" in done.stdout


def test_data_at_hand_are_looked_into(workflows):
    (workflows.folder / "prepared").mkdir()
    done = workflows("check", "birds-detection", "--data", "prepared")
    assert done.returncode == 1
    assert "prepared/validation holds not exactly one .rec or .lst file" in done.stdout


@pytest.fixture
def prepared(workflows):
    """A definition, and records of both channels of which one picture of the validation is cut short."""
    workflows.write("birds.json", json.dumps(golden("birds-detection")))
    write(workflows.folder / "prepared" / "train", [ZERO, ONE])
    write(workflows.folder / "prepared" / "validation", [ZERO, ONE], [PICTURES[8], PICTURES[9][:-500]])
    return "birds.json", "--data", "prepared", "--set", "MiniBatchSize=2"


def test_every_picture_is_decoded_unless_that_is_left_out(workflows, prepared):
    done = workflows("check", *prepared, "--json")
    assert done.returncode == 1
    found = [(each["identifier"], each["text"]) for each in json.loads(done.stdout)["findings"]]
    fault = "validation/validation.rec: 1 of 2 pictures cannot be decoded: record 1 is cut short"
    assert found == [("data-undecodable", fault)] * 2  # of both trainings
    assert "train: 2 records" in done.stderr
    done = workflows("check", *prepared, "--no-decode")
    assert done.returncode == 0
    assert "nothing found" in done.stdout
    assert done.stderr == ""


def test_pictures_that_cannot_be_looked_at_are_no_traceback(workflows, prepared):
    folder = workflows.folder / "prepared" / "train"
    (folder / "train.rec").rename(folder / "train-00001-of-00002.rec")
    done = workflows("check", *prepared)
    assert done.returncode == 2
    assert "give it all 2 parts of train.rec" in done.stderr
    assert "--no-decode checks without it" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_decoding_too(workflows, prepared):
    # Seconds of work, of which the test waits for none.
    count = 20_000
    write(workflows.folder / "prepared" / "train", [ZERO] * count, [picture(width=8, height=8)] * count)
    with subprocess.Popen(
        [WORKFLOWS, "check", *prepared],
        cwd=workflows.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(workflows.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as check:
        assert check.stderr.readline().startswith("* decoding every picture")
        check.send_signal(signal.SIGINT)
        output, told = check.communicate()
    assert (check.returncode, output) == (130, "")
    assert told.splitlines()[-1] == "interrupted"
    assert "Traceback" not in told


def test_a_run_is_refused_with_all_mistakes_before_anything_is_drawn(workflows, home):
    done = workflows(
        "run", "birds-detection", "--profile", "sample", "--set", "Optimizer=sdg", "--set", "Epochs=0"
    )
    assert done.returncode == 2
    assert "optimizer='sdg'" in done.stderr
    assert "epochs='0'" in done.stderr
    assert not (home / "samples").exists()


def test_what_only_aws_refuses_is_a_warning_on_this_machine(workflows):
    # Processing jobs of toys have no volume size.
    text = toys.definition(toys.processing("Say", "echo hello > /opt/ml/processing/output/out/said.txt"))
    file = workflows.write("say.json", text)
    assert workflows("check", file).returncode == 1
    done = workflows("run", file)
    assert done.returncode == 0, done.stderr
    assert (
        "WARN  Say: ProcessingResources.ClusterConfig.VolumeSizeInGB is missing (an error on AWS)"
        in done.stderr
    )


@pytest.mark.parametrize("command", ["plan", "upsert"])
def test_nothing_is_sent_to_aws_that_it_would_refuse(workflows, broken, command):
    role = "arn:aws:iam::123456789012:role/VisionPipelines"
    done = workflows(command, broken, "--on", "aws", SAGEMAKER_PIPELINE_ROLE_ARN=role)
    assert done.returncode == 2
    assert "base_network='resnet-5'" in done.stderr
