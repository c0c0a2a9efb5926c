import pytest

from algorithms.object_detection.graph import class_count, inference_graph, parse_graph, training_heads
from algorithms.object_detection.network import anchor_sizes, backbone_parameters, training_graph


def graph_of(base_network, image_shape, num_classes=5):
    return training_graph(
        base_network, num_classes=num_classes, image_shape=image_shape, nms_threshold=0.45, nms_topk=400
    )


@pytest.mark.parametrize(
    ("base_network", "image_shape", "cells", "anchors"),
    [
        # SSD300 as published: 38, 19, 10, 5, 3 and 1 cells with 4 or 6 anchors each, 8732 in all.
        pytest.param("vgg-16", 300, [38, 19, 10, 5, 3, 1], [4, 6, 6, 6, 4, 4], id="published-ssd300"),
        # SSD512: 24564.
        pytest.param("vgg-16", 512, [64, 32, 16, 8, 4, 2, 1], [4, 6, 6, 6, 6, 4, 4], id="published-ssd512"),
        pytest.param("resnet-50", 300, [19, 10, 5, 3, 1], [4, 6, 6, 4, 4], id="resnet-300"),
        pytest.param("resnet-50", 512, [32, 16, 8, 4, 2, 1], [4, 6, 6, 6, 4, 4], id="resnet-512"),
        pytest.param("resnet-18-half", 128, [8, 4, 2, 1], [4, 6, 4, 4], id="small"),
        pytest.param("resnet-18-half", 64, [4, 2, 1], [4, 4, 4], id="smallest"),
        pytest.param("resnet-18-half", 97, [7, 4, 2, 1], [4, 6, 4, 4], id="odd-side"),
    ],
)
def test_the_feature_layers_follow_from_the_picture_size(base_network, image_shape, cells, anchors):
    total = sum(side * side * per_cell for side, per_cell in zip(cells, anchors, strict=True))
    shapes = {"data": (2, 3, image_shape, image_shape), "label": (2, 3, 5)}
    _, outputs, _ = graph_of(base_network, image_shape).infer_shape(**shapes)
    assert outputs == [(2, 6, total), (2, total * 4), (2, total), (2, total, 6)]


@pytest.mark.parametrize(
    ("layers", "cells", "scales"),
    [
        pytest.param(6, 38, [0.1, 0.2, 0.375, 0.55, 0.725, 0.9], id="ssd300"),
        pytest.param(4, 8, [0.2, 0.4, 0.65, 0.9], id="small"),
        pytest.param(3, 4, [0.25, 0.5, 0.9], id="smallest"),
    ],
)
def test_the_anchors_rise_evenly_to_nearly_the_whole_picture(layers, cells, scales):
    sizes = anchor_sizes(layers, cells)
    assert [first for first, _ in sizes] == pytest.approx(scales)
    assert sizes[0][1] ** 2 == pytest.approx(scales[0] * scales[1])


# Names in the files resnet-50-0000.params and vgg16_reduced of the MXNet model gallery.
@pytest.mark.parametrize(
    ("base_network", "names"),
    [
        pytest.param(
            "resnet-50",
            {
                "bn_data_gamma",
                "conv0_weight",
                "bn0_moving_mean",
                "stage1_unit1_bn1_beta",
                "stage1_unit1_conv3_weight",
                "stage1_unit1_sc_weight",
                "stage3_unit6_conv2_weight",
                "stage4_unit3_bn3_moving_var",
                "bn1_gamma",
            },
            id="resnet-50",
        ),
        pytest.param(
            "vgg-16",
            {"conv1_1_weight", "conv3_3_bias", "conv5_3_weight", "fc6_weight", "fc7_bias"},
            id="vgg-16",
        ),
    ],
)
def test_backbone_layers_have_the_names_of_the_model_gallery(base_network, names):
    graph = inference_graph(graph_of(base_network, 300))
    backbone = backbone_parameters([*graph.list_arguments(), *graph.list_auxiliary_states()])
    assert names <= backbone
    assert not [name for name in backbone if "pred" in name or "multi_feat" in name or "scale" in name]


def test_the_graph_is_the_same_text_every_time():
    assert graph_of("vgg-16", 300).tojson() == graph_of("vgg-16", 300).tojson()


def test_the_graph_for_inference_needs_no_labels():
    graph = parse_graph(graph_of("resnet-18-half", 64).tojson(), "here")
    assert "label" in training_heads(graph).list_arguments()
    assert "label" not in inference_graph(graph).list_arguments()


def test_the_number_of_classes_is_read_from_the_graph_itself():
    assert class_count(graph_of("resnet-18-half", 64, num_classes=7), 64) == 7
