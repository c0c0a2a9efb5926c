"""boto3 reads the logs of jobs, as the notebooks and the SDK do."""

import json
import os
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toys import definition, processing
from workflows.definition.loader import load
from workflows.local.job_logs import log_of as log_of_endpoint
from workflows.local.naming import job_name
from workflows.local.records import ENDPOINT, EXECUTION_STEP, PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB
from workflows.local.tuning.job import tuning_job_name
from workflows.server.log_filter import Filter, parse
from workflows.server.log_times import LONGEST_EVENT, Times, observe

TRAINING = "/aws/sagemaker/TrainingJobs"
RUN = "0123456789ab"
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MS = int(BEGAN.timestamp() * 1000)
SECONDS = MS // 1000


def at(seconds):
    return (
        datetime.fromtimestamp(SECONDS + seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def add_job(
    cloud, step="Train", *, kind=TRAINING_JOB, prefix="TrainingJob", status="Completed", began=0, **more
):
    name = job_name(RUN, step)
    record = {
        f"{prefix}Name": name,
        f"{prefix}Status": status,
        "CreationTime": at(began),
        "LastModifiedTime": at(began + 3600),
        **more,
    }
    cloud.store.put(kind, name, record)
    add_step(cloud, step)
    return name


def add_step(cloud, step):
    cloud.store.put(EXECUTION_STEP, f"{RUN}/{step}", {"StepName": step}, parent=RUN)


def write(file, *lines, after_s, end="\n"):
    """Append lines, so that the file was changed so many seconds after the beginning."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as log:
        log.write("".join(f"{line}{end}" for line in lines).encode())
    os.utime(file, ns=((MS + after_s * 1000) * 1_000_000,) * 2)


def log_of(cloud, *parts):
    return cloud.store.home.joinpath("runs", RUN, *parts, "log.txt")


def stream_of(job, host="algo-1"):
    return f"{job}/{host}-{SECONDS}"


def messages(answer):
    return [event["message"] for event in answer["events"]]


def times(answer):
    return [(event["timestamp"] - MS) / 1000 for event in answer["events"]]


def get(cloud, job, **more):
    return cloud.client("logs").get_log_events(
        logGroupName=TRAINING, logStreamName=stream_of(job), startFromHead=True, **more
    )


def test_the_stream_of_a_job_is_found_by_its_name(cloud):
    job = add_job(cloud)
    add_job(cloud, "Other")
    write(log_of(cloud, "Train"), "epoch 1", after_s=10)
    write(log_of(cloud, "Other"), "epoch 1", after_s=10)
    found = cloud.client("logs").describe_log_streams(
        logGroupName=TRAINING, logStreamNamePrefix=f"{job}/", orderBy="LogStreamName", limit=1
    )["logStreams"]
    assert [stream["logStreamName"] for stream in found] == [f"{job}/algo-1-{SECONDS}"]
    assert found[0]["firstEventTimestamp"] == MS
    assert found[0]["arn"].startswith(
        f"arn:aws:logs:eu-west-1:123456789012:log-group:{TRAINING}:log-stream:{job}/"
    )


def test_a_job_that_has_written_nothing_has_no_stream_yet(cloud):
    job = add_job(cloud, status="InProgress")
    logs = cloud.client("logs")
    assert logs.describe_log_streams(logGroupName=TRAINING, logStreamNamePrefix=f"{job}/")["logStreams"] == []
    with pytest.raises(ClientError, match="The specified log stream does not exist") as caught:
        get(cloud, job)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_unknown_group_is_not_found(cloud):
    logs = cloud.client("logs")
    for call in (logs.describe_log_streams, logs.filter_log_events):
        with pytest.raises(ClientError, match="The specified log group does not exist") as caught:
            call(logGroupName="/aws/lambda/none")
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_lines_are_spread_between_the_start_and_the_last_change(cloud):
    job = add_job(cloud)
    write(log_of(cloud, "Train"), "aaa", "bbb", "ccc", "ddd", after_s=8)
    answer = get(cloud, job)
    assert messages(answer) == ["aaa", "bbb", "ccc", "ddd"]
    assert times(answer) == [0, 2, 4, 6]


def test_the_time_of_a_line_never_changes(cloud):
    job = add_job(cloud, status="InProgress")
    log = log_of(cloud, "Train")
    write(log, "aaa", "bbb", after_s=10)
    assert times(get(cloud, job)) == [0, 5]
    write(log, "ccc", "ddd", after_s=30)
    assert times(get(cloud, job)) == [0, 5, 10, 20]
    write(log, "eee", after_s=30)
    assert times(get(cloud, job)) == [0, 5, 10, 20, 30]


def test_reading_goes_on_where_it_ended(cloud):
    job = add_job(cloud, status="InProgress")
    log = log_of(cloud, "Train")
    write(log, "one", "two", after_s=10)
    first = get(cloud, job)
    nothing = get(cloud, job, nextToken=first["nextForwardToken"])
    assert nothing["events"] == []
    assert nothing["nextForwardToken"] == first["nextForwardToken"]
    write(log, "three", after_s=20)
    more = get(cloud, job, nextToken=first["nextForwardToken"])
    assert messages(more) == ["three"]
    assert more["nextForwardToken"] != first["nextForwardToken"]


def test_a_line_that_is_being_written_is_not_shown_before_its_end(cloud):
    job = add_job(cloud, status="InProgress")
    log = log_of(cloud, "Train")
    write(log, "one\nhal", after_s=10, end="")
    assert messages(get(cloud, job)) == ["one"]
    write(log, "f", after_s=11)
    assert messages(get(cloud, job)) == ["one", "half"]


def test_the_last_line_of_a_job_that_has_ended_needs_no_end(cloud):
    job = add_job(cloud, status="Failed")
    write(log_of(cloud, "Train"), "one\nno end", after_s=10, end="")
    assert messages(get(cloud, job)) == ["one", "no end"]


def test_empty_lines_are_no_events_and_broken_text_is_replaced(cloud):
    job = add_job(cloud)
    log = log_of(cloud, "Train")
    write(log, "one", "", "two\r", after_s=10)
    with log.open("ab") as file:
        file.write(b"\xff\n")
    assert messages(get(cloud, job)) == ["one", "two", "\ufffd"]


def test_pages_forward_hold_every_line_once(cloud):
    job = add_job(cloud)
    lines = [f"line {number}" for number in range(25)]
    write(log_of(cloud, "Train"), *lines, after_s=100)
    found, token = [], None
    while True:
        answer = get(cloud, job, limit=10, **({"nextToken": token} if token else {}))
        if answer["nextForwardToken"] == token:
            break
        found, token = found + messages(answer), answer["nextForwardToken"]
    assert found == lines


def test_without_a_start_the_last_lines_come_and_the_ones_before_on_demand(cloud):
    job = add_job(cloud)
    write(log_of(cloud, "Train"), *[f"line {number}" for number in range(25)], after_s=100)
    logs, arguments = cloud.client("logs"), {"logGroupName": TRAINING, "logStreamName": stream_of(job)}
    last = logs.get_log_events(**arguments, limit=10)
    assert messages(last) == [f"line {number}" for number in range(15, 25)]
    before = logs.get_log_events(**arguments, limit=10, nextToken=last["nextBackwardToken"])
    assert messages(before) == [f"line {number}" for number in range(5, 15)]
    again = logs.get_log_events(**arguments, limit=10, nextToken=before["nextForwardToken"])
    assert messages(again) == messages(last)


def test_times_limit_what_is_read(cloud):
    job = add_job(cloud)
    write(log_of(cloud, "Train"), "aaa", "bbb", "ccc", "ddd", after_s=8)
    assert messages(get(cloud, job, startTime=MS + 2000)) == ["bbb", "ccc", "ddd"]
    assert messages(get(cloud, job, startTime=MS + 2001, endTime=MS + 6000)) == ["ccc"]
    assert messages(get(cloud, job, startTime=MS + 7000)) == []
    assert messages(get(cloud, job, endTime=MS)) == []


def test_the_sdks_way_of_following_a_log_misses_nothing_and_repeats_nothing(cloud):
    """It asks from the time of the last line on, and leaves out as many of that time as it has seen."""
    job = add_job(cloud, status="InProgress")
    log, seen, start, skip = log_of(cloud, "Train"), [], 0, 0
    for number in range(6):
        write(log, *[f"{number} {line}" for line in range(7)], after_s=number // 2)
        for event in get(cloud, job, startTime=start)["events"][skip:]:
            if event["timestamp"] == start:
                skip += 1
            else:
                start, skip = event["timestamp"], 1
            seen.append(event["message"])
    assert seen == [f"{number} {line}" for number in range(6) for line in range(7)]


def test_a_large_log_comes_in_pages_and_long_lines_in_parts(cloud):
    job = add_job(cloud)
    line = "x" * (LONGEST_EVENT + 100)
    write(log_of(cloud, "Train"), *[line] * 6, after_s=100)
    answer = get(cloud, job)
    assert sum(len(message) for message in messages(answer)) <= 1024 * 1024
    assert {len(message) for message in messages(answer)} == {LONGEST_EVENT, 100}
    rest = get(cloud, job, nextToken=answer["nextForwardToken"])
    assert "".join(messages(answer) + messages(rest)) == line * 6


def test_each_host_of_a_job_has_a_stream(cloud):
    job = add_job(cloud, ResourceConfig={"InstanceCount": 2})
    for host in ("algo-1", "algo-2"):
        write(log_of(cloud, "Train", host), f"I am {host}", after_s=5)
    write(log_of(cloud, "Train"), "[algo-1] I am algo-1", after_s=5)
    logs = cloud.client("logs")
    found = logs.describe_log_streams(logGroupName=TRAINING, logStreamNamePrefix=f"{job}/")["logStreams"]
    assert [stream["logStreamName"] for stream in found] == [
        stream_of(job, "algo-1"),
        stream_of(job, "algo-2"),
    ]
    second = logs.get_log_events(logGroupName=TRAINING, logStreamName=found[1]["logStreamName"])
    assert messages(second) == ["I am algo-2"]


def test_a_training_job_of_a_tuning_job_has_its_stream(cloud):
    tuning = tuning_job_name(job_name(RUN, "TuneDetector"))
    job = f"{tuning}-001-0a1b2c3d"
    record = {
        "TrainingJobName": job,
        "TrainingJobStatus": "Completed",
        "CreationTime": at(0),
        "LastModifiedTime": at(9),
    }
    cloud.store.put(
        TRAINING_JOB,
        job,
        {**record, "TuningJobArn": f"arn:aws:sagemaker:r:a:hyper-parameter-tuning-job/{tuning}"},
    )
    add_step(cloud, "TuneDetector")
    write(log_of(cloud, "TuneDetector", job), "epoch 1", after_s=5)
    assert messages(get(cloud, job)) == ["epoch 1"]


def test_processing_and_transform_jobs_have_their_groups(cloud):
    processing = add_job(cloud, "Prepare", kind=PROCESSING_JOB, prefix="ProcessingJob")
    transform = add_job(cloud, "Score", kind=TRANSFORM_JOB, prefix="TransformJob")
    write(log_of(cloud, "Prepare"), "prepared", after_s=5)
    write(log_of(cloud, "Score"), "scored", after_s=5)
    logs = cloud.client("logs")
    for group, job, text in (
        ("ProcessingJobs", processing, "prepared"),
        ("TransformJobs", transform, "scored"),
    ):
        name = f"/aws/sagemaker/{group}"
        found = logs.filter_log_events(logGroupName=name)["events"]
        assert [(event["logStreamName"].split("/")[0], event["message"]) for event in found] == [(job, text)]


def test_an_endpoint_has_a_group_with_the_logs_of_its_containers(cloud):
    cloud.store.put(ENDPOINT, "birds", {"EndpointName": "birds", "CreationTime": at(0)})
    write(log_of_endpoint(cloud.store, ENDPOINT, "birds"), "GET /ping", after_s=1)
    logs = cloud.client("logs")
    found = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints")["logGroups"]
    assert [group["logGroupName"] for group in found] == ["/aws/sagemaker/Endpoints/birds"]
    answer = logs.filter_log_events(logGroupName="/aws/sagemaker/Endpoints/birds")
    assert messages(answer) == ["GET /ping"]
    assert answer["events"][0]["logStreamName"].startswith("AllTraffic/i-")


def test_groups_are_listed_in_pages(cloud):
    for name in ("a", "b"):
        cloud.store.put(ENDPOINT, name, {"EndpointName": name, "CreationTime": at(0)})
    pages = (
        cloud.client("logs").get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2})
    )
    found = [
        [group["logGroupName"].removeprefix("/aws/sagemaker/") for group in page["logGroups"]]
        for page in pages
    ]
    assert found == [["Endpoints/a", "Endpoints/b"], ["ProcessingJobs", "TrainingJobs"], ["TransformJobs"]]


@pytest.mark.parametrize("order", ["LogStreamName", "LastEventTime"])
@pytest.mark.parametrize("descending", [False, True])
def test_streams_are_listed_in_pages_and_in_order(cloud, order, descending):
    names = []
    for number, step in enumerate(("C", "A", "D", "B", "E")):
        names.append(add_job(cloud, step, began=number))
        write(log_of(cloud, step), "hello", after_s=number + 1)
    pages = (
        cloud.client("logs")
        .get_paginator("describe_log_streams")
        .paginate(
            logGroupName=TRAINING, orderBy=order, descending=descending, PaginationConfig={"PageSize": 2}
        )
    )
    found = [stream["logStreamName"].split("/")[0] for page in pages for stream in page["logStreams"]]
    expected = names if order == "LastEventTime" else sorted(names)
    assert found == (expected[::-1] if descending else expected)


def test_events_of_several_streams_come_in_the_order_of_their_times(cloud):
    for step, began, lines in (("A", 0, "abcd"), ("B", 1, "xyz"), ("C", 100, "q")):
        add_job(cloud, step, began=began)
        write(log_of(cloud, step), *[f"{letter}" * 3 for letter in lines], after_s=began + len(lines) * 2)
    logs = cloud.client("logs")
    # A has lines at 0, 2, 4, 6; B at 1, 3, 5; C at 100.
    expected = ["aaa", "xxx", "bbb", "yyy", "ccc", "zzz", "ddd", "qqq"]
    assert messages(logs.filter_log_events(logGroupName=TRAINING)) == expected
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=TRAINING, PaginationConfig={"PageSize": 3}
    )
    assert [message for page in pages for message in messages(page)] == expected
    ids = [event["eventId"] for event in logs.filter_log_events(logGroupName=TRAINING)["events"]]
    assert len(set(ids)) == 8
    assert ids == [event["eventId"] for event in logs.filter_log_events(logGroupName=TRAINING)["events"]]
    assert ids == sorted(ids)
    part = logs.filter_log_events(logGroupName=TRAINING, startTime=MS + 3000, endTime=MS + 5000)
    assert messages(part) == ["yyy", "ccc", "zzz"]


def test_events_are_filtered_by_pattern_and_stream(cloud):
    first, second = add_job(cloud, "A"), add_job(cloud, "B")
    write(log_of(cloud, "A"), "ERROR out of memory", "INFO fine", after_s=5)
    write(log_of(cloud, "B"), "ERROR out of disk", after_s=5)
    logs = cloud.client("logs")

    def found(**more):
        return messages(logs.filter_log_events(logGroupName=TRAINING, **more))

    assert sorted(found(filterPattern="ERROR")) == ["ERROR out of disk", "ERROR out of memory"]
    assert found(filterPattern='"out of memory"') == ["ERROR out of memory"]
    assert found(filterPattern="ERROR", logStreamNamePrefix=second) == ["ERROR out of disk"]
    assert found(filterPattern="ERROR", logStreamNames=[stream_of(first)]) == ["ERROR out of memory"]
    with pytest.raises(ClientError, match="not available on this machine"):
        found(filterPattern="{ $.level = ERROR }")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("", Filter(), id="everything"),
        pytest.param("ERROR disk", Filter(required=("ERROR", "disk")), id="all-terms"),
        pytest.param('"out of memory" -DEBUG', Filter(required=("out of memory",), excluded=("DEBUG",))),
        pytest.param("?ERROR ?WARN", Filter(optional=("ERROR", "WARN")), id="any-term"),
        pytest.param(r'"say \"no\""', Filter(required=('say "no"',)), id="escaped-quotes"),
        pytest.param('-"not this"', Filter(excluded=("not this",)), id="excluded-phrase"),
    ],
)
def test_patterns_are_read(pattern, expected):
    assert parse(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        pytest.param("ERROR", "[ERROR] disk", True, id="inside"),
        pytest.param("ERROR", "error", False, id="case"),
        pytest.param("ERROR disk", "disk ERROR", True, id="any-order"),
        pytest.param("ERROR disk", "ERROR", False, id="one-missing"),
        pytest.param("?ERROR ?WARN", "WARN", True, id="optional"),
        pytest.param("?ERROR ?WARN", "INFO", False, id="no-optional"),
        pytest.param("INFO ?WARN", "INFO", True, id="required-decides"),
        pytest.param("-INFO", "INFO", False, id="excluded"),
        pytest.param("-INFO", "WARN", True, id="not-excluded"),
    ],
)
def test_patterns_match(pattern, message, matches):
    assert parse(pattern).matches(message) is matches


@pytest.mark.parametrize("pattern", ['"no end', 'a"b"', "[a, b]", "%x%"])
def test_other_patterns_are_refused(cloud, pattern):
    with pytest.raises(ClientError) as caught:
        cloud.client("logs").filter_log_events(logGroupName=TRAINING, filterPattern=pattern)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_tokens_of_others_are_refused(cloud):
    job = add_job(cloud)
    write(log_of(cloud, "Train"), "one", after_s=1)
    for token in ("f/-1/s", "rubbish", "f/1"):
        with pytest.raises(ClientError, match="nextToken is invalid"):
            get(cloud, job, nextToken=token)
    with pytest.raises(ClientError, match="nextToken is invalid"):
        cloud.client("logs").filter_log_events(logGroupName=TRAINING, nextToken="rubbish")


def test_a_job_outside_of_pipelines_has_its_stream(cloud):
    record = {"TrainingJobName": "mine", "TrainingJobStatus": "InProgress", "CreationTime": at(0)}
    cloud.store.put(TRAINING_JOB, "mine", record)
    write(log_of_endpoint(cloud.store, TRAINING_JOB, "mine"), "epoch 1", after_s=5)
    assert messages(get(cloud, "mine")) == ["epoch 1"]


def test_names_of_jobs_lead_nowhere_else(cloud):
    for name in ("pipelines-../../etc-x", "../x", "pipelines-0123456789ab-../../x"):
        with pytest.raises(ClientError, match="does not exist"):
            cloud.client("logs").get_log_events(logGroupName=TRAINING, logStreamName=f"{name}/algo-1-1")


def test_writing_logs_is_not_available(cloud):
    with pytest.raises(ClientError, match="not available on this machine"):
        cloud.client("logs").create_log_group(logGroupName="mine")


marks = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 5000)), min_size=1, max_size=8).map(
    lambda steps: [
        (sum(size for size, _ in steps[:end]), sum(time for _, time in steps[:end]))
        for end in range(len(steps) + 1)
    ]
)


@given(marks=marks, time=st.integers(-10, 50_000))
def test_times_never_fall_and_are_found_again(marks, time):
    times = Times(marks)
    all_times = [times.at(offset) for offset in range(times.end)]
    assert all_times == sorted(all_times)
    for offset, expected in marks[:-1]:
        assert times.at(offset) == expected
    # Slow and obvious: the first byte that is not before.
    first = next((offset for offset, at in enumerate(all_times) if at >= time), times.end)
    assert times.first_at(time) == first


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(st.text("ab\n", max_size=6), max_size=8), look=st.lists(st.booleans(), min_size=8))
def test_looking_at_a_log_more_often_never_changes_what_was_seen(tmp_path_factory, parts, look):
    log = tmp_path_factory.mktemp("log") / "log.txt"
    log.touch()
    seen, size = {}, 0
    for number, (part, wanted) in enumerate(zip(parts, look, strict=False), start=1):
        with log.open("a") as file:
            file.write(part)
        os.utime(log, (number, number))
        if wanted:
            times = observe(log, began=0, complete=False)
            fresh = {offset: times.at(offset) for offset in range(times.end)}
            assert seen.items() <= fresh.items()
            seen, size = fresh, times.end
    assert size <= log.stat().st_size
    assert observe(log, began=0, complete=True).end == log.stat().st_size


def test_another_log_in_the_place_of_a_longer_one_has_its_own_times(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("a long line\n")
    observe(log, began=0, complete=False)
    log.write_text("x\n")
    assert observe(log, began=0, complete=False).end == 2
    log.with_name("log.txt.times").write_bytes(b"\0" * 5)
    assert observe(log, began=0, complete=False).end == 2


def test_what_is_stored_is_plain(cloud):
    """Nothing but the log and its times stands in a job's folder."""
    job = add_job(cloud)
    write(log_of(cloud, "Train"), "one", after_s=1)
    get(cloud, job)
    assert sorted(path.name for path in log_of(cloud, "Train").parent.iterdir()) == [
        "log.txt",
        "log.txt.times",
    ]
    assert json.dumps(cloud.store.find(TRAINING_JOB, job))


class Deaf:
    """A listener that is told everything and keeps nothing."""

    def __getattr__(self, name):
        return lambda *_, **__: None


def test_the_log_of_a_step_that_really_ran_is_read(cloud):
    text = definition(processing("Prepare", "echo one; echo two >&2; sleep 0.05; echo three"))
    execution = cloud.machine.engine.start("toys", load(text), {}, listener=Deaf())
    before = datetime.now(UTC).timestamp() * 1000
    assert execution.run()["PipelineExecutionStatus"] == "Succeeded"
    after = datetime.now(UTC).timestamp() * 1000
    logs = cloud.client("logs")
    found = logs.filter_log_events(
        logGroupName="/aws/sagemaker/ProcessingJobs",
        logStreamNamePrefix=f"{job_name(execution.id, 'Prepare')}/",
    )["events"]
    assert sorted(event["message"] for event in found) == ["one", "three", "two"]
    assert all(before - 10 <= event["timestamp"] <= after + 10 for event in found)
