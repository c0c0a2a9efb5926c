"""Patterns, expressions and paths that could cost more than they are worth."""

import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.server.fuzz.asking import check_json, fuzzed
from tests.server.fuzz.conftest import ROLE
from tests.server.fuzz.shaped import HOSTILE, broken
from tests.server.fuzz.test_operations import EVENT

SCHEDULER_SIGNED = "AWS4-HMAC-SHA256 Credential=none/20260101/eu-west-1/scheduler/aws4_request, Signature=0"
SCHEDULE = {
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "DISABLED",
    "Target": {"Arn": "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/fuzz", "RoleArn": ROLE},
}


def matches(target, pattern, event):
    """What TestEventPattern says; or the code of its error."""
    given = {"EventPattern": json.dumps(pattern), "Event": json.dumps({**EVENT, **event})}
    answer = target.call("AWSEvents.TestEventPattern", given)
    check_json(answer)
    return answer.document["Result"] if answer.status == 200 else answer.code


def schedule(target, method, name, body=b"", query=""):
    headers = {"authorization": SCHEDULER_SIGNED, "content-type": "application/json"}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return target.ask(method, f"/schedules/{name}{query}", sent, headers)


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        pytest.param("*a" * 30 + "b", "a" * 4000, False, id="none"),
        pytest.param("*a" * 30 + "*b", "a" * 4000 + "b", True, id="all"),
        pytest.param("a*" * 1000, "a" * 3999, True, id="many stars"),
        pytest.param("a*" * 1000, "a" * 999, False, id="a character too few"),
        pytest.param("*" + "ab*" * 30, "ba" * 2000, True, id="in between"),
    ],
)
def test_a_wildcard_takes_no_longer_for_its_stars(target, text, value, result):
    assert matches(target, {"source": [{"wildcard": text}]}, {"source": value}) is result


@pytest.mark.parametrize("levels", [50, 400, 900, 20_000])
def test_a_deep_pattern_or_event_gets_an_answer(target, levels):
    pattern = '{"detail":' * levels + '{"a":["b"]}' + "}" * levels
    event = json.dumps(EVENT)[:-1] + ',"detail":' + '{"detail":' * levels + "1" + "}" * levels + "}"
    lists = json.dumps(EVENT)[:-1] + ',"source":' + "[" * levels + "1" + "]" * levels + "}"
    simple = '{"source":["a"]}'
    deep_or = '{"$or":[{"source":["a"]},' * levels + '{"source":["a"]}' + "]}" * levels
    for one, other in ((pattern, event), (pattern, json.dumps(EVENT)), (simple, lists), (deep_or, lists)):
        check_json(target.call("AWSEvents.TestEventPattern", {"EventPattern": one, "Event": other}))
    check_json(target.call("AWSEvents.PutRule", {"Name": "deep", "EventPattern": pattern}))
    check_json(target.call("AWSEvents.DeleteRule", {"Name": "deep"}))
    entry = {"Source": "a", "DetailType": "b", "Detail": '{"a":' * levels + "1" + "}" * levels}
    check_json(target.call("AWSEvents.PutEvents", {"Entries": [entry]}))


OPERATORS = (
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
    "regex",
    "",
)
OPERANDS = (
    *(value for value in HOSTILE if not isinstance(value, str)),
    *("", "*", "**", "\\", "\\*", "10.0.0.0/99", "::/0", "a*b\\"),
    *([], ["a", None], ["=", 1], ["<", "a"], [">", 0, "<"], ["=", 1e10], [">", 0, "<", 5], ["=", True]),
    *({"prefix": "a"}, {"prefix": 1}, {"wildcard": ["a*"]}, {"equals-ignore-case": "A"}, {"exists": True}),
)


@given(
    operator=st.sampled_from(OPERATORS), operand=st.sampled_from(OPERANDS), value=st.sampled_from(OPERANDS)
)
@fuzzed(250)
def test_any_operator_gets_an_answer(target, operator, operand, value):
    result = matches(target, {"detail": {"a": [{operator: operand}]}}, {"detail": {"a": value}})
    assert result in (
        True,
        False,
        "InvalidEventPatternException",
        "ValidationException",
        "SerializationException",
    )


EXPRESSIONS = (
    "",
    "rate()",
    "rate(0 minutes)",
    "rate(-1 minutes)",
    "rate(1 minutes)",
    "rate(1.5 hours)",
    "rate(² days)",
    "rate(999999999 days)",
    "rate(99999999999999999999 days)",
    "rate(" + "9" * 250 + " days)",
    "rate(1 century)",
    "at()",
    "at(2026-01-01T00:00:00Z)",
    "at(2026-02-30T00:00:00)",
    "at(0001-01-01T00:00:00)",
    "at(9999-12-31T23:59:59)",
    "at(10000-01-01T00:00:00)",
    "cron()",
    "cron(* * * * ? *)",
    "cron(* * ? * ? *)",
    "cron(0 0 31 2 ? *)",
    "cron(0 0 29 2 ? 2100)",
    "cron(*/0 * * * ? *)",
    "cron(*/99999999999 * * * ? *)",
    "cron(59-0 * * * ? *)",
    "cron(0-99999999999 * * * ? *)",
    "cron(0 0 L-99 * ? *)",
    "cron(0 0 0W * ? *)",
    "cron(0 0 99W * ? *)",
    "cron(0 0 ? * 8#6 *)",
    "cron(0 0 ? * MON#0 *)",
    "cron(0 0 ? * 9L *)",
    "cron(0 0 1 JAN-DEC/0 ? *)",
    "cron(0 0 1 ٣ ? *)",
    "cron(² 0 1 1 ? *)",
    "cron(0 0 1 1 ? 1970)",
    "cron(0 0 1 1 ? 2199-1970)",
    "cron(" + ",".join(["*"] * 50) + " * * * ? *)",
    "cron(\0 * * * ? *)",
    "CRON(0 0 1 1 ? *)",
    "rate(1 day) cron(0 0 1 1 ? *)",
    "(" * 200,
)
ZONES = (
    "UTC",
    "",
    "Europe/Berlin",
    "Pacific/Apia",
    "../../etc/passwd",
    "/etc/passwd",
    "A" * 50,
    "\0",
    "Etc",
    "UTC\n",
)


@given(expression=st.sampled_from(EXPRESSIONS), zone=st.sampled_from(ZONES))
@fuzzed(250)
def test_any_expression_gets_an_answer_of_the_scheduler(target, expression, zone):
    body = {**SCHEDULE, "ScheduleExpression": expression, "ScheduleExpressionTimezone": zone}
    check_json(schedule(target, "POST", "fuzz", body))
    check_json(schedule(target, "GET", "fuzz"))
    check_json(schedule(target, "DELETE", "fuzz"))


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=[repr(text)[:40] for text in EXPRESSIONS])
def test_any_expression_gets_an_answer_of_the_rules(target, expression):
    given = {"Name": "timed", "ScheduleExpression": expression, "State": "DISABLED"}
    check_json(target.call("AWSEvents.PutRule", given))
    check_json(target.call("AWSEvents.DeleteRule", {"Name": "timed"}))


@given(st.data())
@fuzzed(120)
def test_one_wrong_value_gets_an_answer_of_the_scheduler(target, data):
    document = data.draw(broken({**SCHEDULE, "StartDate": 0, "EndDate": 2**31, "ClientToken": "a"}))
    method = data.draw(st.sampled_from(["POST", "PUT"]))
    check_json(schedule(target, method, "fuzz", document))


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    name=st.sampled_from(["", ".", "..", "%2e%2e", "%00", "%ff", "a" * 65, "a%2fb", "ä", "{Name}", "a?b=c"]),
    query=st.sampled_from(["", "?groupName=%00", "?ScheduleGroup=%ff", "?NextToken=LTU=", "?MaxResults=-1"])
    | st.sampled_from(
        ["?MaxResults=99999999999999999999", "?MaxResults=%D9%A1", "?" + "a&" * 9999, "?NextToken=%"]
    ),
)
@fuzzed(60)
def test_any_address_gets_an_answer_of_the_scheduler(target, method, name, query):
    check_json(schedule(target, method, quote(name, safe="%?={}"), SCHEDULE, query))


PATHS = (
    "$",
    "$.",
    "$..a",
    "$.detail",
    "$.detail.a[0]",
    "$.detail[*]",
    "$['a']",
    "$.a" * 500,
    "a",
    "",
    "$.\0",
    "$.\ud800",
)
TEMPLATES = (
    "<a>",
    '{"a": <a>}',
    '"<a',
    "<aws.events.event>",
    "<" * 500,
    '"<a>" <b>',
    "{",
    "\0",
    "<a.b>",
    '{"PipelineParameterList": <a>}',
)


@given(
    path=st.sampled_from(PATHS),
    template=st.sampled_from(TEMPLATES),
    name=st.sampled_from(["a", "", "b c", "aws.x"]),
)
@example(path="$.detail", template="<a>", name="a")
@fuzzed(30)
def test_any_path_and_template_gets_an_answer(target, path, template, name):
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/nowhere"
    transformer = {"InputPathsMap": {name: path}, "InputTemplate": template}
    given = {"Id": "one", "Arn": arn, "RoleArn": ROLE, "InputTransformer": transformer}
    check_json(target.call("AWSEvents.PutRule", {"Name": "sent", "EventPattern": '{"source":["fuzz"]}'}))
    check_json(target.call("AWSEvents.PutTargets", {"Rule": "sent", "Targets": [given]}))
    listed = target.call("AWSEvents.ListTargetsByRule", {"Rule": "sent"})
    check_json(listed)
    check_json(target.call("AWSEvents.RemoveTargets", {"Rule": "sent", "Ids": ["one"]}))
    check_json(target.call("AWSEvents.DeleteRule", {"Name": "sent"}))


def test_a_value_that_a_pattern_could_be_tried_on_for_ever_is_refused(target):
    given = {"Id": "one", "Arn": "arn:aws:events:eu-west-1:123456789012:api-destination/a"}
    given["HttpParameters"] = {"HeaderParameters": {"a": "a " * 250 + "\x01"}}
    answer = target.call("AWSEvents.PutTargets", {"Rule": "none", "Targets": [given]})
    check_json(answer)
    assert answer.code == "ValidationException"
    assert "regular expression pattern" in answer.document["message"]


FILTERS = (
    '"',
    '""',
    "\\",
    '"\\',
    '"' + "\\" * 1023,
    "?" * 1000,
    "-" * 1000,
    "a" * 1024,
    "a " * 512,
    '"a" ' * 250,
    '"a"b',
    "{ $.a = 1 }",
    "[a, b]",
    "%(a+)+$%",
    "\0",
)


@pytest.mark.parametrize("pattern", FILTERS, ids=[repr(text)[:20] for text in FILTERS])
def test_any_filter_gets_an_answer_of_the_logs(target, pattern):
    given = {"logGroupName": "/aws/sagemaker/TrainingJobs", "filterPattern": pattern}
    check_json(target.call("Logs_20140328.FilterLogEvents", given))
