import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("", torch.exp),
        ("exp_param { base: 2 scale: 0.5 shift: 3 }", lambda x: 2 ** (0.5 * x + 3)),
        ("exp_param { shift: 1 }", lambda x: torch.exp(x + 1)),
    ],
)
def test_against_float64(against_float64, fields, wanted):
    against_float64("Exp", wanted, fields)


@pytest.mark.parametrize("base", ["-2", "inf"])
def test_wrong_base(run_layer, base):
    with pytest.raises(DeepLabError, match=r"\(Exp\): base"):
        run_layer(layer("Exp", f"exp_param {{ base: {base} }}"))
