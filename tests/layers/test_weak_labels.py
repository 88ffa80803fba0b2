"""UniqueLabel, BiasChannel, AdaptiveBiasChannel, SpatialProduct, DomainTransform."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError


def layer(kind, fields="", bottoms=2):
    ends = "".join(f' bottom: "a{i}"' for i in range(bottoms))
    return f'layer {{ name: "w" type: "{kind}" {ends} top: "b" {fields} }}'


def test_unique_label(run_layer):
    run = run_layer(
        layer("UniqueLabel", "unique_label_param { max_labels: 4 ignore_label: 255 force_label: 0 }", 1)
    )
    labels = torch.tensor([[255.0, 7, 3, 7], [2, 2, 2, 2]]).view(2, 1, 2, 2)
    assert run(labels)[0].view(2, 4).tolist() == [[0, 3, 7, -1], [0, 2, -1, -1]]
    with pytest.raises(DeepLabError, match="max_labels: 5 labels found"):
        run(torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2))
    with pytest.raises(DeepLabError, match="max_labels"):
        run_layer(layer("UniqueLabel", "", 1))


def test_bias_channel_of_an_image(run_layer):
    run = run_layer(layer("BiasChannel", "bias_channel_param { bg_bias: 1 fg_bias: 2 }"))
    scores = torch.zeros(2, 3, 2, 2)
    (top,) = run(scores, torch.tensor([[0.0, 2], [1, -1]]).view(2, 2, 1, 1))
    assert top[:, :, 0, 0].tolist() == [[1, 0, 2], [0, 2, 0]]
    with pytest.raises(DeepLabError, match="label 3 found"):
        run(scores, torch.full((2, 1, 1, 1), 3.0))


def test_bias_channel_of_pixels(run_layer):
    labels = torch.tensor([0.0, 1, 2, 255]).view(1, 1, 2, 2)
    scores = torch.zeros(1, 3, 2, 2)
    text = "bias_channel_param { label_type: PIXEL ignore_label: 255 %s fg_bias: 2 }"
    (top,) = run_layer(layer("BiasChannel", text % "bg_bias: 1"))(scores, labels)
    assert top.view(3, 4).tolist() == [[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 2, 0]]
    (top,) = run_layer(layer("BiasChannel", text % ""))(scores, labels)
    assert top.view(3, 4).tolist() == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]


def test_adaptive_bias_channel(run_layer, rand):
    fields = "adaptive_bias_channel_param { bg_portion: 0.4 fg_portion: 0.2 num_iter: 5 }"
    run = run_layer(layer("AdaptiveBiasChannel", fields))
    scores = rand(2, 4, 20, 20)
    scores[:, 0] += 3
    (top,) = run(scores, torch.tensor([[0.0, 2], [-1, -1]]).view(2, 2, 1, 1))
    assert torch.equal(top[1], scores[1])  # no labels: a copy
    best = top[0].argmax(0)
    share = torch.bincount(best.flatten(), minlength=4) / 400
    assert share[1] == share[3] == 0  # absent labels never win
    assert share[2] >= 0.19
    assert top[0].amax(0).mean().item() == pytest.approx(scores[0][[0, 2]].amax(0).mean().item(), abs=1e-4)
    for labels in (4.0, float("nan"), -2.0):
        with pytest.raises(DeepLabError, match="out of 0 to 3"):
            run(scores, torch.full((2, 1, 1, 1), labels))
    with pytest.raises(DeepLabError, match="fg_portion"):
        run_layer(layer("AdaptiveBiasChannel", "adaptive_bias_channel_param { fg_portion: 1.5 }"))


def test_spatial_product(run_layer, rand):
    x, y = rand(2, 3, 4, 5), rand(2, 1, 4, 5)
    run = run_layer(layer("SpatialProduct"))
    assert torch.equal(run(x, y)[0], x * y)
    with pytest.raises(DeepLabError, match="one channel"):
        run(x, rand(2, 3, 4, 5))


def test_domain_transform_forward_only(run_layer, rand):
    """Weights are not bounded below, and no gradient passes."""
    fields = "domain_transform_param { num_iter: 2 spatial_sigma: 5 range_sigma: 2 min_weight: 0.9 }"
    x, edges, size = rand(1, 3, 8, 9), rand(1, 1, 8, 9).abs(), torch.tensor([8.0, 9]).view(1, 2, 1, 1)
    run = run_layer(layer("DomainTransformForwardOnly", fields, 3))
    (top,) = run(x, edges, size)
    wanted = filtered(x[0], edges[0, 0], 8, 9, 2, 5, 2)
    torch.testing.assert_close(top[0].double(), wanted, rtol=1e-5, atol=1e-5)
    assert not torch.equal(run_layer(layer("DomainTransform", fields, 3))(x, edges, size)[0], top)
    assert run.layer.formula([x, edges, size], []) is None


def filtered(x, edges, height, width, iterations, spatial, range_):
    """The same recursion value by value, in float64."""
    y = x.double().clone()
    for k in range(iterations):
        sigma = spatial * 3**0.5 * 2.0 ** (iterations - k - 1) / (4.0**iterations - 1) ** 0.5
        w = torch.exp(-(2**0.5) / sigma * (1 + edges.double() * spatial / range_)).clamp(max=1)
        for i in range(height):
            for j in range(1, width):
                y[:, i, j] += w[i, j] * (y[:, i, j - 1] - y[:, i, j])
            for j in range(width - 2, -1, -1):
                y[:, i, j] += w[i, j + 1] * (y[:, i, j + 1] - y[:, i, j])
        for j in range(width):
            for i in range(1, height):
                y[:, i, j] += w[i, j] * (y[:, i - 1, j] - y[:, i, j])
            for i in range(height - 2, -1, -1):
                y[:, i, j] += w[i + 1, j] * (y[:, i + 1, j] - y[:, i, j])
    return y


def test_domain_transform(run_layer, rand):
    fields = "domain_transform_param { num_iter: 3 spatial_sigma: 5 range_sigma: 2 }"
    run = run_layer(layer("DomainTransform", fields, 3))
    x, edges = rand(1, 3, 8, 9), rand(1, 1, 8, 9).abs()
    for height, width in ((8, 9), (5, 7), (1, 1), (0, 3)):
        (top,) = run(x, edges, torch.tensor([float(height), width]).view(1, 2, 1, 1))
        wanted = filtered(x[0], edges[0, 0], height, width, 3, 5, 2)
        torch.testing.assert_close(top[0].double(), wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(DeepLabError, match="image size 9x9"):
        run(x, edges, torch.tensor([9.0, 9]).view(1, 2, 1, 1))
    for field, value in (("num_iter", 0), ("num_iter", 501), ("spatial_sigma", 0), ("min_weight", -1)):
        with pytest.raises(DeepLabError, match=field):
            run_layer(layer("DomainTransform", f"domain_transform_param {{ {field}: {value} }}", 3))
