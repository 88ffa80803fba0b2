"""Values, shapes and errors; the kernels' bits are tested in tests/ops, the fast paths in parts."""

import pytest
import torch
from torch.nn import functional

from deeplab_caffe import Net
from deeplab_caffe.engine import cost
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
        ("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3", "kernel_size: given together"),
        ("num_output: 3 kernel_size: 1 group: 2", "group: 2 does not divide num_output 3"),
        ("num_output: 2 kernel_size: 1 axis: 2 same_pad: true", "same_pad: for images only"),
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
    with pytest.raises(DeepLabError, match="the kernel spans 9, the padded input only 8"):
        run.layer.shape([(2, 8, 8)])
    with pytest.raises(DeepLabError, match="2 does not divide the 3 channels"):
        run.layer.blob_shapes([(1, 3, 9, 9)])
    run = run_layer(layer("num_output: 2 kernel_size: 1 kernel_size: 2 kernel_size: 3"))
    with pytest.raises(DeepLabError, match="kernel_size: 3 numbers given, the bottom has 2 axes behind"):
        run.layer.shape([(1, 2, 8, 20)])
    with pytest.raises(DeepLabError, match="axis: 3 given for a blob of 3 axes"):
        run_layer(layer("num_output: 2 kernel_size: 1 axis: 3")).layer.shape([(1, 2, 8)])


@pytest.mark.parametrize(
    ("shape", "fields", "options"),
    [
        ((2, 4, 9), "kernel_size: 3 stride: 2 pad: 1", dict(stride=2, padding=1)),
        ((2, 4, 5, 6, 7), "kernel_size: 3 pad: 1", dict(padding=1)),
        (
            (1, 4, 7, 6, 9),
            "kernel_size: 2 kernel_size: 1 kernel_size: 3 stride: 1 stride: 2 stride: 2 pad: 0 pad: 0 pad: 2 "
            "dilation: 3 dilation: 1 dilation: 2 group: 2",
            dict(stride=(1, 2, 2), padding=(0, 0, 2), dilation=(3, 1, 2), groups=2),
        ),
    ],
)
@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_any_number_of_axes(run_layer, rand, shape, fields, options, precision):
    x = rand(*shape)
    run = run_layer(layer(f"num_output: 6 {fields}"), precision=precision)
    weights, bias = set_blobs(run, tuple(shape), rand)
    (top,) = run(x)
    convolve = {3: functional.conv1d, 5: functional.conv3d}[len(shape)]
    wanted = convolve(x.double(), weights.double(), bias.double().view(-1), **options)
    assert top.shape == wanted.shape
    torch.testing.assert_close(top, wanted.float(), rtol=1e-5, atol=1e-5)
    x = x.requires_grad_()
    run.layer.forward_train([x])[0].square().sum().backward()
    gradient, x.grad = x.grad, None
    convolve(x, weights, bias.view(-1), **options).square().sum().backward()
    torch.testing.assert_close(gradient, x.grad, rtol=1e-4, atol=1e-3)


def test_sums_of_any_number_of_axes_are_those_of_images(run_layer, rand):
    """A 3-D convolution of depth 1, and one over other axes: the bits of the 2-D one."""
    x = rand(2, 70, 9, 8)
    run = run_layer(layer("num_output: 5 kernel_size: 3 pad: 2 dilation: 2"))
    weights, bias = set_blobs(run, tuple(x.shape), rand)
    (wanted,) = run(x)
    sizes = {"kernel_size": (1, 3, 3), "pad": (0, 2, 2), "dilation": (1, 2, 2)}
    fields = " ".join(f"{field}: {size}" for field, three in sizes.items() for size in three)
    run = run_layer(layer(f"num_output: 5 {fields}"))
    run.layer.blobs = [
        Parameter((5, 70, 1, 3, 3), lambda: weights.view(5, 70, 1, 3, 3)),
        Parameter(tuple(bias.shape), lambda: bias),
    ]
    (top,) = run(x.unsqueeze(2))
    assert torch.equal(top.squeeze(2).view(torch.int32), wanted.view(torch.int32))
    run = run_layer(layer("num_output: 5 axis: 2 kernel_size: 3 pad: 2 dilation: 2"))
    run.layer.blobs = [
        Parameter(tuple(weights.shape), lambda: weights),
        Parameter(tuple(bias.shape), lambda: bias),
    ]
    (top,) = run(x.view(1, 2, 70, 9, 8))
    assert torch.equal(top[0].view(torch.int32), wanted.view(torch.int32))


def test_a_net_of_videos(tmp_path, rand):
    path = tmp_path / "net.prototxt"
    path.write_text("""
        layer { name: "x" type: "Input" top: "x"
                input_param { shape { dim: 1 dim: 3 dim: 4 dim: 10 dim: 12 } } }
        layer { name: "c" type: "Convolution" bottom: "x" top: "c"
                convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
        layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
        layer { name: "d" type: "Convolution" bottom: "c" top: "d"
                convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }""")
    net = Net(path, seed=1)
    x = rand(1, 3, 4, 10, 12)
    (top,) = net.forward(x=x).values()
    blobs = [blob.values() for layer in net.layers for blob in layer.blobs]
    hidden = functional.conv3d(x, blobs[0], blobs[1].view(-1), padding=1).relu()
    torch.testing.assert_close(top, functional.conv3d(hidden, blobs[2], blobs[3].view(-1)))
    assert cost.analyse(net.definition)
