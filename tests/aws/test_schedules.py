"""Schedules over HTTP, against the served machine."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.toys import definition, processing
from workflows.aws import pipelines, schedules
from workflows.aws.errors import NotFound
from workflows.aws.pipelines import Wanted
from workflows.aws.schedules import Schedule
from workflows.cli.schedules import upcoming
from workflows.definition.errors import WorkflowError

ROLE = "arn:aws:iam::123456789012:role/scheduler"
NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)  # a Wednesday
PARAMETERS = [{"Name": "Epochs", "Type": "Integer", "DefaultValue": 1}]


@pytest.fixture
def pipeline(here):
    text = definition(processing("Prepare", "true"), parameters=PARAMETERS)
    wanted = Wanted(name="toys", definition=text, role="arn:aws:iam::123456789012:role/toys")
    return pipelines.upsert(here, wanted).arn


def weekly(pipeline, **more):
    return Schedule(
        **{
            "name": "weekly",
            "pipeline_arn": pipeline,
            "expression": "cron(0 3 ? * SUN *)",
            "zone": "Europe/Berlin",
            "role": ROLE,
            "parameters": {},
            **more,
        }
    )


def test_a_schedule_is_created_replaced_listed_and_deleted(here, pipeline):
    arn = schedules.put(here, weekly(pipeline, parameters={"Epochs": "3"}))
    assert schedules.put(here, weekly(pipeline, expression="cron(0 4 ? * SUN *)")) == arn
    (found,) = schedules.listed(here)
    assert (found["ScheduleExpression"], found["ScheduleExpressionTimezone"]) == (
        "cron(0 4 ? * SUN *)",
        "Europe/Berlin",
    )
    assert (schedules.pipeline_of(found), schedules.parameters_of(found)) == ("toys", {})
    schedules.delete(here, "weekly")
    assert schedules.listed(here) == []


def test_parameters_are_static(here, pipeline):
    schedules.put(here, weekly(pipeline, parameters={"Epochs": "3"}))
    assert schedules.parameters_of(schedules.find(here, "weekly")) == {"Epochs": "3"}


def test_schedules_of_something_else_are_not_ours(here, pipeline):
    schedules.put(here, weekly("arn:aws:lambda:eu-west-1:123456789012:function:notify"))
    assert schedules.listed(here) == []


def test_an_unknown_schedule_is_told_with_the_nearest(here, pipeline):
    schedules.put(here, weekly(pipeline))
    with pytest.raises(NotFound, match="no schedule is named 'wekly'; did you mean 'weekly'"):
        schedules.delete(here, "wekly")


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        pytest.param("rate(7 days)", "UTC", ["2026-12-02T12:30", "2026-12-09T12:30"], id="rate"),
        pytest.param("cron(0 3 ? * SUN *)", "UTC", ["2026-11-29T03:00", "2026-12-06T03:00"], id="cron"),
        pytest.param(
            "cron(0 3 ? * SUN *)", "Asia/Tokyo", ["2026-11-28T18:00", "2026-12-05T18:00"], id="zone"
        ),
        pytest.param("cron(0 0 29 2 ? *)", "UTC", ["2028-02-29T00:00"], id="leap-day"),
        pytest.param("cron(0 * * * ? *)", "UTC", ["2026-11-25T13:00", "2026-11-25T14:00"], id="hourly"),
    ],
)
def test_the_next_starts_are_foretold(expression, zone, expected):
    found = upcoming(expression, zone=zone, now=NOW)
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in found][: len(expected)] == expected


def test_a_rate_that_has_begun_goes_on_from_there():
    found = upcoming("rate(7 days)", zone="UTC", now=NOW, begun=NOW - timedelta(days=10))
    assert found[0] == NOW + timedelta(days=4)


@pytest.mark.parametrize(
    ("expression", "fragment"),
    [
        pytest.param("cron(0 3 31 2 ? *)", "is not due within 5 years: nothing would start", id="never"),
        pytest.param("cron(0 3 1 1 ? 2020)", "nothing would start", id="past"),
        pytest.param("cron(* * * * ? *)", "Less than an hour apart is refused", id="every-minute"),
        pytest.param("cron(0,30 3 ? * SUN *)", "due at 03:00 and again at 03:30", id="twice"),
        pytest.param("rate(5 minutes)", "Less than an hour apart", id="rate"),
        pytest.param("rate(1 days)", "write rate\\(1 hour\\)", id="plural"),
        pytest.param("cron(0 3 * * * *)", "\\?", id="no-question-mark"),
        pytest.param("cron(61 3 ? * SUN *)", "61", id="minute"),
    ],
)
def test_schedules_that_must_be_mistakes_are_refused(expression, fragment):
    with pytest.raises(WorkflowError, match=fragment):
        upcoming(expression, zone="UTC", now=NOW)


def test_an_unknown_zone_is_refused():
    with pytest.raises(WorkflowError, match="there is no time zone 'Mars'"):
        upcoming("cron(0 3 ? * SUN *)", zone="Mars", now=NOW)


def test_the_command_postpones_nothing_when_it_is_repeated(here, pipeline, workflows):
    first = workflows.json("schedule", "toys", "--rate", "7 days", "--set", "Epochs=2")
    assert datetime.fromisoformat(first["NextStarts"][0]) > datetime.now(UTC) + timedelta(days=6)
    begun = schedules.find(here, "toys")["StartDate"]
    assert workflows.json("schedule", "toys", "--rate", "7 days")["NextStarts"] == first["NextStarts"]
    assert schedules.find(here, "toys")["StartDate"] == begun
    assert workflows("unschedule", "toys").stdout == "deleted schedule toys\n"


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(["toys"], "give either --cron or --rate", id="neither"),
        pytest.param(["toys", "--rate", "1 day", "--cron", "0 3 * * ? *"], "give either", id="both"),
        pytest.param(["tois", "--rate", "1 day"], "no pipeline 'tois' is here; did you mean", id="pipeline"),
        pytest.param(
            ["toys", "--rate", "1 day", "--set", "Epoch=1"], "did you mean 'Epochs'", id="parameter"
        ),
        pytest.param(
            ["toys", "--rate", "1 day", "--set", "Epochs=x"], "takes a Integer|an Integer", id="type"
        ),
    ],
)
def test_wrong_use_creates_nothing_and_exits_with_2(here, pipeline, workflows, arguments, fragment):
    done = workflows("schedule", *arguments)
    assert done.returncode == 2
    assert any(part in done.stderr for part in fragment.split("|")), done.stderr
    assert schedules.listed(here) == []


def test_a_dry_run_creates_nothing(here, pipeline, workflows):
    done = workflows("schedule", "toys", "--cron", "0 3 ? * SUN *", "--dry-run")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "toys: cron(0 3 ? * SUN *) UTC starts toys")
    assert schedules.listed(here) == []
