"""BatchNorm and Scale; their bits are tested with the reference nets."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter


def parameters(*tensors):
    return [Parameter(tuple(t.shape), lambda t=t: t) for t in tensors]


def layer(kind, fields="", bottoms='bottom: "a"'):
    param = {"BatchNorm": "batch_norm_param", "Scale": "scale_param"}[kind]
    return f'layer {{ name: "n" type: "{kind}" {bottoms} top: "b" {param} {{ {fields} }} }}'


def test_batch_norm_stored(run_layer, rand):
    x, mean, variance = rand(2, 5, 6, 7), rand(5), rand(5).abs()
    run = run_layer(layer("BatchNorm", "eps: 1e-3"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [(5,), (5,), (1,)]
    run.layer.blobs = parameters(mean * 4, variance * 4, torch.tensor([4.0]))
    wanted = torch.nn.functional.batch_norm(x.double(), mean.double(), variance.double(), eps=1e-3)
    torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-5)
    (fast,) = run.layer.forward_fast([x.to(memory_format=torch.channels_last)])
    torch.testing.assert_close(fast.contiguous().double(), wanted, rtol=1e-4, atol=1e-5)
    # A changed parameter is noticed; a divisor of 0 stands for a factor of 0.
    run.layer.blobs[2].data = torch.zeros(1)
    torch.testing.assert_close(run(x)[0], x / 1e-3**0.5)


def test_batch_norm_of_the_batch(run_layer, rand):
    x = rand(3, 5, 6, 7)
    wanted = torch.nn.functional.batch_norm(x.double(), None, None, training=True)
    for run in (
        run_layer(layer("BatchNorm"), phase="train"),
        run_layer(layer("BatchNorm", "use_global_stats: false")),
    ):
        torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-5)


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
    run = run_layer(layer("Scale", f"{fields} bias_term: true"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [shape, shape]
    run.layer.blobs = parameters(factor, bias)
    axis = run.layer.param.axis
    sides = (*shape, *[1] * (4 - axis - len(shape)))
    assert torch.equal(run(x)[0], x * factor.view(sides) + bias.view(sides))
    torch.testing.assert_close(run.layer.forward_fast([x])[0], run(x)[0])


def test_scale_by_a_bottom(run_layer, rand):
    x = rand(2, 5, 6, 7)
    two = 'bottom: "a" bottom: "c"'
    for fields, factor in (("axis: 0", rand(2, 5)), ("axis: 0", rand(2)), ("axis: 0", torch.tensor(3.0))):
        run = run_layer(layer("Scale", fields, two))
        assert run.layer.blob_shapes([tuple(x.shape), tuple(factor.shape)]) == []
        assert torch.equal(run(x, factor)[0], x * factor.view(*factor.shape, *[1] * (4 - factor.dim())))
    with pytest.raises(DeepLabError, match="does not fit"):
        run_layer(layer("Scale", "", two))(x, rand(6))


def test_errors(run_layer, rand):
    for fields, field in (("axis: 4", "axis"), ("num_axes: 4", "num_axes"), ("num_axes: -2", "num_axes")):
        with pytest.raises(DeepLabError, match=rf"\(Scale\): {field}"):
            run_layer(layer("Scale", fields))(rand(2, 5, 6, 7))
    with pytest.raises(DeepLabError, match="2 dimensions"):
        run_layer(layer("BatchNorm"))(rand(3))
