import pytest
import torch

from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, create


class Harness:
    """One layer from its prototxt text, run by itself."""

    def __init__(self, text, phase="test", **context):
        definition = read_net("net.prototxt", text=text, phase=phase)
        self.layer = create(definition.layers[-1], Context(phase=phase, **context))

    def __call__(self, *bottoms):
        bottoms = [torch.as_tensor(b, dtype=torch.float32).contiguous() for b in bottoms]
        shapes = self.layer.shape([tuple(b.shape) for b in bottoms])
        tops = [torch.full(shape, float("nan")) for shape in shapes]
        self.layer.forward(bottoms, tops)
        return tops


@pytest.fixture
def run_layer():
    return Harness
