import pytest
import torch

from tests.layers.layer_text import layer


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
