"""The SSD network as an MXNet graph, on one of three backbones.

Layer names are those of the public MXNet model gallery (ImageNet ResNet v2 and vgg16_reduced), so that its
parameter files load by name, and those of MXNet's SSD example, so that patterns written for
freeze_layer_pattern fit.

Sources: Liu et al., SSD: Single Shot MultiBox Detector (2016); Liu et al., ParseNet (2015) for the scaled
first
layer; He et al., Identity Mappings in Deep Residual Networks (2016).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from algorithms.engine import mx
from algorithms.graphs import Symbol
from algorithms.resnet import ResNetShape, resnet_trunk

# A ground truth box claims every anchor that overlaps it this much. Internal: the hyperparameter
# overlap_threshold belongs to the evaluation. On small pictures, whose anchors are coarse, 0.5 leaves too
# few.
MATCHING_OVERLAP = 0.4
_VARIANCES = (0.1, 0.1, 0.2, 0.2)


RESNETS = {
    "resnet-50": ResNetShape((3, 4, 6, 3), (64, 256, 512, 1024, 2048), bottleneck=True),
    "resnet-18-half": ResNetShape((2, 2, 2, 2), (32, 32, 64, 128, 256), bottleneck=False),
}
# Filters of the feature layers added behind each backbone.
_EXTRA_FILTERS = {
    "vgg-16": (512, 256, 256, 256, 256),
    "resnet-50": (512, 256, 256, 128, 128),
    "resnet-18-half": (256, 128, 128, 64, 64),
}
# Backbones that the MXNet model gallery has ImageNet weights for.
PRETRAINABLE = ("vgg-16", "resnet-50")


def training_graph(
    base_network: str, *, num_classes: int, image_shape: int, nms_threshold: float, nms_topk: int
) -> Symbol:
    """The graph that is trained and that goes into the artifact.

    Args:
        base_network: vgg-16, resnet-50 or resnet-18-half.
        num_classes: without the background.
        image_shape: side of the square input, pixels; decides how many feature layers there are.
        nms_threshold: overlap above which the weaker of two detections of a class is dropped.
        nms_topk: how many detections of a picture enter that suppression.

    Returns:
        A group [cls_prob, loc_loss, cls_label, det] with the inputs `data` [N, 3, S, S] (RGB) and `label`
        [N, M, 5], rows (class, xmin, ymin, xmax, ymax) as fractions, padded with -1. det is [N, A, 6], rows
        (class, score, xmin, ymin, xmax, ymax), class -1 where there is nothing.
    """
    # Unnamed layers get numbers; a fresh count makes the graph the same text every time.
    with mx.name.NameManager():
        return _training_graph(base_network, num_classes, image_shape, nms_threshold, nms_topk)


def _training_graph(
    base_network: str, num_classes: int, image_shape: int, nms_threshold: float, nms_topk: int
) -> Symbol:
    layers = _feature_layers(base_network, image_shape)
    loc_preds, cls_preds, anchors = _multibox_heads(layers, num_classes)
    label = mx.sym.Variable("label")
    loc_target, loc_mask, cls_target = mx.sym.contrib.MultiBoxTarget(
        anchors,
        label,
        cls_preds,
        overlap_threshold=MATCHING_OVERLAP,
        ignore_label=-1,
        negative_mining_ratio=3,
        minimum_negative_samples=0,
        negative_mining_thresh=0.5,
        variances=_VARIANCES,
        name="multibox_target",
    )
    cls_prob = mx.sym.SoftmaxOutput(
        cls_preds,
        cls_target,
        ignore_label=-1,
        use_ignore=True,
        multi_output=True,
        normalization="valid",
        name="cls_prob",
    )
    distance = mx.sym.smooth_l1(loc_mask * (loc_preds - loc_target), scalar=1.0, name="loc_loss_")
    loc_loss = mx.sym.MakeLoss(distance, normalization="valid", name="loc_loss")
    cls_label = mx.sym.MakeLoss(cls_target, grad_scale=0, name="cls_label")
    detection = mx.sym.contrib.MultiBoxDetection(
        cls_prob,
        loc_preds,
        anchors,
        nms_threshold=nms_threshold,
        nms_topk=nms_topk,
        force_suppress=False,
        variances=_VARIANCES,
        name="detection",
    )
    det = mx.sym.MakeLoss(detection, grad_scale=0, name="det_out")
    return mx.sym.Group([cls_prob, loc_loss, cls_label, det])


def backbone_parameters(names: Iterable[str]) -> set[str]:
    """Those array names that belong to the backbone, not to the feature layers and heads of SSD."""
    return {
        name
        for name in names
        if name != "data"
        and not name.startswith("multi_feat_")
        and not name.endswith("_scale")
        and "_pred_conv_" not in name
    }


# --- backbones -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _FeatureLayer:
    """A map that boxes are predicted from."""

    symbol: Symbol
    name: str
    side: int  # cells
    normalize: bool = False


def _feature_layers(base_network: str, image_shape: int) -> list[_FeatureLayer]:
    is_vgg = base_network == "vgg-16"
    backbone = _vgg16(image_shape) if is_vgg else _resnet(RESNETS[base_network], image_shape)
    return _with_extra_layers(backbone, _EXTRA_FILTERS[base_network])


def _with_extra_layers(layers: list[_FeatureLayer], filters: Sequence[int]) -> list[_FeatureLayer]:
    """Halve the last map until one cell is left, or the filters are used up."""
    layers = list(layers)
    for number, count in enumerate(filters):
        last = layers[-1]
        if last.side == 1:
            break
        # A small odd map loses its border instead, as in the paper: 5 -> 3 -> 1 cells.
        shrink = last.side in (3, 5)
        side = last.side - 2 if shrink else (last.side + 1) // 2
        step = _Step(kernel=3, stride=1, pad=0) if shrink else _Step(kernel=3, stride=2, pad=1)
        name = f"multi_feat_{number + 2}_conv"
        narrow = _conv_relu(last.symbol, f"{name}_1x1", max(count // 2, 64), _Step(kernel=1, stride=1, pad=0))
        layers.append(_FeatureLayer(_conv_relu(narrow, f"{name}_3x3", count, step), f"{name}_3x3_relu", side))
    return layers


@dataclass(frozen=True, kw_only=True)
class _Step:
    """How a convolution goes over its input, the same both ways."""

    kernel: int
    stride: int
    pad: int


def _conv_relu(data: Symbol, name: str, filters: int, step: _Step) -> Symbol:
    conv = mx.sym.Convolution(
        data,
        num_filter=filters,
        kernel=(step.kernel, step.kernel),
        stride=(step.stride, step.stride),
        pad=(step.pad, step.pad),
        name=f"{name}_conv",
    )
    return mx.sym.Activation(conv, act_type="relu", name=f"{name}_relu")


def _resnet(shape: ResNetShape, image_shape: int) -> list[_FeatureLayer]:
    """The layers behind the third and the fourth stage, at 1/16 and 1/32 of the input."""
    last = resnet_trunk(shape, small_pictures=False)
    # The third stage's sum itself is neither normalised nor rectified; the next unit does both first.
    stage3 = last.get_internals()["stage4_unit1_relu1_output"]
    return [
        _FeatureLayer(stage3, "stage3", math.ceil(image_shape / 16)),
        _FeatureLayer(last, "relu1", math.ceil(image_shape / 32)),
    ]


def _vgg16(image_shape: int) -> list[_FeatureLayer]:
    """VGG-16 with fc6 and fc7 as convolutions; layers relu4_3 (1/8 of the input) and relu7 (1/16)."""
    body = mx.sym.Variable("data")
    side = image_shape
    for block, (convs, filters) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
        for number in range(1, convs + 1):
            name = f"{block}_{number}"
            body = mx.sym.Convolution(body, kernel=(3, 3), pad=(1, 1), num_filter=filters, name=f"conv{name}")
            body = mx.sym.Activation(body, act_type="relu", name=f"relu{name}")
        if block == 4:
            layers = [_FeatureLayer(body, "relu4_3", side, normalize=True)]
        if block < 5:
            body = mx.sym.Pooling(
                body,
                pool_type="max",
                kernel=(2, 2),
                stride=(2, 2),
                pooling_convention="full",
                name=f"pool{block}",
            )
            side = math.ceil(side / 2)
    body = mx.sym.Pooling(body, pool_type="max", kernel=(3, 3), stride=(1, 1), pad=(1, 1), name="pool5")
    body = mx.sym.Convolution(body, kernel=(3, 3), pad=(6, 6), dilate=(6, 6), num_filter=1024, name="fc6")
    body = mx.sym.Activation(body, act_type="relu", name="relu6")
    body = mx.sym.Convolution(body, kernel=(1, 1), num_filter=1024, name="fc7")
    relu7 = _FeatureLayer(mx.sym.Activation(body, act_type="relu", name="relu7"), "relu7", side)
    return [*layers, relu7]


# --- heads -----------------------------------------------------------------------------------------------


def _multibox_heads(layers: Sequence[_FeatureLayer], num_classes: int) -> tuple[Symbol, Symbol, Symbol]:
    """Offsets [N, A * 4], class scores [N, classes + 1, A] and anchors [1, A, 4] of all layers in a row."""
    offsets, scores, anchors = [], [], []
    all_sizes = anchor_sizes(len(layers), layers[0].side)
    for number, (layer, sizes) in enumerate(zip(layers, all_sizes, strict=True)):
        ratios = _ratios(number, len(layers))
        per_cell = len(sizes) + len(ratios) - 1
        source = _l2_normalized(layer) if layer.normalize else layer.symbol
        offsets.append(_head(source, f"{layer.name}_loc_pred_conv", per_cell * 4))
        scores.append(_head(source, f"{layer.name}_cls_pred_conv", per_cell * (num_classes + 1)))
        prior = mx.sym.contrib.MultiBoxPrior(
            source, sizes=sizes, ratios=ratios, clip=False, name=f"{layer.name}_anchors"
        )
        anchors.append(mx.sym.Flatten(prior))
    loc_preds = mx.sym.Concat(*offsets, dim=1, name="multibox_loc_pred")
    flat_scores = mx.sym.Concat(*scores, dim=1)
    cls_preds = mx.sym.Reshape(flat_scores, shape=(0, -1, num_classes + 1))
    cls_preds = mx.sym.transpose(cls_preds, axes=(0, 2, 1), name="multibox_cls_pred")
    all_anchors = mx.sym.Reshape(mx.sym.Concat(*anchors, dim=1), shape=(0, -1, 4), name="multibox_anchors")
    return loc_preds, cls_preds, all_anchors


def _head(source: Symbol, name: str, channels: int) -> Symbol:
    conv = mx.sym.Convolution(source, kernel=(3, 3), pad=(1, 1), num_filter=channels, name=name)
    return mx.sym.Flatten(mx.sym.transpose(conv, axes=(0, 2, 3, 1)))


def _l2_normalized(layer: _FeatureLayer) -> Symbol:
    """Bring an early layer to the scale of the later ones, a learned factor for each channel (ParseNet)."""
    unit = mx.sym.L2Normalization(layer.symbol, mode="channel", name=f"{layer.name}_norm")
    scale = mx.sym.Variable(f"{layer.name}_scale", shape=(1, 512, 1, 1), init=mx.init.Constant(20))
    return mx.sym.broadcast_mul(scale, unit)


def anchor_sizes(layers: int, cells: int) -> list[tuple[float, float]]:
    """Two anchor sides for each feature layer, as fractions of the picture's side; finest layer first.

    As in SSD, section 2.2, the scales rise evenly from twice the finest layer's to 0.9, and a layer's second
    side is the geometric mean with the next layer's. The finest scale is 0.1 as there, and more where the
    picture is so small that the finest layer has few cells: anchors smaller than a cell would leave most of
    the picture uncovered, and the few coarse layers would have to find all objects of usual size.

    Args:
        layers: how many feature layers there are.
        cells: on a side of the finest one.
    """
    first = min(max(1.6 / cells, 0.1), 0.25)
    steps = max(layers - 2, 1)
    later = [2 * first + (0.9 - 2 * first) * step / steps for step in range(layers - 1)]
    return [(low, math.sqrt(low * high)) for low, high in pairwise([first, *later, 1.05])]


def _ratios(number: int, layers: int) -> tuple[float, ...]:
    """Width to height of the anchors: three on the finest and the two coarsest layers, five on the others."""
    narrow = (1.0, 2.0, 0.5)
    return narrow if number == 0 or number >= layers - 2 else (*narrow, 3.0, 1 / 3)
