import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer


def test_embed(run_layer, rand):
    run = run_layer(layer("Embed", "embed_param { num_output: 4 input_dim: 5 }"))
    table, bias = rand(5, 4), rand(4)
    assert run.layer.blob_shapes([(2, 3)]) == [(5, 4), (4,)]
    run.layer.blobs = [Parameter((5, 4), lambda: table), Parameter((4,), lambda: bias)]
    index = torch.tensor([[0.0, 4, 2], [1, 1, 3]])
    assert torch.equal(run(index)[0], table[index.long()] + bias)
    with pytest.raises(DeepLabError, match="out of 0 to 4"):
        run(torch.tensor([5.0]))
    with pytest.raises(DeepLabError, match="input_dim"):
        run_layer(layer("Embed", "embed_param { num_output: 4 }"))
