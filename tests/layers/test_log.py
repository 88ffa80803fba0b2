import math

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_log(run_layer):
    x = torch.linspace(-30, 30, 4001).abs() + 1e-3
    (top,) = run_layer(layer("Log", "log_param { base: 10 scale: 2 shift: 1 }"))(x)
    torch.testing.assert_close(top.double(), torch.log10(2 * x.double() + 1), rtol=1e-5, atol=1e-6)
    assert run_layer(layer("Log"))(torch.tensor([0.0]))[0].item() == -math.inf


@pytest.mark.parametrize("base", ["0", "1"])
def test_wrong_base(run_layer, base):
    with pytest.raises(DeepLabError, match=r"\(Log\): base"):
        run_layer(layer("Log", f"log_param {{ base: {base} }}"))
