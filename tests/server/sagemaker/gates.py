"""Steps that work in memory only, and do what a test tells them."""

import json
import threading

from workflows.local.runners.base import Result, StepFailed

ROLE = "arn:aws:iam::123456789012:role/service-role/pipelines"
LIMIT_S = 20


class Gates:
    """A runner: a step waits while its gate is shut, and fails while it is told to."""

    def __init__(self):
        self.ran = []
        self.failing = set()
        self._shut = {}
        self._lock = threading.Lock()
        self._working = threading.Condition(self._lock)
        self._at_work = []

    def shut(self, *steps):
        for step in steps:
            self._shut[step] = threading.Event()

    def open(self, *steps):
        for step in steps:
            self._shut[step].set()

    def wait_for(self, *steps):
        """Until these steps, and no others, are at work."""
        with self._working:
            wanted = sorted(steps)
            assert self._working.wait_for(lambda: sorted(self._at_work) == wanted, LIMIT_S), self._at_work

    def __call__(self, task, site):
        with self._working:
            self.ran.append(task.step)
            self._at_work.append(task.step)
            self._working.notify_all()
        try:
            return self._work(task, site)
        finally:
            with self._working:
                self._at_work.remove(task.step)
                self._working.notify_all()

    def _work(self, task, site):
        gate = self._shut.get(task.step)
        while gate and not gate.wait(0.01):
            if site.stopped.is_set():
                raise StepFailed("stopped before its gate was opened")
        if task.step in self.failing:
            raise StepFailed(f"{task.step} was told to fail")
        return Result(kind=None, name=task.name, description={"Value": task.step}, metadata={})


def work(name, *needs, **more):
    """A step of this sort, which waits for others."""
    return {"Name": name, "Type": "AutoML", "Arguments": {}, "DependsOn": list(needs), **more}


def definition(*steps, parameters=(), **more):
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": steps, **more})


def create(client, name, text, **more):
    return client.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **more)[
        "PipelineArn"
    ]
