"""Bodies and targets of the JSON protocols that no client sends."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.server.fuzz.asking import check_json, check_shape, check_xml, fuzzed

PREFIXES = ("SageMaker", "Logs_20140328", "AWSEvents")
OPERATIONS = (
    "SageMaker.ListPipelines",
    "SageMaker.CreatePipeline",
    "SageMaker.Search",
    "Logs_20140328.FilterLogEvents",
    "AWSEvents.PutRule",
    "AWSEvents.TestEventPattern",
)
BODIES = {
    "empty": b"",
    "blanks": b" \r\n",
    "half": b'{"PipelineName": "a',
    "two documents": b"{}{}",
    "a list": b"[]",
    "a text": b'"a"',
    "null": b"null",
    "true": b"true",
    "not a number": b'{"MaxResults": NaN}',
    "infinity": b'{"CreatedAfter": -Infinity}',
    "infinite after all": b'{"CreatedAfter": 1e999}',
    "minus infinity after all": b'{"CreatedAfter": -1e999}',
    "a time beyond all calendars": b'{"CreatedAfter": 1e300}',
    "a time before all calendars": b'{"CreatedAfter": -99999999999999}',
    "a time that the C library cannot have": b'{"CreatedAfter": -9223372036854775808}',
    "no time": b'{"CreatedAfter": "never"}',
    "a number of 5000 digits": b'{"MaxResults": ' + b"9" * 5000 + b"}",
    "a number of 1000 digits": b'{"MaxResults": ' + b"9" * 1000 + b"}",
    "a name twice": b'{"MaxResults": 1, "MaxResults": 2}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"SearchExpression": ' + b'{"SubExpressions": [' * 400 + b"{}" + b"]}" * 400 + b"}",
    "deeper objects": b'{"SearchExpression": ' + b'{"SubExpressions": [' * 40_000,
    "half a pair": b'{"NamePrefix": "\\ud800", "Name": "\\udfff", "PipelineName": "\\ud800"}',
    "a NUL": b'{"NamePrefix": "\\u0000", "Name": "\\u0000", "logGroupName": "\\u0000"}',
    "latin-1": '{"NamePrefix": "é"}'.encode("latin-1"),
    "UTF-16": '{"NamePrefix": "é"}'.encode("utf-16"),
    "UTF-32 without mark": '{"NamePrefix": "é"}'.encode("utf-32-be"),
    "a byte order mark": '\ufeff{"MaxResults": 1}'.encode(),
    "a form": b"Action=ListPipelines",
    "XML": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "zeros": b"\0" * 1000,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_strange_body_gets_an_answer_in_the_protocol(target, operation, body):
    check_json(target.call(operation, body))


@pytest.mark.parametrize(
    "name", ["half a pair", "not a number", "deep lists", "deep objects", "UTF-32 without mark", "a list"]
)
def test_what_is_no_document_is_said_to_be_none(target, name):
    for operation in OPERATIONS:
        assert target.call(operation, BODIES[name]).code == "SerializationException"


@given(operation=st.sampled_from(OPERATIONS), body=st.binary(max_size=200))
@fuzzed(60)
def test_random_bytes_are_no_document(target, operation, body):
    answer = target.call(operation, b"\xff" + body)
    check_json(answer)
    assert answer.code == "SerializationException"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(operation=st.sampled_from(OPERATIONS), value=values)
@fuzzed(80)
def test_any_document_gets_an_answer_in_the_protocol(target, operation, value):
    check_json(target.call(operation, json.dumps(value).encode()))


# What the standard allows in a header's value; curl and browsers send no other.
header_values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"))


@given(prefix=st.sampled_from(PREFIXES), name=header_values)
@example(prefix="SageMaker", name="")
@example(prefix="SageMaker", name="__init__")
@example(prefix="SageMaker", name="ListPipelines.ListPipelines")
@example(prefix="SageMaker", name="listpipelines")
@example(prefix="SageMaker", name="CreateCluster")
@fuzzed(60)
def test_an_operation_that_is_none_is_refused(target, prefix, name):
    answer = target.call(f"{prefix}.{name}".encode("latin-1"), {})
    check_json(answer)
    assert answer.status in (400, 403, 404, 501)


@pytest.mark.parametrize(
    "name",
    ["", ".", "SageMaker", "Nothing.At", "S3.ListBuckets", "../SageMaker.ListPipelines"],
)
def test_a_target_of_no_service_is_refused(target, name):
    answer = target.call(name, {})
    check_shape(answer)  # what bears no sign is for S3
    assert answer.status in (400, 403, 404, 405), answer


@given(content_type=header_values, operation=st.sampled_from(OPERATIONS))
@fuzzed(20)
def test_the_content_type_does_not_matter(target, content_type, operation):
    check_json(
        target.ask(
            "POST", "/", b"{}", {"x-amz-target": operation, "content-type": content_type.encode("latin-1")}
        )
    )


@given(form=st.binary(max_size=100), version=st.sampled_from([b"", b"2011-06-15", b"%ff"]))
@example(form=b"Action=AssumeRole&RoleArn=%00&RoleSessionName=%ed%a0%80", version=b"")
@example(form=b"Action=AssumeRole&DurationSeconds=" + b"9" * 5000, version=b"")
@example(form=b"&" * 100_000, version=b"")
@fuzzed(60)
def test_any_form_gets_an_answer_of_sts(target, form, version):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    check_xml(target.ask("POST", "/", b"Version=" + version + b"&" + form, headers))
