import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer as layer_text


def layer(fields):
    return layer_text("InnerProduct", f"inner_product_param {{ {fields} }}")


def with_blobs(run, shape):
    generator = torch.Generator().manual_seed(5)
    tensors = [torch.randn(s, generator=generator) for s in run.layer.blob_shapes([shape])]
    run.layer.blobs = [Parameter(tuple(t.shape), lambda t=t: t.clone()) for t in tensors]
    return tensors


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("fields", ["", "transpose: true", "bias_term: false", "axis: 2"])
def test_inner_product(run_layer, rand, fields, threads):
    x = rand(3, 4, 5, 6)
    run = run_layer(layer(f"num_output: 7 {fields}"), threads=threads)
    blobs = with_blobs(run, tuple(x.shape))
    (top,) = run(x)
    axis = 2 if "axis" in fields else 1
    matrix = blobs[0].t() if "transpose" in fields else blobs[0]
    bias = blobs[1] if len(blobs) > 1 else torch.zeros(7)
    wanted = x.flatten(axis).double() @ matrix.t().double() + bias.double()
    torch.testing.assert_close(top.double(), wanted, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(run.layer.forward_fast([x])[0].double(), wanted, rtol=1e-5, atol=1e-4)
    # Canonical order: the 1x1 convolution's bits.
    flat = x.flatten(axis)
    kernels = matrix.contiguous()[..., None, None]
    y = ops.atrous_conv(flat.reshape(-1, flat.shape[-1], 1, 1), kernels, epilogue=[ops.epilogue.Bias(bias)])
    assert torch.equal(top.flatten(), y.flatten())
    assert torch.equal(run.layer.blobs[0].values(), blobs[0])  # after packing


def test_inner_product_v1_shapes(run_layer):
    text = (
        'layers { name: "p" type: INNER_PRODUCT bottom: "a" top: "b" inner_product_param { num_output: 7 } }'
    )
    run = run_layer(text)
    assert run.layer.shape([(3, 4, 5, 6)]) == [(3, 7, 1, 1)]
    assert run.layer.blob_shapes([(3, 4, 5, 6)]) == [(1, 1, 7, 120), (1, 1, 1, 7)]
    with_blobs(run, (3, 4, 5, 6))
    run(torch.zeros(3, 4, 5, 6))


def test_inner_product_errors(run_layer):
    with pytest.raises(DeepLabError, match="num_output"):
        run_layer(layer(""))
    with pytest.raises(DeepLabError, match="axis"):
        run_layer(layer("num_output: 2 axis: 3")).layer.shape([(2, 2)])
