"""Transform steps against a real container: strategies, limits, retries, filters, failures, stopping."""

import gzip
import io
import json
import struct
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests import toys
from tests.toys import REGISTRY, TOY_IMAGES, definition, get, join, transform
from workflows.definition.model import JSON
from workflows.local.faults import Fault
from workflows.local.images import ImageTable
from workflows.local.records import TRANSFORM_JOB
from workflows.local.transform.refusals import refusals

SERVER = str(Path(toys.__file__).with_name("toy_batch_server.py"))
MIB = 1024 * 1024


@pytest.fixture
def batch(machine, tmp_path):
    return Batch(machine, tmp_path)


class Batch:
    """A machine whose model is the toy server, and what that server was asked."""

    def __init__(self, machine, folder):
        self.machine, self.seen_file = machine, folder / "seen.jsonl"
        machine.images = ImageTable({**TOY_IMAGES, "toy-batch": {"command": [sys.executable, SERVER]}})
        self.put("model.tar.gz", empty_archive())

    def put(self, key, content):
        file = self.machine.store.home / "put"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.machine.store.objects.adopt_file(file, f"s3://toys/{key}")
        file.unlink()

    def text(self, *, model=None, uri="s3://toys/in", **request):
        container = {
            "Image": f"{REGISTRY}/toy-batch:1",
            "ModelDataUrl": "s3://toys/model.tar.gz",
            "Environment": {"SEEN": str(self.seen_file), **(model or {})},
        }
        score = transform("Score", "Model", uri)
        for path, value in request.items():
            *outer, name = path.split("__")
            node = score["Arguments"]
            for part in outer:
                node = node.setdefault(part, {})
            node[name] = value
        return definition(
            {"Name": "Model", "Type": "Model", "Arguments": {"PrimaryContainer": container}}, score
        )

    def run(self, **more):
        return self.machine.run(self.text(**more))

    def notes(self):
        return [json.loads(line) for line in self.seen_file.read_text().splitlines()]

    @property
    def environment(self):
        return next(entry["environment"] for entry in self.notes() if "environment" in entry)

    @property
    def requests(self):
        return [entry for entry in self.notes() if "body" in entry]

    @property
    def bodies(self):
        return [entry["body"] for entry in self.requests]


def empty_archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz"):
        pass
    return out.getvalue()


def reason(outcome):
    return outcome.steps["Score"]["FailureReason"]


LINES = {"TransformInput__SplitType": "Line", "TransformInput__ContentType": "text/csv"}


def test_without_split_type_an_object_is_one_request(batch):
    batch.put("in/a.csv", "a,1\nb,2\n")
    outcome = batch.run(TransformOutput__Accept="text/csv", BatchStrategy="SingleRecord")
    assert outcome.status == "Succeeded"
    assert batch.bodies == ["a,1\nb,2\n"]
    assert (batch.requests[0]["content_type"], batch.requests[0]["accept"]) == ("text/plain", "text/csv")
    assert outcome.read("Score", "a.csv.out") == "A,1\nB,2\n"


@pytest.mark.parametrize(
    ("strategy", "assemble", "bodies", "stored"),
    [
        pytest.param("SingleRecord", "Line", ["a,1", "b,2", "c,3"], "A,1\nB,2\nC,3\n", id="single-line"),
        pytest.param("MultiRecord", "None", ["a,1\nb,2\nc,3"], "A,1\nB,2\nC,3", id="multi-concatenated"),
    ],
)
def test_lines_are_sent_by_strategy_and_assembled_in_order(batch, strategy, assemble, bodies, stored):
    batch.put("in/a.csv", "a,1\nb,2\nc,3")
    outcome = batch.run(
        **LINES, BatchStrategy=strategy, TransformOutput__AssembleWith=assemble, MaxConcurrentTransforms=1
    )
    assert batch.bodies == bodies
    assert outcome.read("Score", "a.csv.out") == stored


def test_several_records_share_a_request_up_to_the_limit(batch):
    line = "x" * (MIB // 3)
    batch.put("in/a", "\n".join([line] * 7))
    outcome = batch.run(**LINES, MaxPayloadInMB=1, MaxConcurrentTransforms=1)
    assert outcome.status == "Succeeded"
    # Three lines with their ends are 2 bytes more than a third each of a MiB, thrice: two fit.
    assert [body.count("x") // len(line) for body in batch.bodies] == [2, 2, 2, 1]
    assert all(len(body) <= MIB for body in batch.bodies)
    assert outcome.read("Score", "a.out") == "\n".join([line.upper()] * 7)


def test_what_is_larger_than_the_limit_fails_its_object_only(batch):
    batch.put("in/large", "x" * (MIB + 1))
    batch.put("in/small", "y")
    outcome = batch.run(MaxPayloadInMB=1)
    assert "1 objects failed, the first: large: Too much data for max payload size" in reason(outcome)
    assert outcome.read("Score", "small.out") == "Y"
    assert [str(location) for location, _ in batch.machine.store.objects.keys("s3://toys/in")] == [
        "s3://toys/in/large",
        "s3://toys/in/small",
    ]


def test_an_object_of_which_one_record_fails_has_no_output(batch):
    batch.put("in/mixed", "one\nbad\nthree\n")
    batch.put("in/good", "one\n")
    outcome = batch.run(**LINES, BatchStrategy="SingleRecord", TransformOutput__AssembleWith="Line")
    assert outcome.status == "Failed"
    assert "mixed: 400 not a picture" in reason(outcome)
    keys = [location.key.rpartition("/")[2] for location, _ in batch.machine.store.objects.keys("s3://toys/")]
    assert "good.out" in keys and "mixed.out" not in keys
    (job,) = batch.machine.store.all(TRANSFORM_JOB)
    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", reason(outcome))


def test_requests_are_made_side_by_side_up_to_the_limit(batch):
    for number in range(8):
        batch.put(f"in/{number}", f"slow 0.15 {number}")
    outcome = batch.run(MaxConcurrentTransforms=4)
    assert outcome.status == "Succeeded"
    assert max(entry["side_by_side"] for entry in batch.requests) == 4
    assert [outcome.read("Score", f"{number}.out")[-1] for number in range(8)] == list("01234567")


@pytest.mark.parametrize(
    ("times", "config", "status"),
    [
        pytest.param(3, {}, "Succeeded", id="three-retries-by-default"),
        pytest.param(2, {"InvocationsMaxRetries": 1}, "Failed", id="one-retry-is-too-few"),
        pytest.param(1, {"InvocationsMaxRetries": 0}, "Failed", id="no-retry"),
    ],
)
def test_errors_of_the_server_are_tried_again(batch, times, config, status):
    batch.put("in/a", f"flaky {times}")
    outcome = batch.run(ModelClientConfig=config)
    assert outcome.status == status
    assert len(batch.bodies) == min(times, config.get("InvocationsMaxRetries", 3)) + 1
    if status == "Failed":
        assert "a: 503 come again" in reason(outcome)


def test_faults_of_the_request_are_not_tried_again(batch):
    batch.put("in/a", "bad")
    assert batch.run().status == "Failed"
    assert batch.bodies == ["bad"]


def test_a_request_over_its_time_limit_fails(batch):
    batch.put("in/a", "slow 30")
    config = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1}
    outcome = batch.run(ModelClientConfig=config)
    assert "a: the model's container did not answer: timed out" in reason(outcome)
    assert len(batch.bodies) == 2


def test_a_container_that_dies_ends_the_job_at_once(batch):
    batch.put("in/a", "die")
    batch.put("in/b", "fine")
    started = time.monotonic()
    outcome = batch.run()
    assert outcome.status == "Failed"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("request_fields", "wishes", "bodies", "environment"),
    [
        pytest.param({}, None, ["a\nb\n"], {}, id="defaults"),
        pytest.param({}, "not JSON", ["a\nb\n"], {}, id="nonsense-is-no-wish"),
        pytest.param({}, '{"BatchStrategy": "SINGLE_RECORD"}', ["a", "b"], {}, id="the-container-wishes"),
        pytest.param(
            {"BatchStrategy": "MultiRecord", "MaxPayloadInMB": 2, "MaxConcurrentTransforms": 3},
            '{"BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 0}',
            ["a\nb\n"],
            {
                "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
            },
            id="the-request-comes-first",
        ),
    ],
)
def test_request_container_default_decide_in_this_order(batch, request_fields, wishes, bodies, environment):
    batch.put("in/a", "a\nb\n")
    outcome = batch.run(model={"WISHES": wishes} if wishes else {}, **LINES, **request_fields)
    assert outcome.status == "Succeeded", outcome.steps
    assert batch.bodies == bodies
    told = {name: value for name, value in batch.environment.items() if name != "SAGEMAKER_BIND_TO_PORT"}
    assert told == {"SAGEMAKER_BATCH": "true", **environment}


def test_the_decision_is_in_the_log_as_sagemaker_writes_it(batch):
    batch.put("in/a", "a")
    outcome = batch.run(model={"WISHES": '{"MaxConcurrentTransforms": 2}'}, MaxPayloadInMB=3)
    line = "MaxConcurrentTransforms=2, MaxPayloadInMB=3, BatchStrategy=MULTI_RECORD"
    assert ("Score", line) in outcome.recorder.lines


def test_gzip_objects_are_unpacked_on_the_way(batch):
    batch.put("in/a.csv.gz", gzip.compress(b"a,1\nb,2\n"))
    batch.put("in/broken.gz", gzip.compress(b"a,1\n")[:-4])
    batch.put("in/no.gz", b"a,1\n")
    outcome = batch.run(**LINES, TransformInput__CompressionType="Gzip")
    assert outcome.read("Score", "a.csv.gz.out") == "A,1\nB,2\n"
    assert "2 objects failed, the first: broken.gz: not Gzip, or damaged" in reason(outcome)


def test_a_manifest_names_the_objects(batch):
    for name in ("in/a", "in/sub/b", "in/unlisted"):
        batch.put(name, name)
    batch.put("list.manifest", json.dumps([{"prefix": "s3://toys/in/"}, "sub/b", "a"]))
    source = "TransformInput__DataSource__S3DataSource__"
    outcome = batch.run(
        **{f"{source}S3DataType": "ManifestFile", f"{source}S3Uri": "s3://toys/list.manifest"}
    )
    assert outcome.status == "Succeeded", outcome.steps
    assert batch.bodies == ["in/sub/b", "in/a"]
    assert outcome.read("Score", "sub", "b.out") == "IN/SUB/B"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        pytest.param("[", "a manifest is JSON", id="not-json"),
        pytest.param('["a"]', 'a manifest is [{"prefix"', id="no-prefix"),
        pytest.param('[{"prefix": "s3://toys/in/"}]', 'a manifest is [{"prefix"', id="no-names"),
        pytest.param(
            '[{"prefix": "s3://toys/in/"}, "none"]', "s3://toys/in/none: no such object", id="missing"
        ),
        pytest.param('[{"prefix": "s3://toys/in/"}, "../x"]', "cannot be parts of a key", id="hostile"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_told(batch, manifest, message):
    batch.put("list.manifest", manifest)
    source = "TransformInput__DataSource__S3DataSource__"
    outcome = batch.run(
        **{f"{source}S3DataType": "ManifestFile", f"{source}S3Uri": "s3://toys/list.manifest"}
    )
    assert message in reason(outcome)


def recordio(*payloads):
    return b"".join(
        struct.pack("<II", 0xCED7230A, len(payload)) + payload + b"\0" * (-len(payload) % 4)
        for payload in payloads
    )


@pytest.mark.parametrize(
    ("strategy", "bodies"),
    [
        pytest.param("SingleRecord", [b"hello", b"you"], id="single-without-frame"),
        pytest.param("MultiRecord", [recordio(b"hello", b"you")], id="multi-as-it-stands"),
    ],
)
def test_recordio_is_split_at_its_records(batch, strategy, bodies):
    batch.put("in/a.rec", recordio(b"hello", b"you"))
    outcome = batch.run(
        TransformInput__SplitType="RecordIO", BatchStrategy=strategy, MaxConcurrentTransforms=1
    )
    assert outcome.status == "Succeeded"
    assert [body.encode("latin-1") for body in batch.bodies] == bodies


def test_an_object_that_is_not_of_its_split_type_fails(batch):
    batch.put("in/a", "neither of them")
    for kind in ("RecordIO", "TFRecord"):
        assert f"a: not {kind}" in reason(batch.run(TransformInput__SplitType=kind))


def test_columns_are_left_out_and_answers_joined_to_their_rows(batch):
    batch.put("in/a.csv", 'id1,"a, b",22\nid2,c,4444\n')
    outcome = batch.run(
        model={"ANSWER": "lengths"},
        **LINES,
        TransformOutput__AssembleWith="Line",
        TransformOutput__Accept="text/csv",
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,1,-1]"},
    )
    assert outcome.status == "Succeeded", outcome.steps
    assert batch.bodies == ['"a, b",22\nc,4444\n']
    assert outcome.read("Score", "a.csv.out") == 'id1,"a, b",9\nid2,c,6\n'


def test_members_are_left_out_and_answers_joined_to_their_objects(batch):
    batch.put("in/a.jsonl", '{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3]}\n')
    outcome = batch.run(
        model={"ANSWER": "fields"},
        TransformInput__SplitType="Line",
        TransformInput__ContentType="application/jsonlines",
        TransformOutput__AssembleWith="Line",
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    assert outcome.status == "Succeeded", outcome.steps
    assert batch.bodies == ["[1,2]\n[3]\n"]
    lines = outcome.read("Score", "a.jsonl.out").splitlines()
    assert lines == ['{"id":1,"SageMakerOutput":{"n":2}}', '{"id":2,"SageMakerOutput":{"n":1}}']


def test_answers_that_are_fewer_than_the_records_cannot_be_joined(batch):
    batch.put("in/a.csv", "1\n2\n")
    outcome = batch.run(
        model={"ANSWER": "total"},
        **LINES,
        TransformOutput__AssembleWith="Line",
        DataProcessing={"JoinSource": "Input"},
    )
    assert "a.csv: 2 records were sent, and 1 came back: they cannot be joined" in reason(outcome)


def test_a_transform_that_is_tried_again_leaves_only_its_last_outputs(batch):
    batch.put("in/a", "1")
    execution, _ = batch.machine.prepare(batch.text())
    runner = execution._work.runners["Transform"]
    tasks = []

    def twice(task, site):
        tasks.append(task)
        runner(task, site)
        batch.machine.store.objects.path("s3://toys/in/a").unlink()
        batch.put("in/b", "2")
        return runner(task, site)

    object.__setattr__(execution._work, "runners", {**execution._work.runners, "Transform": twice})
    assert execution.run()["PipelineExecutionStatus"] == "Succeeded"
    prefix = f"s3://toys/{execution.id}/Score/"
    keys = [str(location) for location, _ in batch.machine.store.objects.keys(prefix)]
    assert keys == [f"{prefix}b.out"]
    assert (tasks[0].folder / "stored.txt").read_text() == f"{prefix}b.out\n"


def test_a_stopped_transform_ends_soon_and_stores_nothing(batch):
    batch.put("in/a", "1")
    batch.put("in/b", "slow 60")
    execution, recorder = batch.machine.prepare(batch.text())
    ended: list[JSON] = []
    thread = threading.Thread(target=lambda: ended.append(execution.run()))
    thread.start()
    deadline = time.monotonic() + 20
    while not (batch.seen_file.exists() and len(batch.requests) == 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    (job,) = batch.machine.store.all(TRANSFORM_JOB)
    assert job["TransformJobStatus"] == "InProgress"
    started = time.monotonic()
    execution._stopped.set()
    thread.join()
    assert time.monotonic() - started < 10
    assert recorder.ended["Score"][0] == "Stopped"
    (job,) = batch.machine.store.all(TRANSFORM_JOB)
    assert job["TransformJobStatus"] == "Stopped"
    assert list(batch.machine.store.objects.keys(f"s3://toys/{execution.id}/")) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(
            Fault("exit", code=7), "AlgorithmError: the model's container ended with exit code 7", id="exit"
        ),
        pytest.param(Fault("kill"), "a: the model's container did not answer", id="kill"),
        pytest.param(Fault("timeout"), "timeout: transform jobs have no time limit", id="timeout"),
        pytest.param(Fault("spot-interruption"), "only managed spot training jobs", id="spot"),
    ],
)
def test_rehearsed_faults_end_the_job(batch, fault, message):
    batch.put("in/a", "1")
    execution, _ = batch.machine.prepare(batch.text())
    object.__setattr__(execution._work, "faults", {"Score": fault})
    execution.run()
    step = batch.machine.store.find("pipeline-execution-step", f"{execution.id}/Score")
    assert message in step["FailureReason"]


def arguments(**more):
    request = transform("Score", "Model", "s3://toys/in")["Arguments"]
    for path, value in more.items():
        *outer, name = path.split("__")
        node = request
        for part in outer:
            node = node.setdefault(part, {})
        node[name] = value
    return request


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            {"BatchStrategy": "All"},
            "BatchStrategy: must be MultiRecord or SingleRecord, is 'All'",
            id="strategy",
        ),
        pytest.param(
            {"TransformInput__SplitType": "Lines"},
            "SplitType: must be None or Line or RecordIO or TFRecord",
            id="split",
        ),
        pytest.param(
            {"TransformInput__CompressionType": "Zip"},
            "CompressionType: must be None or Gzip",
            id="compression",
        ),
        pytest.param(
            {"TransformOutput__AssembleWith": "All"}, "AssembleWith: must be None or Line", id="assemble"
        ),
        pytest.param({"MaxPayloadInMB": 0}, "MaxPayloadInMB: 0 asks for requests in chunks", id="chunks"),
        pytest.param({"MaxPayloadInMB": 101}, "MaxPayloadInMB: must be from 1 to 100, is 101", id="payload"),
        pytest.param(
            {"MaxConcurrentTransforms": 17}, "17 times MaxPayloadInMB 6 is 102; at most 100 MB", id="product"
        ),
        pytest.param(
            {"MaxConcurrentTransforms": -1}, "MaxConcurrentTransforms: must be from 0", id="concurrency"
        ),
        pytest.param(
            {"ModelClientConfig__InvocationsMaxRetries": 4}, "must be from 0 to 3, is 4", id="retries"
        ),
        pytest.param(
            {"ModelClientConfig__InvocationsTimeoutInSeconds": 0},
            "must be from 1 to 3600, is 0",
            id="timeout",
        ),
        pytest.param(
            {"Environment": dict.fromkeys("abcdefghijklmnopq", "")},
            "Environment: has 17 entries; at most 16",
            id="environment",
        ),
        pytest.param(
            {"TransformInput__DataSource__S3DataSource__S3DataType": "AugmentedManifestFile"},
            "S3DataType: must be S3Prefix or ManifestFile",
            id="data-type",
        ),
        pytest.param({"TransformOutput": {}}, "TransformOutput.S3OutputPath: is missing", id="no-output"),
        pytest.param(
            {"DataProcessing__InputFilter": "$.a_b"}, 'InputFilter: unexpected "_"', id="underscore"
        ),
        pytest.param(
            {"DataProcessing__JoinSource": "Output"}, "JoinSource: must be None or Input", id="join"
        ),
        pytest.param(
            {"DataProcessing__JoinSource": "Input"},
            "ContentType: with DataProcessing it must be text/csv or",
            id="content-type",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(more, message):
    assert any(message in text for text in refusals(arguments(**more), {}, "Steps[1] 'Score'"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            {"TransformInput__SplitType": "None"},
            "SplitType: with DataProcessing of text/csv it must be Line",
            id="split",
        ),
        pytest.param(
            {"TransformOutput__AssembleWith": "None"},
            "AssembleWith: with DataProcessing of text/csv it must be Line",
            id="assemble",
        ),
        pytest.param(
            {"TransformOutput__Accept": "application/json"},
            "text/csv and application/json cannot be joined",
            id="formats",
        ),
        pytest.param({"DataProcessing__InputFilter": "$.a"}, "only indexes and ranges", id="name-in-csv"),
        pytest.param(
            {"TransformInput__SplitType": "RecordIO"},
            "records of RecordIO cannot be filtered or joined",
            id="recordio",
        ),
    ],
)
def test_csv_is_joined_line_by_line(more, message):
    request = arguments(
        TransformInput__ContentType="text/csv; charset=utf-8",
        TransformInput__SplitType="Line",
        TransformOutput__AssembleWith="Line",
        DataProcessing__JoinSource="Input",
    )
    assert list(refusals(request, {}, "Steps[1]")) == []
    for path, value in more.items():
        *outer, name = path.split("__")
        node = request
        for part in outer:
            node = node[part]
        node[name] = value
    assert any(message in text for text in refusals(request, {}, "Steps[1]"))


def test_values_that_are_still_expressions_are_not_refused():
    unknown = get("Parameters.X")
    request = arguments(
        BatchStrategy=unknown,
        MaxPayloadInMB=unknown,
        MaxConcurrentTransforms=90,
        TransformInput__SplitType=unknown,
        TransformInput__ContentType="text/csv",
        TransformOutput__AssembleWith=unknown,
        TransformOutput__S3OutputPath=join("s3://a", unknown),
        DataProcessing={"InputFilter": unknown, "JoinSource": "Input"},
    )
    assert list(refusals(request, {}, "Steps[1]")) == []
