"""`workflows callbacks` and `workflows callback`, against engines in processes of their own."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager

from tests.cli.conftest import WORKFLOWS
from tests.toys import definition, get, processing

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/labels"
USED_WRONGLY = 2


def asking():
    ask = {
        "Name": "Ask",
        "Type": "Callback",
        "Arguments": {"Bucket": "toys"},
        "SqsQueueUrl": QUEUE,
        "OutputParameters": [
            {"OutputName": "Uri", "OutputType": "String"},
            {"OutputName": "Count", "OutputType": "Integer"},
        ],
    }
    use = processing("Use", "echo $0 > /opt/ml/processing/output/out/seen")
    use["Arguments"]["AppSpecification"]["ContainerArguments"].append(
        get("Steps.Ask.OutputParameters['Uri']")
    )
    return definition(ask, use)


@contextmanager
def engine(workflows):
    """`workflows run asking.json`, until it ends by itself or the block ends."""
    workflows.write("asking.json", asking())
    own = {"PATH": os.environ["PATH"], "HOME": str(workflows.folder)}
    process = subprocess.Popen(
        [WORKFLOWS, "run", "asking.json"],
        cwd=workflows.folder,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def wait_for_message(workflows):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := workflows.json("callbacks"):
            return found[0]
    raise TimeoutError("no message came")


def test_pending_messages_are_listed_and_answered(workflows):
    with engine(workflows) as process:
        message = wait_for_message(workflows)
        token = message["token"]
        listed = workflows("callbacks").stdout.splitlines()
        assert listed[0].split() == ["TOKEN", "STEP", "EXECUTION", "STATUS", "AGE", "QUEUE", "ARGUMENTS"]
        execution = message["pipelineExecutionArn"].rpartition("/")[2]
        assert listed[1].split()[:4] == [token, "Ask", execution, "Executing"]
        assert listed[1].endswith(f"{QUEUE}  Bucket=toys")
        answered = workflows("callback", token, "--output", "Uri=s3://a=b", "--output", "Count=7")
        assert (answered.returncode, answered.stdout) == (0, f"{token} succeeded: execution {execution}\n")
        assert process.wait(60) == 0
    assert workflows.json("callbacks") == []
    stored = workflows.folder / ".workflows" / "s3" / "toys" / execution / "Use" / "out" / "seen"
    assert stored.read_text() == "s3://a=b\n"


def test_a_failure_ends_the_run_with_its_reason(workflows):
    with engine(workflows) as process:
        token = wait_for_message(workflows)["token"]
        assert workflows("callback", token, "--fail", "too few labels").returncode == 0
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ERROR Step failure: Ask: too few labels" in output


WRONG = {
    "output 'Count' is missing": ["--output", "Uri=x"],
    "--output Uri: write NAME=VALUE": ["--output", "Uri"],
    "'Uri' has a value already": ["--output", "Uri=x", "--output", "Uri=y"],
    "leave it out, or --fail": ["--output", "Uri=x", "--fail", "no"],
    "length less than or equal to 256": ["--fail", "x" * 257],
    "'Count' is declared as Integer, but is 'many'": ["--output", "Uri=x", "--output", "Count=many"],
}


def test_answers_that_cannot_be_taken_are_wrong_uses_and_the_message_waits_on(workflows):
    with engine(workflows):
        token = wait_for_message(workflows)["token"]
        for message, arguments in WRONG.items():
            refused = workflows("callback", token, *arguments)
            assert refused.returncode == USED_WRONGLY
            assert message in refused.stderr
        assert [entry["token"] for entry in workflows.json("callbacks")] == [token]


def test_unknown_and_answered_tokens_are_told(workflows):
    unknown = workflows("callback", "0123456789", "--fail", "no")
    assert unknown.returncode == USED_WRONGLY
    assert "Callback token '0123456789' does not exist" in unknown.stderr
    with engine(workflows) as process:
        token = wait_for_message(workflows)["token"]
        assert workflows("callback", token, "--fail", "no").returncode == 0
        process.wait(60)
    assert workflows("callback", token, "--fail", "no").returncode == 0  # who has not heard may say it again
    again = workflows("callback", token, "--fail", "yes")
    assert again.returncode == USED_WRONGLY
    assert f"callback {token} of step 'Ask' is answered already" in again.stderr


def test_an_answer_given_while_the_engine_is_dead_counts(workflows):
    with engine(workflows) as process:
        message = wait_for_message(workflows)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert [entry["token"] for entry in workflows.json("callbacks")] == [message["token"]]
    answered = workflows("callback", message["token"], "--output", "Uri=late", "--output", "Count=1")
    assert answered.returncode == 0, answered.stderr
    resumed = workflows("resume")
    assert resumed.returncode == 0, resumed.stderr


def test_a_failed_callback_asks_again_when_its_execution_is_resumed(workflows):
    with engine(workflows) as process:
        first = wait_for_message(workflows)["token"]
        workflows("callback", first, "--fail", "not yet")
        process.wait(60)
    own = {"PATH": os.environ["PATH"], "HOME": str(workflows.folder)}
    resumed = subprocess.Popen([WORKFLOWS, "resume"], cwd=workflows.folder, env=own)
    try:
        second = wait_for_message(workflows)["token"]
        assert second != first
        workflows("callback", second, "--output", "Uri=now", "--output", "Count=1")
        assert resumed.wait(60) == 0
    finally:
        resumed.kill()
        resumed.wait()
