import threading
from dataclasses import dataclass, field

import pytest

from tests.toys import TOY_IMAGES
from workflows.definition.loader import load
from workflows.local.engine import Engine
from workflows.local.executor import Execution, Place
from workflows.local.images import ImageTable
from workflows.local.records import EXECUTION_STEP
from workflows.local.runners.table import RUNNERS
from workflows.local.store import Store


@dataclass
class Recorder:
    """A listener that keeps what it is told."""

    started: list = field(default_factory=list)
    ended: dict = field(default_factory=dict)
    lines: list = field(default_factory=list)
    metrics: list = field(default_factory=list)
    retries: list = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step_started(self, step):
        with self._lock:
            self.started.append(step.name)

    def step_retried(self, step, retry):
        with self._lock:
            self.retries.append((step.name, retry.attempt, retry.delay_s))

    def step_ended(self, step, *, status, note, **_):
        with self._lock:
            self.ended[step.name] = (status, note)

    def log_line(self, step, line):
        with self._lock:
            self.lines.append((step, line))

    def metric(self, step, name, value):
        with self._lock:
            self.metrics.append((step, name, value))


class Machine:
    """A store, and definitions run in it."""

    def __init__(self, home):
        self.store = Store(home)
        self.images = ImageTable(TOY_IMAGES)
        self.functions = {}
        self.runners = RUNNERS

    def put(self, uri, content):
        file = self.store.home / "put"
        file.write_text(content)
        self.store.objects.adopt_file(file, uri)
        file.unlink()

    @property
    def engine(self):
        place = Place(
            region="eu-west-1", account="123456789012", images=self.images, functions=self.functions
        )
        return Engine(store=self.store, place=place, runners=self.runners)

    def prepare(self, text, *, options=None, selection=None, pipeline="toys", **given):
        recorder = Recorder()
        execution = self.engine.start(
            pipeline, load(text), given, listener=recorder, options=options, selection=selection
        )
        return execution, recorder

    def run(self, text, **given):
        execution, recorder = self.prepare(text, **given)
        return Outcome(execution.run(), execution, recorder, self.store)

    def resume(self, execution_id, *, options=None):
        recorder = Recorder()
        execution = self.engine.resume(execution_id, listener=recorder, options=options)
        return Outcome(execution.run(), execution, recorder, self.store)


@dataclass
class Outcome:
    record: dict
    execution: Execution
    recorder: Recorder
    store: Store

    @property
    def status(self):
        return self.record["PipelineExecutionStatus"]

    @property
    def steps(self):
        return {step["StepName"]: step for step in self.store.all(EXECUTION_STEP, parent=self.execution.id)}

    def read(self, *parts):
        return self.store.objects.read("/".join(("s3://toys", self.execution.id, *parts))).decode()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "home")
