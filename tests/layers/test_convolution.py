"""Values, shapes and errors; the kernels' bits are tested in tests/ops, the fast paths in parts."""

import pytest
import torch
from torch.nn import functional

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer as layer_text
from tests.layers.layer_text import layer_v1


def layer(fields):
    return layer_text("Convolution", f"convolution_param {{ {fields} }}")


def set_blobs(run, bottom, rand):
    blobs = [rand(*shape) for shape in run.layer.blob_shapes([bottom])]
    run.layer.blobs = [Parameter(tuple(blob.shape), lambda blob=blob: blob) for blob in blobs]
    return blobs


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ("kernel_size: 3", {}),
        ("kernel_size: 3 dilation: 2 pad: 2", dict(dilation=2, padding=2)),
        ("kernel_size: 3 dilation: 2 dilation: 1 pad: 4 pad: 0", dict(dilation=(2, 1), padding=(4, 0))),
        (
            "kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 2",
            dict(stride=(3, 1), padding=(0, 2)),
        ),
        ("kernel_size: 3 stride: 2 group: 2 bias_term: false", dict(stride=2, groups=2)),
        ("kernel_size: 3 pad: 1 group: 4", dict(padding=1, groups=4)),
    ],
)
@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_against_torch(run_layer, rand, fields, options, precision):
    x = rand(2, 4, 9, 11)
    run = run_layer(layer(f"num_output: 8 {fields}"), precision=precision)
    weights, *bias = set_blobs(run, tuple(x.shape), rand)
    wanted = functional.conv2d(x.double(), weights.double(), bias[0].double() if bias else None, **options)
    torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        run.layer.formula([x], [weights, *bias])[0].double(), wanted, rtol=1e-4, atol=1e-5
    )


def test_same_weights_for_several_bottoms(run_in_net, rand):
    x, y = rand(1, 2, 5, 6), rand(1, 2, 7, 4)
    rest = 'convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } }'
    both = run_in_net("Convolution", x, y, rest=rest, tops=2)
    assert [tuple(top.shape) for top in both] == [(1, 3, 3, 4), (1, 3, 5, 2)]
    alone = run_in_net("Convolution", x, x, rest=rest, tops=2)
    assert torch.equal(alone[0], alone[1]) and torch.equal(alone[0], both[0])


def test_holes_of_v1(run_layer):
    run = run_layer(
        layer_v1("CONVOLUTION", "convolution_param { num_output: 1 kernel_size: 3 hole: 2 pad: 2 }")
    )
    assert run.layer.shape([(1, 1, 6, 7)]) == [(1, 1, 6, 7)]
    assert run.layer.blob_shapes([(1, 1, 6, 7)]) == [(1, 1, 3, 3), (1, 1, 1, 1)]
    run.layer.blobs = [
        Parameter((1, 1, 3, 3), lambda: torch.ones(1, 1, 3, 3)),
        Parameter((1,), lambda: torch.zeros(1)),
    ]
    x = torch.arange(25.0).view(1, 1, 5, 5)
    # The middle position reads every second place: 0, 2, 4, 10, 12, 14, 20, 22, 24.
    assert run(x)[0][0, 0, 2, 2].item() == 108


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 3", "num_output: missing or 0"),
        ("num_output: 2", "kernel_size: missing"),
        ("num_output: 2 kernel_size: 0", "kernel_size: 0 given"),
        ("num_output: 2 kernel_size: 1 kernel_size: 2 kernel_size: 3", "kernel_size: 3 numbers given"),
        ("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3", "kernel_size: given together"),
        ("num_output: 3 kernel_size: 1 group: 2", "group: 2 does not divide num_output 3"),
        ("num_output: 2 kernel_size: 1 axis: 2", "axis: 2 given"),
        ("num_output: 2 kernel_size: 2 pad: 1 same_pad: true", "same_pad: given together"),
    ],
)
def test_wrong_fields(run_layer, fields, message):
    with pytest.raises(DeepLabError, match=rf"\(Convolution\): {message}"):
        run_layer(layer(fields))


def test_bottoms_that_do_not_fit(run_layer):
    run = run_layer(layer("num_output: 2 kernel_size: 3 dilation: 4 group: 2"))
    with pytest.raises(DeepLabError, match="the kernel spans 9x9, the padded input only 8x20"):
        run.layer.shape([(1, 2, 8, 20)])
    with pytest.raises(DeepLabError, match="3 dimensions given"):
        run.layer.shape([(2, 8, 20)])
    with pytest.raises(DeepLabError, match="2 does not divide the 3 channels"):
        run.layer.blob_shapes([(1, 3, 9, 9)])
