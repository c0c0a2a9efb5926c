"""EventBridge and its Scheduler as the server has them: their operations, and the loop behind them."""

from collections.abc import Callable, Mapping

from workflows.server.events import bus, rules, schedules, targets
from workflows.server.events.clock import Clock
from workflows.server.events.delivery import Delivery
from workflows.server.events.due import Due
from workflows.server.events.functions import Functions
from workflows.server.events.loop import EventLoop
from workflows.server.events.watcher import Watcher
from workflows.server.json_protocol import Operation
from workflows.server.machine import Machine

# Of EventBridge, in the JSON protocol; the Scheduler's are answered by `rest`.
OPERATIONS: Mapping[str, Operation] = {**rules.OPERATIONS, **targets.OPERATIONS, **bus.OPERATIONS}
SCHEDULER_OPERATIONS: Mapping[str, Operation] = schedules.OPERATIONS


def event_loop(machine: Machine, start_pipeline: Callable[[str, Mapping[str, str]], str]) -> EventLoop:
    """The loop of a server; not started yet.

    Args:
        machine: whose changes, rules and schedules these are.
        start_pipeline: given a pipeline's ARN and parameters, starts an execution and returns its ARN;
            WorkflowError or AwsError if it cannot be started.
    """
    functions = Functions(store=machine.store, place=machine.engine.place)
    return EventLoop(
        machine.store,
        Watcher(machine.store, machine.names),
        Due(machine.store, Clock(machine.store), machine.names),
        Delivery(start_pipeline=start_pipeline, call_function=functions.call),
    )
