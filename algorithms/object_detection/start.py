"""Where a training starts from: the model channel, pretrained weights of the backbone, or random weights."""

import logging
from dataclasses import dataclass
from pathlib import Path

from algorithms.graphs import Symbol, data_name
from algorithms.object_detection import artifact
from algorithms.object_detection.graph import inference_graph, with_detection_options
from algorithms.object_detection.network import PRETRAINABLE, backbone_parameters, training_graph
from algorithms.object_detection.settings import Settings
from algorithms.pretrained import pretrained_weights
from algorithms.weights import NOTHING, Weights, check_fit
from processing_scripts import contract
from processing_scripts.contract import JobError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The graph to train and the weights to begin with; parameters without weights get random ones."""

    graph: Symbol
    weights: Weights

    @property
    def from_scratch(self) -> bool:
        """Whether all weights are random."""
        return not self.weights.args


def choose_start(settings: Settings) -> Start:
    """Take the model channel if the job has one, else follow use_pretrained_model.

    Raises:
        JobError: the model does not fit the hyperparameters, or there are no pretrained weights to be had.
    """
    channel = contract.channel("model")
    if channel is not None:
        if settings.use_pretrained_model:
            _log.info("Ignoring use_pretrained_model=1, since there is a model channel.")
        return _from_artifact(channel, settings)
    graph = training_graph(
        settings.base_network,
        num_classes=settings.num_classes,
        image_shape=settings.image_shape,
        nms_threshold=settings.nms_threshold,
        nms_topk=settings.nms_topk,
    )
    if settings.use_pretrained_model:
        return _from_pretrained(graph, settings)
    _log.info("Performing random weight initialization")
    return Start(graph, NOTHING)


def _from_artifact(channel: Path, settings: Settings) -> Start:
    _log.info("Start training from the model in the model channel.")
    found = artifact.load(channel)
    artifact.check_same_model(
        found,
        base_network=settings.base_network,
        num_classes=settings.num_classes,
        image_shape=settings.image_shape,
    )
    _check_weights(found.graph, found.weights, settings.image_shape)
    theirs = found.hyperparameters.get("image_shape", str(settings.image_shape))
    if theirs != str(settings.image_shape):
        _log.warning(
            "The model in the model channel was trained with image_shape=%s, this job says %d; its "
            "anchors were made "
            "for the former",
            theirs,
            settings.image_shape,
        )
    graph = with_detection_options(
        found.graph, nms_threshold=settings.nms_threshold, nms_topk=settings.nms_topk
    )
    _log.info("Loaded model parameters from the model channel.")
    return Start(graph, found.weights)


def _check_weights(graph: Symbol, weights: Weights, image_shape: int) -> None:
    network = inference_graph(graph)
    check_fit(network, weights, {data_name(network): (1, 3, image_shape, image_shape)})


def _from_pretrained(graph: Symbol, settings: Settings) -> Start:
    if settings.base_network not in PRETRAINABLE:
        raise JobError(
            f"use_pretrained_model=1: there are no pretrained weights for '{settings.base_network}'; set it "
            "to 0"
        )
    network = inference_graph(graph)
    wanted = backbone_parameters([*network.list_arguments(), *network.list_auxiliary_states()])
    _log.info("Start training from pretrained model 1.")
    weights = pretrained_weights(settings.base_network, wanted)
    _log.info("Loaded pretrained model parameters.")
    return Start(graph, weights)
