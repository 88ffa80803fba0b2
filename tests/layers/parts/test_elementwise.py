"""By AbsVal; what else the class gives is tested with each layer made of it."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


def test_top_of_any_shape_and_in_place(run_layer):
    run = run_layer(layer("AbsVal"))
    for shape in ((), (3,), (2, 0, 4), (1, 2, 3, 4, 5)):
        x = -torch.ones(shape)
        (top,) = run(x)
        assert torch.equal(top, torch.ones(shape)) and torch.equal(x, -torch.ones(shape))
    assert run.layer.in_place


def test_positive(run_layer):
    tested = run_layer(layer("AbsVal")).layer
    assert tested.positive("base", 0.5) == 0.5
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(DeepLabError, match="base: .* given, a number above 0 wanted"):
            tested.positive("base", wrong)
