import pytest
import torch
import torch.nn.functional as F


@pytest.mark.parametrize("precision", ["exact", "fp32"])
@pytest.mark.parametrize(("kind", "function"), [("HardSigmoid", F.hardsigmoid), ("HardSwish", F.hardswish)])
def test_values(run_in_net, rand, kind, function, precision):
    x = 4 * rand(2, 3, 5, 7)
    (top,) = run_in_net(kind, x, precision=precision)
    torch.testing.assert_close(top, function(x))
