"""Makes deliveries: starts pipelines and calls functions. What else may be a target is only noted."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.definition.errors import WorkflowError
from workflows.definition.model import JSON
from workflows.definition.records import Record, objects_of
from workflows.server.documents import parse_json
from workflows.server.errors import AwsError
from workflows.server.events import json_paths
from workflows.server.events.bus import Event

_LOG = logging.getLogger(__name__)
_PIPELINE = re.compile(r"arn:[^:]+:sagemaker:[^:]*:[^:]*:pipeline/[^/]+")
_FUNCTION = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:[^:]+(:[^:]+)?")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What can be a target here."""

    start_pipeline: Callable[[str, Mapping[str, str]], str]  # pipeline's ARN, parameters -> execution's ARN
    call_function: Callable[[str, JSON], None]  # function's ARN, event; returns before it has ended

    def make(self, record: Record) -> None:
        """Deliver once. A refusal is logged: nobody waits for an answer, and trying again is in vain."""
        target, event, by = _object(record["Target"]), _object(record["Event"]), str(record["By"])
        arn = str(target["Arn"])
        try:
            if _PIPELINE.fullmatch(arn):
                execution = self.start_pipeline(arn, parameters(target, None if record["Static"] else event))
                _LOG.info("%s: started %s", by, execution)
            elif _FUNCTION.fullmatch(arn):
                self.call_function(arn, input_of(target, event))
                _LOG.info("%s: called %s", by, arn)
            else:
                _LOG.warning("%s: %s: not delivered here: no such targets on this machine", by, arn)
        except (WorkflowError, AwsError, json_paths.NoSuchValue) as refused:
            _LOG.warning("%s: %s: not delivered: %s", by, arn, refused)


def parameters(target: Record, event: Event | None) -> dict[str, str]:
    """The parameters that a pipeline is started with; JSON paths among them are looked up in an event.

    Raises:
        NoSuchValue: the event has nothing at a path. EventBridge drops such a delivery, too.
    """
    given = _object(target.get("SageMakerPipelineParameters", {}))
    found: dict[str, str] = {}
    for entry in objects_of(given.get("PipelineParameterList")):
        value = str(entry["Value"])
        if event is not None and value.startswith("$.") and json_paths.is_path(value):
            value = json_paths.text(json_paths.at(event, value))
        found[str(entry["Name"])] = value
    return found


def input_of(target: Record, event: Event) -> JSON:
    """What a function is called with: the event, or what the target makes of it.

    Raises:
        NoSuchValue: the event has nothing at a path, or the template makes no JSON.
    """
    if "Input" in target:
        return _json(str(target["Input"]))
    if "InputPath" in target:
        return json_paths.at(event, str(target["InputPath"]))
    if "InputTransformer" in target:
        return _transformed(_object(target["InputTransformer"]), event)
    return dict(event)


def _transformed(transformer: Record, event: Event) -> JSON:
    """The template with values in place of <name>; in quotes a string stands without its own."""
    paths = _object(transformer.get("InputPathsMap", {}))
    template = str(transformer["InputTemplate"])

    def value(found: re.Match[str]) -> str:
        if found[1] not in paths:
            return found[0]
        # A path that leads nowhere leaves nothing, as on EventBridge.
        try:
            inserted = json_paths.at(event, str(paths[found[1]]))
        except json_paths.NoSuchValue:
            inserted = ""
        quoted = template[: found.start()].count('"') % 2 == 1
        text = json.dumps(inserted)
        return text[1:-1] if quoted and isinstance(inserted, str) else text

    return _json(_PLACEHOLDER.sub(value, template))


def _json(text: str) -> JSON:
    try:
        return parse_json(text)
    except ValueError:
        raise json_paths.NoSuchValue(f"the target's input is no JSON: {text}") from None


def _object(value: JSON) -> Record:
    return value if isinstance(value, dict) else {}
