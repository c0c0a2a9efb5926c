"""EventBridge Scheduler over boto3; time is moved on, never waited for."""

import json
import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from workflows.cli.clock import clock_command, read_duration
from workflows.local.store import Store
from workflows.server.events.clock import Clock, ClockError
from workflows.server.events.service import event_loop

PIPELINE = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/retrain"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
TARGET = {"Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": {}}
OFF = {"Mode": "OFF"}


@pytest.fixture
def started():
    return []


@pytest.fixture
def clock(cloud):
    return Clock(cloud.store)


@pytest.fixture
def loop(cloud, started):
    def start(arn, parameters):
        started.append(parameters)
        return f"{arn}/execution/0123456789ab"

    return event_loop(cloud.machine, start)


@pytest.fixture
def scheduler(cloud):
    return cloud.client("scheduler")


def create(scheduler, expression, name="weekly", **more):
    given = {"Target": TARGET, "FlexibleTimeWindow": OFF, **more}
    return scheduler.create_schedule(Name=name, ScheduleExpression=expression, **given)


def move(clock, loop, **by):
    clock.advance(timedelta(**by))
    loop.look()


def at(moment):
    return f"at({moment.isoformat(timespec='seconds')[:19]})"


def test_a_schedule_starts_its_pipeline_when_it_is_due_and_not_before(scheduler, clock, loop, started):
    target = {
        **TARGET,
        "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Epochs", "Value": "$.detail.x"}]},
    }
    create(scheduler, at(clock.now() + timedelta(hours=2)), Target=target)
    move(clock, loop, hours=1)
    assert started == []
    move(clock, loop, hours=2)
    # A schedule has no event: what looks like a path is a value.
    assert started == [{"Epochs": "$.detail.x"}]
    move(clock, loop, days=400)
    assert len(started) == 1


def test_a_rate_begins_at_once_and_goes_on(scheduler, clock, loop, started):
    create(scheduler, "rate(2 hours)")
    loop.look()
    assert len(started) == 1
    for expected in (1, 2, 2, 3):
        move(clock, loop, hours=1)
        assert len(started) == expected


def test_cron_goes_by_its_time_zone(scheduler, clock, loop, started):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    # Tokyo is nine hours ahead the whole year: 12:30 in UTC is 21:30 there.
    create(scheduler, "cron(30 21 * * ? *)", ScheduleExpressionTimezone="Asia/Tokyo")
    clock.advance(tomorrow - clock.now())
    loop.look()
    started.clear()
    move(clock, loop, minutes=29)
    assert started == []
    move(clock, loop, minutes=2)
    assert len(started) == 1


def test_of_several_that_were_leapt_over_the_last_one_counts(scheduler, clock, loop, started):
    create(scheduler, "rate(1 hour)", StartDate=clock.now() + timedelta(minutes=30))
    move(clock, loop, days=3, hours=12)
    assert len(started) == 1
    move(clock, loop, minutes=60)
    assert len(started) == 2


def test_what_was_missed_while_no_server_ran_is_made_up_for_within_a_day_only(
    cloud, scheduler, loop, started, caplog
):
    now = datetime.now(UTC)
    for name, ago in (("night", timedelta(hours=9)), ("holidays", timedelta(days=9))):
        create(scheduler, at(now - ago), name=name)
        checked = (now - timedelta(days=20)).isoformat()
        cloud.store.change(
            "schedule", name, lambda record, checked=checked: {**record, "CheckedUntil": checked}
        )
    loop.look()
    assert len(started) == 1
    assert "schedule/default/holidays: missed at" in caplog.text
    loop.look()
    assert len(started) == 1


def test_a_targets_retry_policy_says_how_late_is_too_late(cloud, scheduler, loop, started):
    now = datetime.now(UTC)
    create(
        scheduler,
        at(now - timedelta(hours=9)),
        Target={**TARGET, "RetryPolicy": {"MaximumEventAgeInSeconds": 600}},
    )
    checked = (now - timedelta(days=1)).isoformat()
    cloud.store.change("schedule", "weekly", lambda record: {**record, "CheckedUntil": checked})
    loop.look()
    assert started == []


def test_after_a_rehearsal_the_real_time_counts_again(scheduler, clock, loop, started):
    create(scheduler, "rate(1 hour)", StartDate=clock.now() + timedelta(minutes=30))
    move(clock, loop, hours=2)
    assert len(started) == 1
    clock.reset()
    loop.look()
    assert len(started) == 1
    move(clock, loop, minutes=31)
    assert len(started) == 2


def test_start_and_end_limit_a_schedule(scheduler, clock, loop, started):
    now = clock.now()
    create(
        scheduler,
        "rate(1 hour)",
        StartDate=now + timedelta(hours=5),
        EndDate=now + timedelta(hours=7, minutes=30),
    )
    for hour in range(1, 12):
        move(clock, loop, hours=1)
        assert len(started) == max(0, min(hour - 4, 3)), f"after {hour} hours"


def test_a_completed_schedule_is_deleted_where_it_says_so(scheduler, clock, loop, started):
    now = clock.now()
    create(scheduler, at(now + timedelta(hours=1)), name="once", ActionAfterCompletion="DELETE")
    create(scheduler, at(now + timedelta(hours=1)), name="kept")
    create(
        scheduler,
        "rate(1 hour)",
        name="ending",
        StartDate=now + timedelta(minutes=30),
        EndDate=now + timedelta(hours=2),
        ActionAfterCompletion="DELETE",
    )
    move(clock, loop, minutes=50)
    assert [entry["Name"] for entry in scheduler.list_schedules()["Schedules"]] == ["ending", "kept", "once"]
    move(clock, loop, minutes=75)
    assert [entry["Name"] for entry in scheduler.list_schedules()["Schedules"]] == ["kept"]
    assert len(started) == 4


def test_a_switched_off_schedule_starts_nothing(scheduler, clock, loop, started):
    create(scheduler, "rate(1 hour)", State="DISABLED")
    move(clock, loop, hours=5)
    assert started == []
    update = {"Target": TARGET, "FlexibleTimeWindow": OFF, "StartDate": clock.now() + timedelta(hours=1)}
    scheduler.update_schedule(Name="weekly", ScheduleExpression="rate(1 hour)", **update)
    loop.look()
    assert started == []
    move(clock, loop, hours=2)
    assert len(started) == 1


def test_rules_have_schedules_too(cloud, clock, loop, started):
    events = cloud.client("events")
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    parameters = {
        "PipelineParameterList": [
            {"Name": "Time", "Value": "$.time"},
            {"Name": "By", "Value": "$.resources[0]"},
        ]
    }
    target = {"Id": "1", "Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters}
    events.put_targets(Rule="hourly", Targets=[target])
    loop.look()
    assert started == []  # a rule begins a period later
    due = clock.now() + timedelta(hours=1)
    move(clock, loop, minutes=61)
    ((given),) = started
    assert given["By"] == "arn:aws:events:eu-west-1:123456789012:rule/hourly"
    assert abs(datetime.fromisoformat(given["Time"]) - due) < timedelta(seconds=10)
    events.disable_rule(Name="hourly")
    move(clock, loop, hours=5)
    events.enable_rule(Name="hourly")
    loop.look()
    assert len(started) == 1


def test_functions_get_the_context_of_a_schedule(scheduler, clock, loop, caplog):
    caplog.set_level(logging.WARNING)
    text = '{"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>"}'
    called = []
    object.__setattr__(loop._delivery, "call_function", lambda arn, event: called.append((arn, event)))
    function = "arn:aws:lambda:eu-west-1:123456789012:function:notify"
    create(scheduler, "at(2199-01-01T00:00:00)", name="never", Target={"Arn": function, "RoleArn": ROLE})
    create(scheduler, "rate(1 day)", Target={"Arn": function, "RoleArn": ROLE, "Input": text})
    create(scheduler, "rate(1 day)", name="bare", Target={"Arn": function, "RoleArn": ROLE})
    loop.look()
    assert [arn for arn, _ in called] == [function, function]
    assert called[0][1]["by"] == "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/weekly"
    assert abs(datetime.fromisoformat(called[0][1]["at"]) - clock.now()) < timedelta(seconds=10)
    assert (called[1][1]["source"], called[1][1]["detail-type"]) == ("aws.scheduler", "Scheduled Event")


def test_what_is_created_is_described(scheduler):
    start = datetime(2030, 1, 1, tzinfo=UTC)
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    made = create(
        scheduler, "cron(0 8 ? * MON *)", StartDate=start, FlexibleTimeWindow=window, Description="d"
    )
    assert made["ScheduleArn"] == "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/weekly"
    found = scheduler.get_schedule(Name="weekly")
    assert found["ScheduleExpression"] == "cron(0 8 ? * MON *)"
    assert found["StartDate"] == start
    assert found["FlexibleTimeWindow"] == window
    assert (found["State"], found["GroupName"], found["ScheduleExpressionTimezone"]) == (
        "ENABLED",
        "default",
        "UTC",
    )
    assert found["ActionAfterCompletion"] == "NONE"
    assert found["Target"]["Arn"] == PIPELINE
    assert "CheckedUntil" not in found
    scheduler.delete_schedule(Name="weekly")
    with pytest.raises(
        scheduler.exceptions.ResourceNotFoundException, match="Schedule weekly does not exist"
    ):
        scheduler.get_schedule(Name="weekly")


def test_an_update_replaces_everything_but_the_date_of_creation(scheduler):
    create(scheduler, "rate(1 day)", Description="old", State="DISABLED")
    before = scheduler.get_schedule(Name="weekly")
    scheduler.update_schedule(
        Name="weekly", ScheduleExpression="rate(2 days)", Target=TARGET, FlexibleTimeWindow=OFF
    )
    after = scheduler.get_schedule(Name="weekly")
    assert (after["ScheduleExpression"], after["State"]) == ("rate(2 days)", "ENABLED")
    assert "Description" not in after
    assert after["CreationDate"] == before["CreationDate"]
    assert after["LastModificationDate"] >= before["LastModificationDate"]


def test_schedules_are_listed_in_pages_and_filtered(scheduler):
    for name in ("c", "a", "ab"):
        create(scheduler, "rate(1 day)", name=name, State="DISABLED" if name == "c" else "ENABLED")
    pages = scheduler.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 2})
    assert [[entry["Name"] for entry in page["Schedules"]] for page in pages] == [["a", "ab"], ["c"]]
    assert [entry["Name"] for entry in scheduler.list_schedules(NamePrefix="ab")["Schedules"]] == ["ab"]
    assert [entry["Name"] for entry in scheduler.list_schedules(State="DISABLED")["Schedules"]] == ["c"]
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.list_schedules(GroupName="mine")


def test_the_same_request_again_is_answered_and_another_one_is_a_conflict(scheduler):
    token = "a" * 32
    first = create(scheduler, "rate(1 day)", ClientToken=token)
    assert create(scheduler, "rate(1 day)", ClientToken=token)["ScheduleArn"] == first["ScheduleArn"]
    with pytest.raises(scheduler.exceptions.ConflictException, match="Schedule weekly already exists"):
        create(scheduler, "rate(1 day)", ClientToken="b" * 32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"expression": "cron(0 8 * * * *)"}, "must be ?", id="cron"),
        pytest.param({"expression": "daily"}, "Invalid Schedule Expression", id="expression"),
        pytest.param({"expression": "rate(1 day)", "ScheduleExpressionTimezone": "Mars"}, "Mars", id="zone"),
        pytest.param(
            {"expression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "Maximum", id="window"
        ),
        pytest.param(
            {"expression": "rate(1 day)", "Target": {"Arn": "x", "RoleArn": ROLE}}, "format", id="arn"
        ),
        pytest.param(
            {
                "expression": "rate(1 day)",
                "StartDate": datetime(2030, 1, 2, tzinfo=UTC),
                "EndDate": datetime(2030, 1, 1, tzinfo=UTC),
            },
            "before the EndDate",
            id="dates",
        ),
        pytest.param({"expression": "rate(1 day)", "name": "a b"}, "regular expression", id="name"),
    ],
)
def test_wrong_schedules_are_refused(cloud, given, message):
    scheduler = cloud.client("scheduler", parameter_validation=False)
    if "ScheduleExpressionTimezone" in given:
        given = {**given, "expression": "cron(0 8 * * ? *)"}
    with pytest.raises(ClientError, match=message.replace("?", r"\?")) as caught:
        create(scheduler, **given)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_groups_of_ones_own_are_not_here(scheduler):
    assert [group["Name"] for group in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default"]
    assert scheduler.get_schedule_group(Name="default")["State"] == "ACTIVE"
    with pytest.raises(ClientError, match="not available on this machine"):
        scheduler.create_schedule_group(Name="mine")
    with pytest.raises(
        scheduler.exceptions.ResourceNotFoundException, match="Schedule group mine does not exist"
    ):
        create(scheduler, "rate(1 day)", GroupName="mine")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/schedules/x", "{", 400, id="no-json"),
        pytest.param("POST", "/schedules/x", "[]", 400, id="no-object"),
        pytest.param("POST", "/schedules/x", "{}", 400, id="nothing"),
        pytest.param("PATCH", "/schedules/x", "{}", 404, id="method"),
        pytest.param("PUT", "/schedules", "{}", 404, id="no-name"),
        pytest.param("GET", "/schedules?MaxResults=many", "", 400, id="no-number"),
        pytest.param("GET", "/schedules?NextToken=!", "", 400, id="token"),
        pytest.param("GET", "/schedules/%2e%2e%2fx", "", 400, id="path"),
    ],
)
def test_broken_requests_are_answered_as_such(cloud, method, path, body, status):
    scope = "AWS4-HMAC-SHA256 Credential=none/20260101/eu-west-1/scheduler/aws4_request, Signature=0"
    answer = httpx.request(method, f"{cloud.url}{path}", content=body, headers={"authorization": scope})
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_the_clock_is_moved_on_and_set_back(tmp_path):
    clock = Clock(Store(tmp_path))
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.advance(timedelta(days=3))
    clock.advance(timedelta(hours=12))
    assert clock.offset == timedelta(days=3, hours=12)
    assert abs(Clock(Store(tmp_path)).now() - datetime.now(UTC) - timedelta(days=3.5)) < timedelta(seconds=5)
    clock.reset()
    assert clock.offset == timedelta()
    for wrong in (timedelta(), timedelta(seconds=-1), timedelta(days=5000)):
        with pytest.raises(ClockError):
            clock.advance(wrong)


def test_what_was_leapt_over_passed_when_the_clock_leapt(tmp_path):
    clock = Clock(Store(tmp_path))
    before, now = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)
    clock.advance(timedelta(days=10))
    close = timedelta(seconds=5)
    assert abs(clock.passed_at(before) - before) < close
    assert abs(clock.passed_at(now + timedelta(days=4)) - now) < close
    assert abs(clock.passed_at(now + timedelta(days=10, hours=2)) - (now + timedelta(hours=2))) < close


def command(home, *arguments):
    return CliRunner().invoke(clock_command, arguments, obj={"home": str(home)})


def test_the_command_shows_moves_and_resets_the_clock(tmp_path):
    assert "(the real time)" in command(tmp_path).output
    assert "3 days, 12:00:00 ahead of the real time" in command(tmp_path, "advance", "3d12h").output
    shown = json.loads(command(tmp_path, "--json").output)
    assert shown["AheadInSeconds"] == 84 * 3600
    assert abs(datetime.fromisoformat(shown["Now"]) - datetime.now(UTC) - timedelta(hours=84)) < timedelta(
        seconds=5
    )
    assert "(the real time)" in command(tmp_path, "reset").output


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("3d12h", 302_400), ("2w", 1_209_600), ("1d1d", 172_800)],
)
def test_durations_are_read(text, seconds):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "3", "d", "3 d", "-1d", "1y", "999999999w", "٣d", "1.5h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ClockError):
        read_duration(text)


@given(
    weeks=st.integers(0, 9), days=st.integers(0, 99), hours=st.integers(0, 99), seconds=st.integers(0, 10**6)
)
def test_durations_add_up(weeks, days, hours, seconds):
    expected = timedelta(weeks=weeks, days=days, hours=hours, seconds=seconds)
    assert read_duration(f"{weeks}w{days}d{hours}h{seconds}s") == expected
