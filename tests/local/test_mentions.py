import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workflows.local.mentions import Mentions, prefixes, written

OBJECT = "s3://b/run1/Prepare/out/data.txt"
DESTINATION = "s3://b/run1/Prepare/out"


def mentions(*bodies):
    found = Mentions()
    found.add(*bodies)
    return found


@pytest.mark.parametrize(
    ("uri", "covers"),
    [
        pytest.param(OBJECT, True, id="the-object"),
        pytest.param("s3://b/run1/Prepare/out", True, id="its-folder"),
        pytest.param("s3://b/run1/", True, id="a-folder-above"),
        pytest.param("s3://b", True, id="the-bucket"),
        pytest.param("s3://b/run1/Prep", False, id="ends-inside-a-name"),
        pytest.param("s3://b/run1/Prepare/out/data.tx", False, id="ends-inside-the-objects-name"),
        pytest.param("s3://b/run1/Prepare/out/data.txt/more", False, id="below-the-object"),
        pytest.param("s3://other/run1/Prepare/out", False, id="another-bucket"),
    ],
)
def test_what_is_read_covers_all_below_it(uri, covers):
    assert mentions({"S3Input": {"S3Uri": uri}}).cover(OBJECT, DESTINATION) is covers


@pytest.mark.parametrize(
    ("uri", "covers"),
    [
        pytest.param("s3://b", False, id="the-bucket"),
        pytest.param("s3://b/run1/Prepare", False, id="above-the-destination"),
        pytest.param("s3://b/run1/Prepare/out/", True, id="the-same-destination"),
        pytest.param("s3://b/run1/Prepare/out/data.txt", True, id="deeper"),
    ],
)
@pytest.mark.parametrize(
    "record",
    [
        pytest.param(lambda uri: {"OutputDataConfig": {"S3OutputPath": uri}}, id="training"),
        pytest.param(lambda uri: {"Outputs": [{"S3Output": {"S3Uri": uri}}]}, id="processing"),
        pytest.param(lambda uri: {"CheckpointConfig": {"S3Uri": uri}}, id="checkpoints"),
    ],
)
def test_a_place_to_write_to_covers_what_is_written_there_and_nothing_beside_it(record, uri, covers):
    assert mentions(record(uri)).cover(OBJECT, DESTINATION) is covers


def test_where_nobody_knows_what_the_destination_was_every_place_above_covers():
    assert mentions({"S3OutputPath": "s3://b"}).cover(OBJECT, None)


def test_a_parameter_is_a_place_to_write_to_where_its_execution_writes_below_it():
    parameter = {"PipelineParameters": [{"Name": "Where", "Value": "s3://b"}]}
    assert mentions(parameter).cover(OBJECT, DESTINATION)
    writes = {"S3OutputPath": "s3://b/run2/models"}
    assert not mentions(parameter, writes).cover(OBJECT, DESTINATION)
    assert mentions(parameter, {"S3OutputPath": "s3://elsewhere"}).cover(OBJECT, DESTINATION)


def test_the_owners_of_records_are_kept_apart():
    found = mentions({"Value": "s3://b"})
    found.add({"S3OutputPath": "s3://b/run2/models"})
    assert found.cover(OBJECT, DESTINATION)


@pytest.mark.parametrize(
    ("literal", "covers"),
    [
        pytest.param({"S3Input": {"S3Uri": DESTINATION}}, True, id="an-input"),
        pytest.param({"DefaultValue": OBJECT}, True, id="a-default"),
        pytest.param({"Std:Join": {"On": "/", "Values": ["s3://b/run1", "x"]}}, False, id="a-beginning"),
        pytest.param({"S3Output": {"S3Uri": DESTINATION}}, False, id="an-output"),
        pytest.param(
            [{"S3Output": {"S3Uri": DESTINATION}}, {"S3Input": {"S3Uri": DESTINATION}}], False, id="its-own"
        ),
    ],
)
def test_a_definition_covers_what_it_names_whole_and_does_not_make(literal, covers):
    found = Mentions()
    found.add_definition({"Steps": literal})
    assert found.cover(OBJECT, DESTINATION) is covers


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("--data=s3://b/run1/Prepare/out --verbose", id="argument"),
        pytest.param('{"data": "s3://b/run1/Prepare/out"}', id="json"),
        pytest.param("s3://c/x,s3://b/run1/Prepare/out,s3://d", id="list"),
    ],
)
def test_uris_are_found_inside_other_texts(text):
    assert mentions({"Environment": {"SETTINGS": text}}).cover(OBJECT, DESTINATION)


def test_a_key_with_a_blank_is_found():
    assert mentions({"S3Uri": "s3://b/my data/one file"}).cover("s3://b/my data/one file", None)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param({"ModelName": "birds"}, True, id="by-name"),
        pytest.param({"Arn": "arn:aws:sagemaker:r:1:model/birds"}, True, id="by-arn"),
        pytest.param({"Arn": "arn:aws:sagemaker:r:1:endpoint/birds"}, False, id="another-kind"),
        pytest.param({"ModelName": "birds-2"}, False, id="another-name"),
    ],
)
def test_resources_are_named_by_name_or_arn(body, named):
    assert mentions(body).names("model", "birds") is named


def test_the_places_of_a_job_are_those_of_its_outputs():
    job = {
        "ProcessingInputs": [{"S3Input": {"S3Uri": "s3://b/in"}}],
        "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://b/out/"}}]},
        "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
    }
    assert written(job) == {"s3://b/out", "s3://b/models"}


parts = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=2)
keys = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(keys, keys)
@example("a", "a")
@example("a/b", "a")
@example("ab", "a")
def test_covering_is_being_a_part_of_the_path(key, mentioned):
    uri = f"s3://b/{key}"
    expected = key.split("/")[: len(mentioned.split("/"))] == mentioned.split("/")
    assert mentions({"S3Uri": f"s3://b/{mentioned}"}).cover(uri, None) is expected


def test_the_prefixes_of_a_uri_begin_with_its_bucket():
    assert list(prefixes("s3://b/x/y")) == ["s3://b", "s3://b/x", "s3://b/x/y"]
