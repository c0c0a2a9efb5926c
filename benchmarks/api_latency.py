"""How fast describe and list calls answer with 10,000 executions stored, by boto3 and by plain HTTP.

    python -m benchmarks.api_latency [--executions N] [--calls N]

A server in a process of its own over a store that is filled directly: one pipeline with the definition of
birds-detection, N executions with ten steps each and a training job each. Every call goes out alone, over a
connection that stays, and the two clients take turns. All calls are measured in three rounds, and of the
three percentiles the middle one counts, since another program on the machine may spoil one. The first rows
are what the least request costs. Prints a table and JSON; exit code 1 where a 99th percentile is over the
limit.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import httpx
from botocore.config import Config

from tests.server.conftest import ACCOUNT, REGION, make_machine
from workflows.definition.model import JSON
from workflows.local import pipelines
from workflows.local.records import EXECUTION, EXECUTION_STEP, TRAINING_JOB
from workflows.local.store import Store, Write
from workflows.server.app import App
from workflows.server.listen import listening, serve

LIMIT_MS = 20.0
PIPELINE = "birds"
STEPS, ROUNDS = 10, 3
_DEFINITION = Path("tests/golden/birds-detection.json")
_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
_PIPELINE_ARN = f"{_ARN}:pipeline/{PIPELINE}"
_BATCH = 500
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)

Given = dict[str, JSON]


def execution_id(number: int) -> str:
    """Of the n-th execution; their order is not that of their creation."""
    return f"{random.Random(number).getrandbits(56):012x}"[:12]


def moment(number: int, seconds: int = 0) -> str:
    """When the n-th execution started: ten minutes after the one before."""
    time_of_start = _FIRST + timedelta(minutes=10 * number, seconds=seconds)
    return time_of_start.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def records(number: int) -> Iterator[Write]:
    """What an execution leaves, in the sizes that birds-detection has."""
    own = execution_id(number)
    arn = f"{_PIPELINE_ARN}/execution/{own}"
    body: Given = {
        "PipelineArn": _PIPELINE_ARN,
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": f"{PIPELINE}-{own}",
        "PipelineExecutionStatus": "Succeeded",
        "PipelineVersionId": 1,
        "CreationTime": moment(number),
        "LastModifiedTime": moment(number, 59),
        "PipelineParameters": [{"Name": f"Parameter{index}", "Value": "x" * 30} for index in range(20)],
        "Differences": [{"step": f"Step{index}", "text": "x" * 120} for index in range(8)],
    }
    yield Write(kind=EXECUTION, name=own, body=body, parent=PIPELINE)
    for index in range(STEPS):
        step: Given = {
            "StepName": f"Step{index}",
            "StepType": "Training",
            "StepStatus": "Succeeded",
            "StartTime": moment(number, index),
            "EndTime": moment(number, index + 1),
            "AttemptCount": 1,
            "Metadata": {"TrainingJob": {"Arn": f"{_ARN}:training-job/pipelines-{own}-Step{index}"}},
        }
        yield Write(kind=EXECUTION_STEP, name=f"{own}/Step{index}", body=step, parent=own)
    job: Given = {
        "TrainingJobName": f"job-{own}",
        "TrainingJobArn": f"{_ARN}:training-job/job-{own}",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "CreationTime": moment(number),
        "LastModifiedTime": moment(number, 59),
        "HyperParameters": {f"parameter_{index}": "x" * 20 for index in range(25)},
        "FinalMetricDataList": [{"MetricName": "validation:mAP", "Value": 0.5, "Timestamp": moment(number)}],
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://birds/{own}/model.tar.gz"},
    }
    yield Write(kind=TRAINING_JOB, name=f"job-{own}", body=job)


def fill(home: Path, executions: int) -> None:
    """Make a store with so many executions."""
    store = Store(home)
    pipeline = pipelines.new_pipeline(PIPELINE, arn=_PIPELINE_ARN, members={"PipelineDisplayName": PIPELINE})
    pipelines.create(store, pipeline, _DEFINITION.read_text(encoding="utf-8"))
    for first in range(0, executions, _BATCH):
        numbers = range(first, min(first + _BATCH, executions))
        store.write(*(write for number in numbers for write in records(number)))


def calls(executions: int) -> Mapping[str, tuple[str, Callable[[random.Random], Given]]]:
    """Name -> operation, and what a call of it asks for."""

    def some(chance: random.Random) -> Given:
        return {
            "PipelineExecutionArn": f"{_PIPELINE_ARN}/execution/{execution_id(chance.randrange(executions))}"
        }

    def listed(**more: JSON) -> Callable[[random.Random], Given]:
        return lambda _: {"PipelineName": PIPELINE, **more}

    def between(chance: random.Random) -> Given:
        # Whole seconds, as boto3 sends them.
        seconds = int(_FIRST.timestamp()) + 600 * chance.randrange(executions)
        return {"PipelineName": PIPELINE, "CreatedBefore": seconds}

    listing = "ListPipelineExecutions"
    return {
        "ListTags": ("ListTags", lambda _: {"ResourceArn": _PIPELINE_ARN}),
        listing: (listing, listed()),
        f"{listing}, 100": (listing, listed(MaxResults=100)),
        f"{listing}, oldest 100": (listing, listed(MaxResults=100, SortOrder="Ascending")),
        f"{listing}, by ARN": (listing, listed(SortBy="PipelineExecutionArn")),
        f"{listing}, before": (listing, between),
        "DescribePipelineExecution": ("DescribePipelineExecution", some),
        "ListPipelineExecutionSteps": ("ListPipelineExecutionSteps", some),
        "ListPipelineParametersForExecution": ("ListPipelineParametersForExecution", some),
        "DescribePipelineDefinitionForExecution": ("DescribePipelineDefinitionForExecution", some),
        "DescribePipeline": ("DescribePipeline", listed()),
        "ListPipelines": ("ListPipelines", lambda _: {}),
        "ListPipelineVersions": ("ListPipelineVersions", listed()),
        "DescribeTrainingJob": (
            "DescribeTrainingJob",
            lambda chance: {"TrainingJobName": f"job-{execution_id(chance.randrange(executions))}"},
        ),
        "ListTrainingJobs": ("ListTrainingJobs", lambda _: {}),
        "ListTrainingJobs, 100": ("ListTrainingJobs", lambda _: {"MaxResults": 100}),
        "ListTrainingJobs, oldest": ("ListTrainingJobs", lambda _: {"SortOrder": "Ascending"}),
        "ListTrainingJobs, by name": ("ListTrainingJobs", lambda _: {"SortBy": "Name"}),
        "ListTrainingJobs, one name": (
            "ListTrainingJobs",
            lambda chance: {"NameContains": execution_id(chance.randrange(executions))},
        ),
        "ListTrainingJobs, failed": ("ListTrainingJobs", lambda _: {"StatusEquals": "Failed"}),
    }


def measure(
    url: str, operation: str, ask: Callable[[random.Random], Given], count: int
) -> dict[str, list[float]]:
    """Milliseconds of every call, by client."""
    client = boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )
    by_boto3 = getattr(client, boto3_name(operation))
    chance = random.Random(operation)
    found: dict[str, list[float]] = {"boto3": [], "http": []}
    with httpx.Client(base_url=url, headers={"x-amz-target": f"SageMaker.{operation}"}) as http:

        def by_http(**given: JSON) -> None:
            answer = http.post("/", json=given)
            if answer.status_code != 200:
                sys.exit(f"{operation}: {answer.text}")

        for number in range(count + 1):
            for name, call in (("boto3", by_boto3), ("http", by_http)):
                given = ask(chance)
                started = time.perf_counter()
                call(**given)
                # The first call of each connects.
                if number:
                    found[name].append((time.perf_counter() - started) * 1000)
    client.close()
    return found


def boto3_name(operation: str) -> str:
    """ListPipelines -> list_pipelines."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def percentile(values: list[float], share: int) -> float:
    """The smallest value that so many per cent do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def row(rounds: Sequence[list[float]]) -> dict[str, float]:
    """The middle one of each percentile, and the longest of all."""
    middle = {share: statistics.median(percentile(values, share) for values in rounds) for share in (50, 99)}
    return {
        "p50": round(middle[50], 2),
        "p99": round(middle[99], 2),
        "max": round(max(map(max, rounds)), 2),
    }


def report(rounds: Sequence[Mapping[str, Mapping[str, list[float]]]], executions: int) -> int:
    """Print all percentiles; the exit code."""
    rows = {
        f"{call} ({client})": row([found[call][client] for found in rounds])
        for call in rounds[0]
        for client in rounds[0][call]
    }
    width = max(map(len, rows))
    print(f"{'CALL'.ljust(width)}  {'P50 MS':>8}  {'P99 MS':>8}  {'MAX MS':>8}")
    for name, values in rows.items():
        print(f"{name.ljust(width)}  {values['p50']:8.2f}  {values['p99']:8.2f}  {values['max']:8.2f}")
    print(json.dumps({"executions": executions, "limit_ms": LIMIT_MS, "calls": rows}))
    return 0 if all(values["p99"] <= LIMIT_MS for values in rows.values()) else 1


def main() -> int:
    """Fill, serve, ask, report."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--executions", type=int, default=10_000)
    arguments.add_argument("--calls", type=int, default=300)
    arguments.add_argument("--only", default="", help="calls whose names begin so")
    arguments.add_argument("--serve", type=Path, help="serve the store in this folder, and do nothing else")
    given = arguments.parse_args()
    if given.serve:
        with listening() as address:
            print(address.url, flush=True)
            serve(App(make_machine(given.serve)), address)
        return 0
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        fill(home, given.executions)
        command = [sys.executable, "-m", "benchmarks.api_latency", "--serve", str(home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = server.stdout.readline().strip() if server.stdout else ""
                rounds = [
                    {
                        name: measure(url, operation, ask, given.calls)
                        for name, (operation, ask) in calls(given.executions).items()
                        if name.startswith(given.only)
                    }
                    for _ in range(ROUNDS)
                ]
            finally:
                server.terminate()
    return report(rounds, given.executions)


if __name__ == "__main__":
    sys.exit(main())
