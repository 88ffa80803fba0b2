import pytest
import torch


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("power_param { power: 2 scale: 0.5 shift: -1 }", lambda x: (0.5 * x - 1) ** 2),
        ("power_param { scale: 3 }", lambda x: 3 * x),
        ("power_param { power: 0 scale: 3 }", torch.ones_like),
        ("power_param { power: 3 scale: 0 shift: 2 }", lambda x: torch.full_like(x, 8)),
    ],
)
def test_against_float64(against_float64, fields, wanted):
    against_float64("Power", wanted, fields)
