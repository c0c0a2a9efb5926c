"""Where a training starts from: the model channel, pretrained weights, or random weights."""

import logging
from dataclasses import dataclass
from pathlib import Path

from algorithms.graphs import Symbol, data_name
from algorithms.image_classification import artifact
from algorithms.image_classification.network import FEATURES, classification_graph, inference_graph
from algorithms.image_classification.settings import Settings
from algorithms.pretrained import pretrained_weights
from algorithms.weights import NOTHING, Weights, check_fit
from processing_scripts import contract

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The graph to train and the weights to begin with; parameters without weights get random ones."""

    graph: Symbol
    weights: Weights


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
    graph = classification_graph(
        settings.num_layers,
        num_classes=settings.num_classes,
        image_shape=settings.image_shape,
        multi_label=settings.multi_label,
    )
    if settings.use_pretrained_model:
        return _from_pretrained(graph, settings)
    _log.info("Performing random weight initialization")
    return Start(graph, NOTHING)


def _from_artifact(channel: Path, settings: Settings) -> Start:
    _log.info("Start training from the model in the model channel.")
    found = artifact.load(channel)
    if found.image_shape is None:
        _log.warning("The model in the model channel does not tell the image_shape it was trained with")
    artifact.check_same_model(found, settings)
    network = inference_graph(found.graph)
    check_fit(network, found.weights, {data_name(network): (1, *settings.image_shape)})
    _log.info("Loaded model parameters from the model channel.")
    return Start(found.graph, found.weights)


def _from_pretrained(graph: Symbol, settings: Settings) -> Start:
    # All but the last layer, whose classes are others.
    features = graph.get_internals()[f"{FEATURES}_output"]
    inputs = {data_name(features): (1, *settings.image_shape)}
    _log.info("Start training from pretrained model 1.")
    weights = pretrained_weights(
        f"resnet-{settings.num_layers}",
        {*features.list_arguments(), *features.list_auxiliary_states()} - inputs.keys(),
    )
    check_fit(features, weights, inputs)
    _log.info("Loaded pretrained model parameters.")
    return Start(graph, weights)
