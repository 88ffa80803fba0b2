import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


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
