import types
from pathlib import Path

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.export.prepared import prepare
from deeplab_caffe.formats.prototxt import read_net

INPUT = 'input: "data" input_shape { dim: 1 dim: 4 dim: 13 dim: 18 }\n'


@pytest.fixture
def every_layer():
    return Path(__file__).with_name("every_layer.prototxt")


@pytest.fixture
def net_of():
    """A net of layers in text, over an input `data` of 4 channels, with random weights."""

    def make(text, head=INPUT):
        net = Net(read_net("net.prototxt", text=head + text))
        random_weights(net)
        return net

    return make


@pytest.fixture
def module_of():
    """The module that a net's source makes, with its weights."""

    def make(prepared):
        made = types.ModuleType("exported")
        exec(compile(prepared.source, "net.py", "exec"), made.__dict__)
        module = getattr(made, prepared.program.name)().eval()
        module.load_state_dict(prepared.program.values)
        return module

    return make


@pytest.fixture
def agrees(net_of, module_of):
    """Asserts that the source of layers computes what the net does, at (batch, height, width); gives it."""

    def check(text, *sizes, fold=False, head=INPUT):
        net = net_of(text, head)
        prepared = prepare(net, fold=fold)
        module = module_of(prepared)
        for number, (batch, height, width) in enumerate(sizes or [(1, 13, 18), (2, 20, 11)]):
            x = 3 * torch.randn(batch, 4, height, width, generator=torch.Generator().manual_seed(number))
            exact = list(net.forward(data=x).values())
            with torch.no_grad():
                given = module(x)
            given = [given] if isinstance(given, torch.Tensor) else list(given)
            assert len(given) == len(exact)
            for ours, wanted in zip(given, exact, strict=True):
                assert ours.shape == wanted.shape
                assert (ours - wanted).abs().max() <= 1e-5 * wanted.abs().max()
        return prepared.source

    return check
