"""The networks of Image Classification as MXNet graphs, and the reading of graphs that others made.

Layer names and sizes are those of MXNet's example of image classification, which the public model gallery
and SageMaker's image follow.
"""

from dataclasses import dataclass

from algorithms.engine import mx
from algorithms.graphs import GraphError, Symbol, data_name, document_of, with_heads
from algorithms.image_classification.settings import ImageShape
from algorithms.resnet import ResNetShape, resnet_trunk

LABEL = "softmax_label"
FEATURES = "pool1"  # the layer before the last
# Pictures up to this height begin with a convolution that keeps their size.
_SMALL_STEM_HEIGHT = 32

_LARGE_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
# Operators that turn the last layer's numbers into probabilities, and whether each class stands by itself.
_OUTPUTS = {
    "SoftmaxOutput": False,
    "Softmax": False,
    "softmax": False,
    "SoftmaxActivation": False,
    "LogisticRegressionOutput": True,
    "sigmoid": True,
}


def classification_graph(
    num_layers: int, *, num_classes: int, image_shape: ImageShape, multi_label: bool
) -> Symbol:
    """The graph that is trained and that goes into the artifact.

    Returns:
        Probabilities [N, num_classes] of the inputs `data` [N, 3, H, W] (red, green, blue, 0 to 255, as
        decoded: the first layer normalises them) and `softmax_label`, [N] class numbers or, for multi_label,
        [N, num_classes] of 0 and 1.
    """
    # Unnamed layers get numbers; a fresh count makes the graph the same text every time.
    with mx.name.NameManager():
        small = image_shape.height <= _SMALL_STEM_HEIGHT or num_layers not in _LARGE_UNITS
        body = resnet_trunk(resnet_shape(num_layers), small_pictures=small)
        body = mx.sym.Pooling(body, global_pool=True, kernel=(7, 7), pool_type="avg", name=FEATURES)
        body = mx.sym.Flatten(body)
        body = mx.sym.FullyConnected(body, num_hidden=num_classes, name="fc1")
        if multi_label:
            return mx.sym.LogisticRegressionOutput(body, mx.sym.Variable(LABEL), name="softmax")
        return mx.sym.SoftmaxOutput(body, mx.sym.Variable(LABEL), name="softmax")


def resnet_shape(num_layers: int) -> ResNetShape:
    """Depth and width of the network of so many layers."""
    if num_layers in _LARGE_UNITS:
        bottleneck = num_layers >= 50
        filters = (64, 256, 512, 1024, 2048) if bottleneck else (64, 64, 128, 256, 512)
        return ResNetShape(_LARGE_UNITS[num_layers], filters, bottleneck)
    # Two layers in each unit, three stages, one layer before and one behind them.
    return ResNetShape(((num_layers - 2) // 6,) * 3, (16, 16, 32, 64), bottleneck=False)


@dataclass(frozen=True)
class Head:
    """The end of a classification graph."""

    node: int
    logits: tuple[int, int]  # node and output that it makes probabilities of
    multi_label: bool


def find_head(symbol: Symbol, where: str) -> Head:
    """How a graph, ours or one made by SageMaker, comes to its probabilities.

    Raises:
        GraphError: it has no output that is softmax or sigmoid of a layer.
    """
    graph = document_of(symbol)
    for node, *_ in graph["heads"]:
        operator = graph["nodes"][node]["op"]
        if operator in _OUTPUTS:
            first, output = graph["nodes"][node]["inputs"][0][:2]
            return Head(node, (first, output), _OUTPUTS[operator])
    operators = ", ".join(graph["nodes"][node]["op"] for node, *_ in graph["heads"])
    raise GraphError(
        f"{where}: ends in {operators} and not in probabilities of classes, so it is no Image Classification "
        "model; give the artifact of an Image Classification training job"
    )


def logits_graph(symbol: Symbol) -> Symbol:
    """The last layer's numbers [N, num_classes] alone: no probabilities and no label."""
    return with_heads(document_of(symbol), [find_head(symbol, "the model's graph").logits])


def inference_graph(symbol: Symbol) -> Symbol:
    """The probabilities alone, [N, num_classes], as a function of `data` and the weights: no label."""
    logits = logits_graph(symbol)
    with mx.name.NameManager():
        if find_head(symbol, "the model's graph").multi_label:
            return mx.sym.sigmoid(logits)
        return mx.sym.softmax(logits, axis=1)


def class_count(symbol: Symbol, image_shape: ImageShape) -> int:
    """How many classes the graph tells apart.

    Raises:
        GraphError: it does not take pictures of that shape.
    """
    logits = logits_graph(symbol)
    try:
        _, (shape, *_), _ = logits.infer_shape(**{data_name(logits): (1, *image_shape)})
    except mx.base.MXNetError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise GraphError(f"the model's graph does not take pictures of {image_shape}: {reason}") from None
    return int(shape[1])


def layer_count(symbol: Symbol) -> int | None:
    """num_layers of a residual network, by its operators and not by names; None if it is none.

    A unit ends in a sum. It has two convolutions wider than a pixel, or one between two that are not; with
    the first convolution and the last layer that makes 2 or 3 layers a unit, and 2.
    """
    nodes = document_of(symbol)["nodes"]
    units = sum(node["op"] in ("elemwise_add", "_Plus", "_plus", "broadcast_add") for node in nodes)
    kernels = [node["attrs"]["kernel"].replace(" ", "") for node in nodes if node["op"] == "Convolution"]
    wide = sum(kernel != "(1,1)" for kernel in kernels) - 1
    if units and wide == 2 * units:
        return 2 * units + 2
    if units and wide == units:
        return 3 * units + 2
    return None
