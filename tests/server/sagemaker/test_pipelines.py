"""Pipelines and their versions, as boto3 sees them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.server.sagemaker.gates import ROLE, Gates, create, definition, work
from tests.toys import processing

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline"
TOKEN = "t" * 32
# Not as any program would write it.
BY_HAND = '{ "Version" : "2020-12-01",\n\t"Steps": [{"Type":"AutoML", "Arguments": {}, "Name": "A"}]}\n'


@pytest.fixture
def gates():
    return Gates()


@pytest.fixture
def runners(gates):
    return {"AutoML": gates, "Processing": gates}


@pytest.fixture
def client(cloud):
    return cloud.client("sagemaker")


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def names(answer):
    return [entry["PipelineName"] for entry in answer["PipelineSummaries"]]


def test_a_pipeline_is_described_as_it_was_made(client):
    before = datetime.now(UTC) - timedelta(seconds=1)
    arn = create(
        client,
        "birds",
        BY_HAND,
        PipelineDisplayName="Birds-of-America",
        PipelineDescription="Finds birds: 'é', \U0001f426",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 3},
        Tags=[{"Key": "team", "Value": "vision"}],
    )
    assert arn == f"{ARN}/birds"
    found = client.describe_pipeline(PipelineName="birds")
    assert found["PipelineDefinition"] == BY_HAND
    assert found["PipelineArn"] == arn
    assert found["PipelineDisplayName"] == "Birds-of-America"
    assert found["PipelineDescription"] == "Finds birds: 'é', \U0001f426"
    assert found["RoleArn"] == ROLE
    assert found["PipelineStatus"] == "Active"
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert before < found["CreationTime"] == found["LastModifiedTime"] < datetime.now(UTC)
    assert "LastRunTime" not in found
    assert found["CreatedBy"] == found["LastModifiedBy"]
    assert found["CreatedBy"]["IamIdentity"]["Arn"].startswith("arn:aws:sts::123456789012:")
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "vision"}]


def test_a_pipeline_is_found_by_its_arn_and_by_no_other(client):
    arn = create(client, "birds", definition(work("A")))
    assert client.describe_pipeline(PipelineName=arn)["PipelineName"] == "birds"
    for other in ("finches", arn.replace("eu-west-1", "us-east-1"), f"{ARN}/a/birds"):
        code, message = refused(client.describe_pipeline, PipelineName=other)
        assert (code, message) == (
            "ResourceNotFound",
            f"Pipeline '{other if other.startswith('arn') else f'{ARN}/{other}'}' does not exist.",
        )


def test_a_definition_may_be_in_the_store(client, cloud, tmp_path):
    # More than a request takes.
    text = definition(work("A"), Metadata={f"k{index}": "x" * 1000 for index in range(1200)})
    file = tmp_path / "definition.json"
    file.write_text(text)
    cloud.store.objects.adopt_file(file, "s3://toys/definitions/birds.json")
    place = {"Bucket": "toys", "ObjectKey": "definitions/birds.json"}
    client.create_pipeline(PipelineName="birds", PipelineDefinitionS3Location=place, RoleArn=ROLE)
    assert client.describe_pipeline(PipelineName="birds")["PipelineDefinition"] == text
    arn = client.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    found = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert found["PipelineDefinition"] == text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"PipelineDefinition": "{"}, "PipelineDefinition: not JSON", id="no-json"),
        pytest.param({"PipelineDefinition": "[" * 5000}, "stand in one another", id="deep"),
        pytest.param(
            {"PipelineDefinition": definition(work("A", "B"))}, "no step is named 'B'", id="reference"
        ),
        pytest.param(
            {"PipelineDefinition": definition(work("A", "B"), work("B", "A"))},
            "these steps wait for each other",
            id="cycle",
        ),
        pytest.param({}, "Either PipelineDefinition or PipelineDefinitionS3Location", id="none"),
        pytest.param(
            {
                "PipelineDefinition": definition(work("A")),
                "PipelineDefinitionS3Location": {"Bucket": "toys", "ObjectKey": "a"},
            },
            "cannot be specified together",
            id="two",
        ),
        pytest.param(
            {"PipelineDefinitionS3Location": {"Bucket": "toys", "ObjectKey": "nothing"}},
            "s3://toys/nothing",
            id="no-object",
        ),
        pytest.param(
            {"PipelineDefinitionS3Location": {"Bucket": "toys", "ObjectKey": "../../records.sqlite"}},
            "s3://toys/../../records.sqlite",
            id="way-out",
        ),
        pytest.param(
            {"PipelineDefinitionS3Location": {"Bucket": "toys", "ObjectKey": "k" * 1000}},
            "k" * 1000,
            id="long-key",
        ),
        pytest.param(
            {"PipelineDefinitionS3Location": {"Bucket": "toys", "ObjectKey": "a", "VersionId": "7"}},
            "objects have no versions",
            id="object-version",
        ),
        pytest.param(
            {"PipelineDefinition": definition(work("A")), "Tags": [{"Key": "aws:x", "Value": ""}]},
            "aws:x",
            id="reserved-tag",
        ),
    ],
)
def test_what_is_wrong_makes_no_pipeline(client, given, message):
    code, said = refused(client.create_pipeline, PipelineName="birds", RoleArn=ROLE, **given)
    assert code == "ValidationException"
    assert message in said
    assert names(client.list_pipelines()) == []


def test_a_name_that_is_taken_is_told_in_the_words_that_upserts_look_for(client):
    create(client, "birds", BY_HAND)
    code, message = refused(
        client.create_pipeline, PipelineName="birds", PipelineDefinition=BY_HAND, RoleArn=ROLE
    )
    assert code == "ValidationException"
    assert message == (
        "Pipeline names must be unique within an AWS account and region. Pipeline with name (birds) already "
        "exists."
    )


def test_a_create_call_that_is_repeated_makes_one_pipeline(client):
    first = create(client, "birds", BY_HAND, ClientRequestToken=TOKEN)
    assert create(client, "birds", BY_HAND, ClientRequestToken=TOKEN) == first
    assert len(client.list_pipeline_versions(PipelineName="birds")["PipelineVersionSummaries"]) == 1
    assert (
        refused(
            client.create_pipeline,
            PipelineName="birds",
            PipelineDefinition=BY_HAND,
            RoleArn=ROLE,
            ClientRequestToken="u" * 32,
        )[0]
        == "ValidationException"
    )


def test_another_definition_is_another_version(client):
    arn = create(client, "birds", definition(work("A")), PipelineDescription="first")
    second = definition(work("B"))
    answer = client.update_pipeline(PipelineName="birds", PipelineDefinition=second)
    assert answer["PipelineArn"] == arn
    assert answer["PipelineVersionId"] == 2
    found = client.describe_pipeline(PipelineName="birds")
    assert found["PipelineDefinition"] == second
    assert found["PipelineDescription"] == "first"
    assert found["LastModifiedTime"] > found["CreationTime"]
    old = client.describe_pipeline(PipelineName="birds", PipelineVersionId=1)
    assert old["PipelineDefinition"] == definition(work("A"))
    assert refused(client.describe_pipeline, PipelineName="birds", PipelineVersionId=3) == (
        "ResourceNotFound",
        f"Pipeline version 3 of pipeline '{arn}' does not exist.",
    )


def test_an_update_of_other_members_makes_no_version(client):
    create(client, "birds", BY_HAND)
    client.update_pipeline(
        PipelineName="birds",
        PipelineDefinition=BY_HAND,
        PipelineDescription="second",
        RoleArn=f"{ROLE}-2",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 1},
    )
    assert client.update_pipeline(PipelineName="birds", PipelineDisplayName="B")["PipelineVersionId"] == 1
    found = client.describe_pipeline(PipelineName="birds")
    assert (found["PipelineDescription"], found["RoleArn"]) == ("second", f"{ROLE}-2")
    assert found["PipelineDisplayName"] == "B"
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}


def test_an_update_with_a_wrong_definition_changes_nothing(client):
    create(client, "birds", BY_HAND)
    code, message = refused(
        client.update_pipeline,
        PipelineName="birds",
        PipelineDefinition=definition(work("A", "B")),
        PipelineDescription="new",
    )
    assert (code, "no step is named 'B'" in message) == ("ValidationException", True)
    found = client.describe_pipeline(PipelineName="birds")
    assert found["PipelineDefinition"] == BY_HAND
    assert "PipelineDescription" not in found
    assert refused(client.update_pipeline, PipelineName="finches")[0] == "ResourceNotFound"


def test_versions_are_listed_with_their_names_and_last_executions(client, cloud):
    arn = create(client, "birds", definition(work("A1")))
    for number in (2, 3):
        client.update_pipeline(PipelineName="birds", PipelineDefinition=definition(work(f"A{number}")))
    client.update_pipeline_version(
        PipelineArn=arn,
        PipelineVersionId=2,
        PipelineVersionDisplayName="best",
        PipelineVersionDescription="The one that we keep",
    )
    first = client.start_pipeline_execution(PipelineName=arn, PipelineVersionId=2)["PipelineExecutionArn"]
    last = client.start_pipeline_execution(PipelineName=arn, PipelineVersionId=2)["PipelineExecutionArn"]
    assert first != last
    pages = client.get_paginator("list_pipeline_versions").paginate(
        PipelineName=arn, PaginationConfig={"PageSize": 2}
    )
    found = [entry for page in pages for entry in page["PipelineVersionSummaries"]]
    assert [entry["PipelineVersionId"] for entry in found] == [3, 2, 1]
    assert found[1]["PipelineVersionDisplayName"] == "best"
    assert found[1]["PipelineVersionDescription"] == "The one that we keep"
    assert [entry.get("LastExecutionPipelineExecutionArn") for entry in found] == [None, last, None]
    described = client.describe_pipeline(PipelineName=arn, PipelineVersionId=2)
    assert described["PipelineVersionDisplayName"] == "best"
    ascending = client.list_pipeline_versions(PipelineName="birds", SortOrder="Ascending", MaxResults=1)
    assert ascending["PipelineVersionSummaries"][0]["PipelineVersionId"] == 1
    code, _ = refused(client.update_pipeline_version, PipelineArn=arn, PipelineVersionId=4)
    assert code == "ResourceNotFound"


def test_an_alias_stands_for_one_version(client):
    arn = create(client, "birds", definition(work("A")), PipelineVersionAliases=["prod"])
    text = definition(work("B"))
    client.update_pipeline(PipelineName="birds", PipelineDefinition=text, PipelineVersionAliases=["next"])
    found = client.describe_pipeline(PipelineName="birds", PipelineVersionAlias="prod")
    assert found["PipelineDefinition"] == definition(work("A"))
    assert found["PipelineVersionAliases"] == ["prod"]
    taken = {"PipelineArn": arn, "PipelineVersionId": 2, "PipelineVersionAliasOperations": {"Add": ["prod"]}}
    assert refused(client.update_pipeline_version, **taken) == (
        "ValidationException",
        "The alias 'prod' belongs to pipeline version 1 already.",
    )
    client.update_pipeline_version(
        PipelineArn=arn, PipelineVersionId=1, PipelineVersionAliasOperations={"Remove": ["prod"]}
    )
    client.update_pipeline_version(**taken)
    execution = client.start_pipeline_execution(PipelineName="birds", PipelineVersionAlias="prod")
    described = client.describe_pipeline_execution(**{k: execution[k] for k in ["PipelineExecutionArn"]})
    assert described["PipelineVersionId"] == 2
    assert described["PipelineVersionAliases"] == ["next", "prod"]
    client.start_pipeline_execution(PipelineName="birds", PipelineVersionId=1)
    listed = client.list_pipeline_executions(PipelineName="birds", PipelineVersionAlias="prod")
    assert [entry["PipelineExecutionArn"] for entry in listed["PipelineExecutionSummaries"]] == [
        execution["PipelineExecutionArn"]
    ]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param({"Add": ["12"]}, "The alias '12' consists of numbers only.", id="number"),
        pytest.param({"Remove": ["prod"]}, "does not have the alias 'prod'", id="not-there"),
        pytest.param({"Add": ["c", "d", "e"]}, "up to 10 aliases", id="too-many"),
    ],
)
def test_an_alias_that_cannot_be_is_refused(client, operation, message):
    arn = create(client, "birds", BY_HAND, PipelineVersionAliases=[f"a{index}" for index in range(8)])
    arguments = {"PipelineArn": arn, "PipelineVersionId": 1, "PipelineVersionAliasOperations": operation}
    code, said = refused(client.update_pipeline_version, **arguments)
    assert (code, message in said) == ("ValidationException", True)
    assert refused(client.describe_pipeline, PipelineName="birds", PipelineVersionAlias="prod") == (
        "ResourceNotFound",
        f"No version of pipeline '{arn}' has the alias 'prod'.",
    )
    both = {"PipelineName": "birds", "PipelineVersionAlias": "prod", "PipelineVersionId": 1}
    assert refused(client.describe_pipeline, **both)[0] == "ValidationException"
    unchanged = {"PipelineName": "birds", "PipelineDefinition": BY_HAND, "PipelineVersionAliases": ["prod"]}
    assert "only when the pipeline definition changes" in refused(client.update_pipeline, **unchanged)[1]


def test_pipelines_are_listed_by_prefix_time_and_order(client):
    for name in ("birds-b", "birds-a", "cats"):
        create(client, name, BY_HAND)
    assert names(client.list_pipelines()) == ["cats", "birds-a", "birds-b"]
    assert names(client.list_pipelines(SortOrder="Ascending")) == ["birds-b", "birds-a", "cats"]
    assert names(client.list_pipelines(SortBy="Name", SortOrder="Ascending")) == [
        "birds-a",
        "birds-b",
        "cats",
    ]
    assert names(client.list_pipelines(PipelineNamePrefix="birds")) == ["birds-a", "birds-b"]
    assert names(client.list_pipelines(ManagedBy="AWS")) == []
    assert len(names(client.list_pipelines(ManagedBy="CUSTOMER"))) == 3
    hour = timedelta(hours=1)
    assert names(client.list_pipelines(CreatedAfter=datetime.now(UTC) + hour)) == []
    assert names(client.list_pipelines(CreatedBefore=datetime.now(UTC) - hour)) == []
    assert len(names(client.list_pipelines(CreatedBefore=datetime.now(UTC) + hour))) == 3
    pages = client.get_paginator("list_pipelines").paginate(
        SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    assert [names(page) for page in pages] == [["birds-a", "birds-b"], ["cats"]]


def test_a_pipeline_says_when_it_ran_last(client):
    create(client, "birds", definition(work("A")))
    arn = client.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    started = client.describe_pipeline_execution(PipelineExecutionArn=arn)["CreationTime"]
    assert client.describe_pipeline(PipelineName="birds")["LastRunTime"] == started
    assert client.list_pipelines()["PipelineSummaries"][0]["LastExecutionTime"] == started


def test_a_deleted_pipeline_is_gone_with_its_executions_once_nothing_runs(client, gates):
    gates.shut("A")
    arn = create(client, "birds", definition(work("A")), Tags=[{"Key": "team", "Value": "vision"}])
    execution = client.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
    gates.wait_for("A")
    code, message = refused(client.delete_pipeline, PipelineName="birds")
    assert (code, execution.rpartition("/")[2] in message) == ("ConflictException", True)
    assert client.describe_pipeline(PipelineName="birds")["PipelineStatus"] == "Active"
    gates.open("A")
    wait_until_ended(client, execution)
    answer = client.delete_pipeline(PipelineName="birds", ClientRequestToken=TOKEN)
    assert answer["PipelineArn"] == arn
    for call, arguments in (
        (client.describe_pipeline, {"PipelineName": "birds"}),
        (client.list_pipeline_executions, {"PipelineName": "birds"}),
        (client.start_pipeline_execution, {"PipelineName": "birds"}),
        (client.describe_pipeline_execution, {"PipelineExecutionArn": execution}),
        (client.delete_pipeline, {"PipelineName": "birds"}),
    ):
        assert refused(call, **arguments)[0] == "ResourceNotFound"
    assert client.delete_pipeline(PipelineName="birds", ClientRequestToken=TOKEN)["PipelineArn"] == arn
    create(client, "birds", definition(work("B")))
    assert client.list_tags(ResourceArn=arn)["Tags"] == []
    versions = client.list_pipeline_versions(PipelineName="birds")["PipelineVersionSummaries"]
    assert [entry["PipelineVersionId"] for entry in versions] == [1]


def test_of_many_who_create_one_pipeline_one_does(cloud, client):
    client.list_pipelines()

    def make(number):
        try:
            return create(client, "birds", definition(work(f"A{number}")))
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(make, range(20)))
    assert sorted(made) == ["ValidationException"] * 19 + [f"{ARN}/birds"]


def test_many_updates_at_once_each_make_a_version(client):
    create(client, "birds", definition(work("A")))

    def update(number):
        text = definition(work(f"A{number}"))
        answer = client.update_pipeline(PipelineName="birds", PipelineDefinition=text)
        return answer["PipelineVersionId"], text

    with ThreadPoolExecutor(10) as pool:
        made = dict(pool.map(update, range(20)))
    assert sorted(made) == list(range(2, 22))
    for version, text in made.items():
        found = client.describe_pipeline(PipelineName="birds", PipelineVersionId=version)
        assert found["PipelineDefinition"] == text


def test_a_deleted_pipelines_results_answer_for_no_other(client, gates):
    text = definition(processing("Prepare", "true", CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}))

    def run():
        arn = client.start_pipeline_execution(PipelineName="birds")["PipelineExecutionArn"]
        assert wait_until_ended(client, arn) == "Succeeded"
        return client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][0]

    create(client, "birds", text)
    assert "CacheHitResult" not in run()
    assert "CacheHitResult" in run()
    client.delete_pipeline(PipelineName="birds")
    create(client, "birds", text)
    assert "CacheHitResult" not in run()
    assert gates.ran == ["Prepare", "Prepare"]


def wait_until_ended(client, arn):
    for _ in range(2000):
        status = client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if status not in ("Executing", "Stopping"):
            return status
    raise TimeoutError(arn)
