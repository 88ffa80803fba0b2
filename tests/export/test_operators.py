import re

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.export.builder import OPERATORS, operator
from deeplab_caffe.export.check import compare, make_cases
from deeplab_caffe.export.prepared import prepare


def test_every_layer_type_in_one_net(every_layer, module_of):
    net = Net(every_layer)
    random_weights(net)
    prepared = prepare(net)
    module = module_of(prepared)
    cases = make_cases(net, prepared.program.input_names, prepared.outputs)
    assert [case.size for case in cases] == ["1x3x33x41", "2x3x54x83"]
    for case in cases:
        with torch.no_grad():
            results = compare("torch", case, module(*case.inputs.values()))
        assert len(results) == 6
        assert all(result.passed for result in results), results


def test_the_net_has_every_type_but_one_that_needs_a_file(every_layer):
    types = set(re.findall(r'type: "(\w+)"', every_layer.read_text()))
    assert OPERATORS.keys() - types == {"ChannelAggregator"}


@pytest.mark.parametrize(
    "pooling",
    [
        "pool: MAX kernel_size: 2 stride: 2",
        "pool: MAX kernel_size: 3 stride: 2",
        "pool: MAX kernel_size: 3 stride: 2 pad: 1",
        "pool: MAX kernel_size: 2 stride: 2 pad: 1",
        "pool: MAX kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 3 pad_h: 0 pad_w: 2",
        "pool: AVE kernel_size: 3 stride: 2",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1",
        "pool: AVE kernel_size: 2 stride: 2 pad: 1",
        "pool: AVE kernel_size: 5 stride: 3 pad: 2",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR",
        "pool: MAX kernel_size: 3 stride: 2 same_pad: true",
        "pool: STOCHASTIC kernel_size: 3 stride: 2",
        "pool: MAX global_pooling: true",
    ],
)
def test_pooling_lays_its_windows_as_caffe(agrees, pooling):
    positive = 'layer { name: "abs" type: "AbsVal" bottom: "data" top: "x" }'
    sizes = [(1, h, w) for h, w in ((7, 8), (9, 10), (11, 12), (13, 6))]
    pooled = f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {pooling} }} }}'
    agrees(positive + pooled, *sizes)


@pytest.mark.parametrize(
    "interp",
    [
        "zoom_factor: 3",
        "shrink_factor: 2",
        "shrink_factor: 4 zoom_factor: 3",
        "height: 5 width: 7",
        "zoom_factor: 2 align_corners: false",
        "zoom_factor: 2 pad_beg: -1 pad_end: -2",
    ],
)
def test_interp_has_caffes_sizes_and_corners(agrees, interp):
    agrees(f'layer {{ name: "i" type: "Interp" bottom: "data" top: "y" interp_param {{ {interp} }} }}')


@pytest.mark.parametrize(("kernel", "stride", "hole"), [(3, 2, 1), (3, 1, 2), (1, 2, 1), (4, 3, 1)])
def test_same_pad(agrees, kernel, stride, hole):
    sizes = [(1, h, w) for h, w in ((7, 8), (9, 12), (10, 11))]
    window = f"kernel_size: {kernel} stride: {stride} dilation: {hole} same_pad: true"
    agrees(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "y" '
        f"convolution_param {{ num_output: 3 {window} }} }}",
        *sizes,
    )


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("ArgMax", ""),
        ("ArgMax", "argmax_param { axis: 1 top_k: 2 }"),
        ("ArgMax", "argmax_param { top_k: 2 out_max_val: true }"),
        ("Eltwise", 'bottom: "data" eltwise_param { coeff: -2 coeff: 0.5 }'),
        ("Eltwise", 'bottom: "data" bottom: "data" eltwise_param { operation: PROD }'),
        ("Exp", "exp_param { scale: 0.1 }"),
        ("Flatten", "flatten_param { axis: 1 end_axis: 2 }"),
        ("InnerProduct", "inner_product_param { num_output: 3 axis: -1 }"),
        ("Log", "log_param { scale: 0 shift: 3 }"),
        ("MVN", "mvn_param { across_channels: true normalize_variance: false }"),
        ("Power", "power_param { scale: 0 shift: 2 power: 3 }"),
        ("Power", "power_param { power: 0 }"),
        ("PReLU", "prelu_param { channel_shared: true }"),
        ("Reduction", "reduction_param { operation: SUMSQ }"),
        ("Reduction", "reduction_param { operation: SUM axis: 3 }"),
        ("Scale", "scale_param { axis: 1 num_axes: 1 bias_term: true }"),
        ("Softmax", "softmax_param { axis: 3 }"),
        ("Tile", "tile_param { axis: 2 tiles: 3 }"),
        ("BatchNorm", "batch_norm_param { use_global_stats: false }"),
    ],
)
def test_forms_of_layers(agrees, kind, fields):
    sizes = [(2, 13, 18)] if kind == "InnerProduct" else [(2, 13, 18), (1, 6, 9)]
    agrees(f'layer {{ name: "l" type: "{kind}" bottom: "data" top: "y" {fields} }}', *sizes)


def test_channel_aggregator(agrees, tmp_path):
    (tmp_path / "map").write_text("0 2\n1\n3 0\n")
    agrees(
        'layer { name: "l" type: "ChannelAggregator" bottom: "data" top: "y" '
        f'channel_aggregator_param {{ label_map_file: "{tmp_path}/map" }} }}'
    )


def test_equal_scores_give_the_last_label(net_of, module_of):
    net = net_of('layer { name: "l" type: "ArgMax" bottom: "data" top: "y" argmax_param { axis: 1 } }')
    x = torch.zeros(1, 4, 5, 5)
    assert net.forward(data=x)["y"].unique().tolist() == [3]
    assert module_of(prepare(net))(x).unique().tolist() == [3]


@pytest.mark.parametrize("dialect", ["layers", "layer"])
def test_vectors_of_both_dialects(agrees, dialect):
    kind = "INNER_PRODUCT" if dialect == "layers" else '"InnerProduct"'
    agrees(
        f'{dialect} {{ name: "fc" type: {kind} bottom: "data" top: "y" '
        "inner_product_param { num_output: 3 } }",
        (1, 13, 18),
        (3, 13, 18),
    )


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("SPP", "spp_param { pyramid_height: 2 }", "type: cannot be exported: its windows depend"),
        ("Pooling", "pooling_param { kernel_size: 3 pad: 2 }", "more than half the kernel"),
        ("DominantChannel", "", "DominantChannel has no counterpart; --outputs BLOB ends the net"),
    ],
)
def test_what_cannot_go_is_told_with_the_way_around(net_of, kind, fields, message):
    layer = f'layer {{ name: "odd" type: "{kind}" bottom: "data" top: "y" {fields} }}'
    with pytest.raises(DeepLabError, match=f"layer 'odd' .{kind}.: .*{re.escape(message)}"):
        prepare(net_of(layer))


def test_an_operator_is_registered_once():
    with pytest.raises(ValueError, match="ReLU is registered twice"):
        operator("ReLU")(lambda build, layer, x: x)
