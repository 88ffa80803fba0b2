import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer as layer_text


def layer(fields):
    return layer_text("Deconvolution", f"convolution_param {{ {fields} }}")


def with_blobs(run, shape):
    generator = torch.Generator().manual_seed(5)
    tensors = [torch.randn(s, generator=generator) for s in run.layer.blob_shapes([shape])]
    run.layer.blobs = [Parameter(tuple(t.shape), lambda t=t: t.clone()) for t in tensors]
    return tensors


GEOMETRIES = [
    ("kernel_size: 4 stride: 2 pad: 1", dict(stride=2, padding=1)),
    ("kernel_size: 3", {}),
    (
        "kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1 pad_h: 0 pad_w: 2",
        dict(stride=(3, 1), padding=(0, 2)),
    ),
    ("kernel_size: 3 dilation: 2 pad: 2 group: 2", dict(dilation=2, padding=2, groups=2)),
    ("kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false", dict(stride=2, padding=1, groups=4)),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("fields", "options"), GEOMETRIES)
def test_deconvolution(run_layer, rand, fields, options, threads):
    x = rand(2, 4, 7, 9)
    run = run_layer(layer(f"num_output: 8 {fields}"), threads=threads)
    blobs = [b.double() for b in with_blobs(run, tuple(x.shape))]
    bias = blobs[1] if len(blobs) > 1 else None
    wanted = torch.nn.functional.conv_transpose2d(x.double(), blobs[0], bias, **options)
    torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(run.layer.forward_fast([x])[0].double(), wanted, rtol=1e-5, atol=1e-4)


def test_deconvolution_order(run_layer):
    # One channel: an output is the plain sum of its taps, kernel place after kernel place, from 0.
    x = torch.tensor([1.0, 1e8, -1e8]).view(1, 1, 1, 3)
    run = run_layer(layer("num_output: 1 kernel_h: 1 kernel_w: 3 bias_term: false"))
    run.layer.blobs = [Parameter((1, 1, 1, 3), lambda: torch.ones(1, 1, 1, 3))]
    # Middle output: (0 + -1e8) + 1e8 + 1 = 1; any other order of the first two with 1 gives 0.
    assert run(x)[0].flatten().tolist() == [1, 1e8, 1, 0, -1e8]


def test_deconvolution_errors(run_layer):
    with pytest.raises(DeepLabError, match="nothing is left"):
        run_layer(layer("num_output: 1 kernel_size: 2 pad: 3")).layer.shape([(1, 1, 2, 2)])
    with pytest.raises(DeepLabError, match="group"):
        run_layer(layer("num_output: 4 kernel_size: 2 group: 2")).layer.blob_shapes([(1, 3, 2, 2)])
