import pytest
import torch

from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer


@pytest.mark.parametrize("shared", ["true", "false"])
def test_prelu(run_layer, rand, shared):
    x = rand(2, 3, 4, 5)
    run = run_layer(layer("PReLU", f"prelu_param {{ channel_shared: {shared} }}"))
    (shape,) = run.layer.blob_shapes([tuple(x.shape)])
    slope = torch.rand(shape)
    run.layer.blobs = [Parameter(shape, lambda: slope)]
    assert run.layer.fillers() == [0.25]
    assert torch.equal(run(x)[0], torch.where(x > 0, x, x * slope.view(-1, 1, 1)))
