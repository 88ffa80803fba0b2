"""LRN, MVN, Bias, Reduction, Tile."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter


def layer(kind, fields="", bottoms='bottom: "a"'):
    return f'layer {{ name: "n" type: "{kind}" {bottoms} top: "b" {fields} }}'


@pytest.mark.parametrize("size", [1, 3, 5, 31])
def test_lrn_across(run_layer, rand, size):
    x = rand(2, 7, 4, 5)
    fields = f"lrn_param {{ local_size: {size} alpha: 0.5 beta: 0.75 k: 2 }}"
    wanted = torch.nn.functional.local_response_norm(x.double(), size, 0.5, 0.75, 2)
    torch.testing.assert_close(run_layer(layer("LRN", fields))(x)[0].double(), wanted, rtol=1e-5, atol=1e-6)


def test_lrn_within(run_layer, rand):
    x = rand(2, 3, 6, 5)
    (top,) = run_layer(layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"))(x)
    # Caffe's average counts padding, but at stride 1 every window is whole.
    average = torch.nn.functional.avg_pool2d(x.double() ** 2, 3, 1, 1)
    torch.testing.assert_close(top.double(), x.double() * (1 + 0.5 * average) ** -0.75, rtol=1e-5, atol=1e-6)


def test_lrn_errors(run_layer):
    for size in (0, 4):
        with pytest.raises(DeepLabError, match="local_size"):
            run_layer(layer("LRN", f"lrn_param {{ local_size: {size} }}"))


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("variance", ["true", "false"])
def test_mvn(run_layer, rand, across, variance):
    x = rand(2, 3, 6, 5)
    fields = f"mvn_param {{ across_channels: {across} normalize_variance: {variance} eps: 0.01 }}"
    axes = (1, 2, 3) if across == "true" else (2, 3)
    wanted = x.double() - x.double().mean(axes, keepdim=True)
    if variance == "true":
        wanted /= x.double().std(axes, keepdim=True, correction=0) + 0.01
    torch.testing.assert_close(run_layer(layer("MVN", fields))(x)[0].double(), wanted, rtol=1e-5, atol=1e-6)


def test_bias(run_layer, rand):
    x, bias = rand(2, 3, 4, 5), rand(3)
    run = run_layer(layer("Bias"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [(3,)]
    run.layer.blobs = [Parameter((3,), lambda: bias)]
    assert torch.equal(run(x)[0], x + bias.view(3, 1, 1))
    two = layer("Bias", "bias_param { axis: 2 }", 'bottom: "a" bottom: "c"')
    assert torch.equal(run_layer(two)(x, rand(4, 5))[0], x + rand(4, 5))


def test_tile(run_layer, rand):
    x = rand(2, 3, 4)
    for axis in range(3):
        (top,) = run_layer(layer("Tile", f"tile_param {{ axis: {axis} tiles: 3 }}"))(x)
        assert torch.equal(top, torch.cat([x] * 3, axis))
    with pytest.raises(DeepLabError, match="tiles"):
        run_layer(layer("Tile"))(x)


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("SUM", lambda x: x.sum(-1)),
        ("ASUM", lambda x: x.abs().sum(-1)),
        ("SUMSQ", lambda x: (x * x).sum(-1)),
        ("MEAN", lambda x: x.mean(-1)),
    ],
)
def test_reduction(run_layer, rand, operation, wanted):
    x = rand(2, 3, 4)
    for axis in (0, 1, -1):
        run = run_layer(
            layer("Reduction", f"reduction_param {{ operation: {operation} axis: {axis} coeff: 2 }}")
        )
        torch.testing.assert_close(run(x)[0], 2 * wanted(x.flatten(axis)))
