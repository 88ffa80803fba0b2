"""shape() and blob_shapes() remember nothing: asking for other sizes between two forwards changes no bit."""

import ast
from pathlib import Path

import pytest
import torch

from deeplab_caffe import layers
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, create
from deeplab_caffe.layers.parameters.parameter import Parameter

IMAGE = (2, 3, 6, 8)
LABELS = torch.tensor([[0.0, 2, 1, 9], [1, 1, 9, 0]]).view(2, 1, 2, 2)
SCORES = (2, 3, 2, 2)
OF_IMAGES = torch.tensor([[0.0, 2], [1, -1]]).view(2, 2, 1, 1)

# type: fields, then for each bottom its shape (drawn at random) or values
CASES = {
    "Accuracy": [("", (3, 4), torch.tensor([1.0, 0, 3]))],
    "AdaptiveBiasChannel": [("adaptive_bias_channel_param { num_iter: 2 }", IMAGE, OF_IMAGES)],
    "ArgMax": [
        ("", IMAGE),
        ("argmax_param { axis: 2 }", IMAGE),
        ("argmax_param { axis: -1 top_k: 2 }", IMAGE),
    ],
    "BatchReindex": [("", IMAGE, torch.tensor([1.0, 0, 1]))],
    "Bias": [("", IMAGE), ("bias_param { axis: -2 num_axes: -1 }", IMAGE), ("", IMAGE, (3, 6))],
    "BiasChannel": [("", IMAGE, OF_IMAGES)],
    "Clip": [("clip_param { min: 0 max: 1 }", IMAGE)],
    "ContrastiveLoss": [("", (3, 4), (3, 4), torch.tensor([1.0, 0, 0]))],
    "Convolution": [
        ("convolution_param { num_output: 2 kernel_size: 3 stride: 2 same_pad: true }", IMAGE),
        ("convolution_param { num_output: 3 kernel_size: 3 pad: 2 dilation: 2 group: 3 }", IMAGE),
    ],
    "Crop": [
        ("crop_param { offset: 1 }", IMAGE, (2, 3, 3, 4)),
        ("crop_param { axis: 1 offset: [0, 1, 2] }", IMAGE, (2, 3, 3, 4)),
    ],
    "Deconvolution": [("convolution_param { num_output: 2 kernel_size: 3 stride: 2 }", IMAGE)],
    "DomainTransform": [
        (
            "domain_transform_param { num_iter: 2 spatial_sigma: 3 range_sigma: 2 }",
            IMAGE,
            (2, 1, 6, 8),
            torch.tensor([[6.0, 8], [4, 3]]).view(2, 1, 1, 2),
        )
    ],
    "Eltwise": [("", IMAGE, IMAGE)],
    "Embed": [("embed_param { num_output: 3 input_dim: 4 }", torch.tensor([1.0, 3, 1]))],
    "EuclideanLoss": [("", IMAGE, IMAGE)],
    "HingeLoss": [("", (3, 4), torch.tensor([1.0, 0, 3]))],
    "Im2col": [("convolution_param { kernel_size: 3 stride: 2 }", IMAGE)],
    "InfogainLoss": [("", (2, 3), torch.tensor([1.0, 0]), torch.rand(1, 1, 3, 3))],
    "InnerProduct": [(f"inner_product_param {{ num_output: 4 axis: {axis} }}", IMAGE) for axis in (1, -1)],
    "Interp": [("interp_param { height: 9 width: 4 }", IMAGE), ("", IMAGE, (1, 1, 5, 5))],
    "LRN": [
        (f"lrn_param {{ norm_region: {region} }}", IMAGE) for region in ("ACROSS_CHANNELS", "WITHIN_CHANNEL")
    ],
    "MultinomialLogisticLoss": [("", (3, 4), torch.tensor([1.0, 0, 3]))],
    "Padding": [("padding_param { pad_beg: 1 pad_end: 2 }", IMAGE)],
    "Pooling": [
        ("pooling_param { pool: AVE global_pooling: true }", IMAGE),
        ("pooling_param { kernel_size: 3 stride: 2 same_pad: true }", IMAGE),
        ("pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }", IMAGE),
    ],
    "Reduction": [(f"reduction_param {{ axis: {axis} }}", IMAGE) for axis in (0, 2, -1)],
    "Reshape": [("reshape_param { shape { dim: 0 dim: -1 } }", IMAGE)],
    "Scale": [
        ("scale_param { bias_term: true }", IMAGE),
        ("scale_param { axis: -2 num_axes: -1 }", IMAGE),
        ("scale_param { axis: 0 }", IMAGE, (2, 3)),
    ],
    "SigmoidCrossEntropyLoss": [("", (3, 4), torch.tensor([[0.0, 1, 1, 0]] * 3))],
    "Slice": [("slice_param { slice_point: 1 } top: 'u'", IMAGE)],
    "Softmax": [(f"softmax_param {{ axis: {axis} }}", IMAGE) for axis in (1, -1)],
    "SoftmaxWithLoss": [("loss_param { ignore_label: 9 }", SCORES, LABELS)],
    "SPP": [("spp_param { pyramid_height: 2 }", IMAGE)],
    "SpatialProduct": [("", IMAGE, (2, 1, 6, 8))],
    "Tile": [(f"tile_param {{ axis: {axis} tiles: 2 }}", IMAGE) for axis in (1, -1)],
}
CASES |= {
    kind: [("", IMAGE)]
    for kind in (
        "AbsVal BatchNorm BNLL Concat Dropout ELU Exp Flatten HardSigmoid HardSwish Log MVN Power PReLU ReLU "
        "Sigmoid Split TanH Threshold"
    ).split()
}
OTHERS = [(2, 3, 9, 5), (1, 3, 4, 11), (4, 3, 7, 7), (5, 7), (2, 4)]


def made(kind, fields, bottoms):
    ends = "".join(f" bottom: 'b{i}'" for i in range(len(bottoms)))
    text = f"layer {{ name: 'tested' type: '{kind}' {ends} top: 't' {fields} }}"
    layer = create(read_net("net.prototxt", text=text, phase="test").layers[-1], Context())
    draw = torch.Generator().manual_seed(1)
    for shape in layer.blob_shapes([tuple(bottom.shape) for bottom in bottoms]):
        values = torch.rand(shape, generator=draw)
        layer.blobs.append(Parameter(shape, lambda values=values: values))
    return layer


def forward(layer, bottoms):
    tops = [torch.full(shape, -7.0) for shape in layer.shape([tuple(bottom.shape) for bottom in bottoms])]
    layer.forward(bottoms, tops)
    return tops


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, i) for kind, cases in CASES.items() for i in range(len(cases))]
)
def test_asking_for_other_sizes_changes_nothing(kind, number):
    fields, *given = CASES[kind][number]
    draw = torch.Generator().manual_seed(2)
    bottoms = [torch.rand(x, generator=draw) if isinstance(x, tuple) else x for x in given]
    layer, shapes = made(kind, fields, bottoms), [tuple(bottom.shape) for bottom in bottoms]
    wanted = forward(layer, bottoms)
    before = dict(vars(layer))
    tops, asked = [torch.full_like(top, -7.0) for top in wanted], 0
    for other in OTHERS:
        try:
            layer.shape([other] if len(shapes) == 1 else [other, *shapes[1:]])
            layer.blob_shapes([other, *shapes[1:]])
            asked += 1
        except (ValueError, IndexError):
            pass
    assert vars(layer) == before and (asked or len(shapes) > 1)
    layer.forward(bottoms, tops)
    for top, same in zip(tops, wanted, strict=True):
        assert torch.equal(top.view(torch.int32), same.view(torch.int32))


# Its shape is what a class of the user's answers, whose reshape may set what it likes.
ASKS_THE_USER = "python.py"


def test_no_layer_writes_to_itself_where_it_is_asked_for_shapes():
    for path in sorted(Path(layers.__file__).parent.rglob("*.py")):
        if path.name == ASKS_THE_USER:
            continue
        for method in ast.walk(ast.parse(path.read_text())):
            if isinstance(method, ast.FunctionDef) and method.name in ("shape", "blob_shapes"):
                written = [
                    ast.unparse(node)
                    for node in ast.walk(method)
                    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                ]
                assert not written, f"{path.name}: {method.name} writes to {written}"
