"""Residual networks with identity mappings (ResNet v2), the trunk that the algorithms share.

Layer names are those of the public MXNet model gallery, so that its parameter files load by name. The first
layer normalises the pictures itself: a running mean and variance for each colour.

Source: He et al., Identity Mappings in Deep Residual Networks (2016); MXNet's example of image
classification.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from algorithms.engine import mx
from algorithms.graphs import Symbol

_BATCH_NORM = {"fix_gamma": False, "eps": 2e-5, "momentum": 0.9}


@dataclass(frozen=True)
class ResNetShape:
    """Depth and width of a residual network."""

    units: Sequence[int]  # residual units in each stage
    filters: Sequence[int]  # of the stem and of each stage
    bottleneck: bool


def resnet_trunk(shape: ResNetShape, *, small_pictures: bool) -> Symbol:
    """All layers from the input `data` [N, 3, H, W] to the last rectified map.

    Args:
        shape: depth and width.
        small_pictures: begin with one convolution that keeps the size, instead of one and a pooling that
            together quarter it.
    """
    data = mx.sym.Variable("data")
    data = mx.sym.BatchNorm(data, fix_gamma=True, eps=2e-5, momentum=0.9, name="bn_data")
    body = _small_stem(data, shape.filters[0]) if small_pictures else _stem(data, shape.filters[0])
    unit = _bottleneck_unit if shape.bottleneck else _basic_unit
    for stage, (units, filters) in enumerate(zip(shape.units, shape.filters[1:], strict=True), start=1):
        for number in range(1, units + 1):
            stride = 2 if number == 1 and stage > 1 else 1
            body = unit(body, f"stage{stage}_unit{number}", filters, stride, number > 1)
    return _bn_relu(body, "bn1", "relu1")


def _stem(data: Symbol, filters: int) -> Symbol:
    body = mx.sym.Convolution(
        data, num_filter=filters, kernel=(7, 7), stride=(2, 2), pad=(3, 3), no_bias=True, name="conv0"
    )
    body = _bn_relu(body, "bn0", "relu0")
    return mx.sym.Pooling(body, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")


def _small_stem(data: Symbol, filters: int) -> Symbol:
    return mx.sym.Convolution(
        data, num_filter=filters, kernel=(3, 3), stride=(1, 1), pad=(1, 1), no_bias=True, name="conv0"
    )


def _bn_relu(data: Symbol, bn_name: str, relu_name: str) -> Symbol:
    normalized = mx.sym.BatchNorm(data, name=bn_name, **_BATCH_NORM)
    return mx.sym.Activation(normalized, act_type="relu", name=relu_name)


def _basic_unit(data: Symbol, name: str, filters: int, stride: int, same_shape: bool) -> Symbol:
    act1 = _bn_relu(data, f"{name}_bn1", f"{name}_relu1")
    body = _conv(act1, f"{name}_conv1", filters, kernel=3, stride=stride)
    act2 = _bn_relu(body, f"{name}_bn2", f"{name}_relu2")
    body = _conv(act2, f"{name}_conv2", filters, kernel=3)
    return body + (data if same_shape else _conv(act1, f"{name}_sc", filters, kernel=1, stride=stride))


def _bottleneck_unit(data: Symbol, name: str, filters: int, stride: int, same_shape: bool) -> Symbol:
    act1 = _bn_relu(data, f"{name}_bn1", f"{name}_relu1")
    body = _conv(act1, f"{name}_conv1", filters // 4, kernel=1)
    body = _bn_relu(body, f"{name}_bn2", f"{name}_relu2")
    body = _conv(body, f"{name}_conv2", filters // 4, kernel=3, stride=stride)
    body = _bn_relu(body, f"{name}_bn3", f"{name}_relu3")
    body = _conv(body, f"{name}_conv3", filters, kernel=1)
    return body + (data if same_shape else _conv(act1, f"{name}_sc", filters, kernel=1, stride=stride))


def _conv(data: Symbol, name: str, filters: int, *, kernel: int, stride: int = 1) -> Symbol:
    return mx.sym.Convolution(
        data,
        num_filter=filters,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(kernel // 2, kernel // 2),
        no_bias=True,
        name=name,
    )
