"""Reads any SSD training graph, ours or one made by SageMaker, by its operators, never by layer names."""

import json
from collections.abc import Iterator, Mapping

from algorithms.engine import mx
from algorithms.graphs import (
    GraphError,
    Node,
    Symbol,
    data_name,
    document_of,
    find_node,
    load_graph,
    with_heads,
)

# Operators that pass on what they are given; the heads of the graph are wrapped in them.
_WRAPPERS = ("MakeLoss", "make_loss", "BlockGrad", "stop_gradient", "_copy", "identity")


def parse_graph(text: str, where: str) -> Symbol:
    """The graph in an MXNet symbol file.

    Raises:
        GraphError: the text is no graph, or one without a detector.
    """
    symbol = load_graph(text, where)
    if not any(node["op"].endswith("MultiBoxDetection") for node in document_of(symbol)["nodes"]):
        raise GraphError(
            f"{where}: has no MultiBoxDetection operator, so it is no Object Detection model; give the "
            f"artifact "
            "of an Object Detection training job"
        )
    return symbol


def training_heads(symbol: Symbol) -> Symbol:
    """The outputs that training needs: a group [cls_prob, loc_loss, cls_label], without the detections.

    Leaving the detections out saves their non-maximum suppression in every training step.

    Raises:
        GraphError: the graph lacks one of them, as after MXNet's deploy.py has cut off the losses.
    """
    document = document_of(symbol)
    heads = {_role(document["nodes"], node, output): (node, output) for node, output, *_ in document["heads"]}
    wanted = ("cls_prob", "loc_loss", "cls_label")
    missing = [role for role in wanted if role not in heads]
    if missing:
        raise GraphError(
            f"the model's graph has no {', '.join(missing)} output and cannot be trained further; give "
            f"the artifact "
            "as the training job left it, not one changed for deployment"
        )
    return with_heads(document, [heads[role] for role in wanted])


def inference_graph(symbol: Symbol) -> Symbol:
    """The detections alone, [N, A, 6], as a function of `data` and the weights: no losses and no labels."""
    document = document_of(symbol)
    nodes = document["nodes"]
    detection = find_node(nodes, "MultiBoxDetection")
    probabilities = nodes[nodes[detection]["inputs"][0][0]]
    if probabilities["op"] == "SoftmaxOutput":
        # The training operator would drag the labels and their matching with anchors into every prediction.
        probabilities.update(
            op="SoftmaxActivation", attrs={"mode": "channel"}, inputs=probabilities["inputs"][:1]
        )
    return with_heads(document, [(detection, 0)])


def with_detection_options(symbol: Symbol, *, nms_threshold: float, nms_topk: int) -> Symbol:
    """The same graph with other options for non-maximum suppression."""
    document = document_of(symbol)
    for node in document["nodes"]:
        if node["op"].endswith("MultiBoxDetection"):
            node["attrs"].update(nms_threshold=str(nms_threshold), nms_topk=str(nms_topk))
    return mx.sym.load_json(json.dumps(document))


def input_names(symbol: Symbol) -> tuple[str, str]:
    """The names of the graph's picture and label inputs.

    Raises:
        GraphError: the graph has no single input of that use.
    """
    nodes = document_of(symbol)["nodes"]
    target = nodes[find_node(nodes, "MultiBoxTarget")]
    label = nodes[target["inputs"][1][0]]
    if label["op"] != "null":
        raise GraphError("the model's graph computes its labels; expected a plain input")
    return data_name(symbol), label["name"]


def class_count(symbol: Symbol, image_shape: int) -> int:
    """How many classes the graph tells apart, without the background.

    Raises:
        GraphError: its shapes do not fit pictures of that side.
    """
    document = document_of(symbol)
    detection = find_node(document["nodes"], "MultiBoxDetection")
    scores = with_heads(document, [tuple(document["nodes"][detection]["inputs"][0][:2])])
    shapes: Mapping[str, tuple[int, ...]] = {data_name(symbol): (1, 3, image_shape, image_shape)}
    if any(node["op"].endswith("MultiBoxTarget") for node in document_of(scores)["nodes"]):
        shapes = {**shapes, input_names(scores)[1]: (1, 1, 5)}
    try:
        _, (shape, *_), _ = scores.infer_shape(**shapes)
    except mx.base.MXNetError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise GraphError(
            f"the model's graph does not take pictures of {image_shape} pixels: {reason}"
        ) from None
    return int(shape[1]) - 1


def _role(nodes: list[Node], node: int, output: int) -> str:
    *_, (node, output) = _unwrapped(nodes, node, output)
    operator = nodes[node]["op"]
    if operator.endswith("MultiBoxDetection"):
        return "det"
    if operator.endswith("MultiBoxTarget"):
        return "cls_label" if output == 2 else "target"
    return "cls_prob" if operator == "SoftmaxOutput" else "loc_loss"


def _unwrapped(nodes: list[Node], node: int, output: int) -> Iterator[tuple[int, int]]:
    yield node, output
    while nodes[node]["op"] in _WRAPPERS:
        node, output = nodes[node]["inputs"][0][:2]
        yield node, output
