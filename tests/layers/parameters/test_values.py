import io

import numpy as np
import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers.parameters.parameter import Parameter

NET = """input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
layer { name: "c" type: "Convolution" bottom: "x" top: "c" loss_weight: 1
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
"""


@pytest.fixture
def net():
    return Net(read_net("net.prototxt", text=NET))


@pytest.mark.parametrize("trained", [False, True])
def test_numpy_arrays_are_assigned(net, trained):
    if trained:
        net.module()
    weight, bias = net.params["c"]
    x = np.ones((1, 2, 3, 3), np.float32)
    net(x)  # packs them
    array = np.arange(8, dtype=np.float64).reshape(4, 2, 1, 1)
    weight.data[...] = array
    weight.data *= array
    weight.data[0] += np.float32(2)
    weight.data -= np.ones(1)
    weight.data /= np.full(1, 2.0)
    bias.data = np.arange(4)
    wanted = (array**2 + np.array([2, 0, 0, 0]).reshape(4, 1, 1, 1) - 1) / 2
    assert (np.array(weight) == wanted).all() and np.asarray(weight).dtype == np.float32
    assert (np.array(bias, dtype=np.int64) == [0, 1, 2, 3]).all()
    scores = wanted.sum((1, 2, 3)) + np.arange(4)
    assert (net(x).numpy() == scores.reshape(4, 1, 1)).all()


def test_what_is_computed_or_stored_is_a_plain_tensor(net):
    data = net.params["c"][0].data
    assert type(data + 1) is type(data.clone()) is torch.Tensor
    file = io.BytesIO()
    torch.save({"w": data}, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True)["w"], data)


def test_wrong_sizes_are_told():
    with pytest.raises(DeepLabError, match=r"\(3,\) given, \(2, 2\) wanted"):
        Parameter((2, 2)).data = np.zeros(3)


def test_diff_is_the_gradient(net):
    weight, bias = net.params["c"]
    assert (np.asarray(weight.diff) == 0).all() and weight.diff.shape == (4, 2, 1, 1)
    net.forward_train(x=torch.ones(1, 2, 3, 3)).loss.backward()
    assert (bias.diff == 9).all() and (weight.diff == 9).all()
