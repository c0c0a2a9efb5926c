"""Kills a run again and again, at random moments, and checks that nothing is lost.

    python -m tests.chaos.storm --moments 60 --seed 7

A pipeline of every kind of step is run once undisturbed. Then it is run through the installed command while a
SIGKILL hits, at a random moment, the engine or one of its jobs; `workflows resume` goes on, and is hit again.
After every blow the state must be readable, finished steps must stay finished, every stored object must be
whole and no process may be left; in the end everything stored must equal the undisturbed run, byte for byte.
"""

import argparse
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.toys import (
    TOY_IMAGES,
    at_least,
    condition,
    definition,
    endpoint,
    endpoint_config,
    get,
    model,
    output_of,
    processing,
    register,
    training,
    transform,
)

WORKFLOWS = str(Path(sys.executable).with_name("workflows"))
# Writes its outputs slowly, so that blows fall into the middle of them.
SLOW = (
    "for i in 1 2 3 4 5 6 7 8; do seq $i 2000 > /opt/ml/processing/output/out/part-$i; sleep 0.05; done; "
    "sleep 60 & sleep 0.1"
)
GONE_WITHIN_S = 5


def pipeline():
    data = output_of("Prepare", "out")
    metric = get("Steps.Again.FinalMetricDataList['validation:mAP'].Value")
    return definition(
        processing("Prepare", SLOW),
        processing("Beside", SLOW),
        training("Train", channels={"train": data}),
        training(
            "Again", channels={"train": data, "model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
        ),
        model("Model", "Again"),
        transform("Score", "Model", data),
        processing("Evaluate", SLOW, inputs={"scores": get("Steps.Score.TransformOutput.S3OutputPath")}),
        condition("Gate", at_least(metric, 0.5), if_steps=[register("Register", "toys", "Again")]),
        endpoint_config("Config", "Model"),
        endpoint("Deploy", "Config", "toys"),
    )


@dataclass
class Machine:
    """A folder in which the installed command runs."""

    folder: Path
    blows: dict = field(default_factory=lambda: {"engine": 0, "job": 0, "late": 0})

    def __post_init__(self):
        tables = []
        for repository, entry in TOY_IMAGES.items():
            tables.append(f"[images.{repository}]")
            tables += [f"command = {json.dumps(entry['command'])}"] if "command" in entry else []
            tables += [f"metrics.'{name}' = '{regex}'" for name, regex in entry.get("metrics", {}).items()]
        (self.folder / "workflows.toml").write_text("\n".join(tables) + "\n")
        (self.folder / "storm.json").write_text(pipeline())

    @property
    def home(self):
        return self.folder / ".workflows"

    def start(self, *arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        log = (self.folder / "output.txt").open("ab")
        with log:
            return subprocess.Popen(
                [WORKFLOWS, *arguments], cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def json(self, *arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        done = subprocess.run(
            [WORKFLOWS, *arguments, "--json"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def processes(self):
        """The processes that belong to a run here: each has this folder in its environment."""
        mark, found = str(self.folder).encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended meanwhile
        return found

    def stored(self):
        """Key without the execution's own parts -> digest, of every object."""
        return {
            normal(path.relative_to(self.home / "s3")): digest(path)
            for path in sorted((self.home / "s3").rglob("*"))
            if path.is_file()
        }


def normal(key):
    """Executions differ in their id: s3://toys/EXECUTION/…, and pipelines-EXECUTION-STEP-DIGEST."""
    parts = [part for part in key.parts if part not in ("", ".")]
    named = ["-".join(part.split("-")[2:-1]) if part.startswith("pipelines-") else part for part in parts]
    return "/".join([named[0], *named[2:]])


def digest(path):
    """Of an object's content; of an archive's, what is in it: archives hold times."""
    data = path.read_bytes()
    if path.name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = sorted(
                (member.name, tar.extractfile(member).read()) for member in tar if member.isfile()
            )
        data = repr(members).encode()
    return hashlib.sha256(data).hexdigest()


def undisturbed(folder):
    """What a run stores that nobody disturbs, and how long it takes."""
    machine = Machine(folder)
    started = time.monotonic()
    assert machine.start("run", "storm.json").wait() == 0, (folder / "output.txt").read_text()
    return machine.stored(), time.monotonic() - started


def strike(machine, process, choice):
    """Send SIGKILL to the engine or to one of its jobs' processes; says what was hit."""
    jobs = [pid for pid in machine.processes() if pid != process.pid]
    target = choice.choice(jobs) if jobs and choice.random() < 0.4 else process.pid
    try:
        os.kill(target, signal.SIGKILL)
    except ProcessLookupError:
        return "late"
    return "engine" if target == process.pid else "job"


def disturbed(folder, reference, seconds, *, moments, choice):
    """Run under blows until so many have fallen, then to the end; returns the machine."""
    machine = Machine(folder)
    finished = {}
    process = machine.start("run", "storm.json")
    for _ in range(moments):
        time.sleep(choice.uniform(0, seconds * 0.6))
        if process.poll() is None:
            machine.blows[strike(machine, process, choice)] += 1
        process.wait()
        check_processes(machine)
        finished = check_state(machine, reference, finished)
        if has_succeeded(machine):
            break
        process = go_on(machine)
    while process.wait() != 0 and not has_succeeded(machine):
        # The last blow may have hit a job: its step failed, and is run again.
        process = go_on(machine)
    check_outcome(machine, reference)
    return machine


def go_on(machine):
    """Resume the execution; where the engine died before it was recorded, start it."""
    return (
        machine.start("resume", "latest")
        if machine.json("executions")
        else machine.start("run", "storm.json")
    )


def has_succeeded(machine):
    executions = machine.json("executions")
    return bool(executions) and executions[0]["PipelineExecutionStatus"] == "Succeeded"


def check_processes(machine):
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := machine.processes():
        assert time.monotonic() < deadline, f"processes {left} are left after the engine died"
        time.sleep(0.05)


def check_state(machine, reference, finished):
    """The records can be read, and what was finished still is; returns what is finished now."""
    if not machine.json("executions"):
        return {}
    steps = machine.json("show", "latest")["Steps"]
    now = {step["StepName"]: step["EndTime"] for step in steps if step["StepStatus"] == "Succeeded"}
    assert finished.items() <= now.items(), f"{finished} became {now}"
    for key, content in machine.stored().items():
        assert reference.get(key, content) == content, f"{key} is not whole"
    return now


def check_outcome(machine, reference):
    assert machine.stored() == reference
    assert machine.json("executions")[0]["PipelineExecutionStatus"] == "Succeeded"
    (package,) = machine.json("models", "list")
    assert package["ModelPackageVersion"] == 1
    check_processes(machine)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=60, help="blows in all")
    parser.add_argument("--each", type=int, default=6, help="blows to one execution, at most")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.randrange(10**6) if arguments.seed is None else arguments.seed
    choice = random.Random(seed)
    total = {"engine": 0, "job": 0, "late": 0}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "calm").mkdir()
        reference, seconds = undisturbed(Path(folder) / "calm")
        print(f"seed {seed}: {len(reference)} objects, {seconds:.1f} s undisturbed", flush=True)
        while total["engine"] + total["job"] < arguments.moments:
            place = Path(folder) / f"storm-{sum(total.values())}"
            place.mkdir()
            machine = disturbed(place, reference, seconds, moments=arguments.each, choice=choice)
            total = {kind: total[kind] + count for kind, count in machine.blows.items()}
            print(f"blows so far: {total}", flush=True)
    print(f"nothing was lost: {total['engine']} blows to engines, {total['job']} to jobs")


if __name__ == "__main__":
    main()
