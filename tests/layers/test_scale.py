"""The bits are tested with the reference nets."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer as layer_text


def parameters(*tensors):
    return [Parameter(tuple(t.shape), lambda t=t: t) for t in tensors]


def layer(fields="", bottoms=1):
    return layer_text("Scale", f"scale_param {{ {fields} }}", bottoms)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (5,)),
        ("axis: 2", (6,)),
        ("num_axes: -1", (5, 6, 7)),
        ("axis: 0 num_axes: 2", (2, 5)),
        ("num_axes: 0", ()),
    ],
)
def test_scale(run_layer, rand, fields, shape):
    x, factor, bias = rand(2, 5, 6, 7), torch.randn(shape), torch.randn(shape)
    run = run_layer(layer(f"{fields} bias_term: true"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [shape, shape]
    run.layer.blobs = parameters(factor, bias)
    axis = run.layer.param.axis
    sides = (*shape, *[1] * (4 - axis - len(shape)))
    assert torch.equal(run(x)[0], x * factor.view(sides) + bias.view(sides))
    torch.testing.assert_close(run.layer.forward_fast([x])[0], run(x)[0])


def test_scale_by_a_bottom(run_layer, rand):
    x = rand(2, 5, 6, 7)
    for fields, factor in (("axis: 0", rand(2, 5)), ("axis: 0", rand(2)), ("axis: 0", torch.tensor(3.0))):
        run = run_layer(layer(fields, 2))
        assert run.layer.blob_shapes([tuple(x.shape), tuple(factor.shape)]) == []
        assert torch.equal(run(x, factor)[0], x * factor.view(*factor.shape, *[1] * (4 - factor.dim())))
    with pytest.raises(DeepLabError, match="does not fit"):
        run_layer(layer("", 2))(x, rand(6))


def test_scale_errors(run_layer, rand):
    for fields, field in (("axis: 4", "axis"), ("num_axes: 4", "num_axes"), ("num_axes: -2", "num_axes")):
        with pytest.raises(DeepLabError, match=rf"\(Scale\): {field}"):
            run_layer(layer(fields))(rand(2, 5, 6, 7))
