import torch

from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer


def test_bias(run_layer, rand):
    x, bias = rand(2, 3, 4, 5), rand(3)
    run = run_layer(layer("Bias"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [(3,)]
    run.layer.blobs = [Parameter((3,), lambda: bias)]
    assert torch.equal(run(x)[0], x + bias.view(3, 1, 1))
    two = layer("Bias", "bias_param { axis: 2 }", 2)
    assert torch.equal(run_layer(two)(x, rand(4, 5))[0], x + rand(4, 5))
