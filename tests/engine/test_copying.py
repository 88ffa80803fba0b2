import copy

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.assets import asset
from deeplab_caffe.engine.net import Net
from deeplab_caffe.segmenter.segmenter import Segmenter
from tests.copying import COPIES, through_pickle

TEXT = """
input: "data" input_shape { dim: 1 dim: 3 dim: 9 dim: 9 }
layer { name: "c" type: "Convolution" bottom: "data" top: "a" param { name: "w" }
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 bias_term: false
    weight_filler { type: "xavier" } } }
layer { name: "n" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "d" type: "Dropout" bottom: "a" top: "a" }
layer { name: "c2" type: "Convolution" bottom: "a" top: "s" param { name: "w" } loss_weight: 1
  convolution_param { num_output: 3 kernel_size: 3 bias_term: false } }
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("precision", ["exact", "bf16"])
def test_a_copy_gives_the_same_bits(path, tmp_path, duplicate, used, precision):
    x = torch.randn(2, 3, 11, 12)
    net = Net(path, precision=precision, seed=3, keep_blobs=True)
    if used:
        net.params["c"][0].data = torch.randn(3, 3, 3, 3)
        net(x)
    other = duplicate(net)
    assert other.inputs == net.inputs and other.keep_blobs
    assert other.params["c"][0] is other.params["c2"][0]
    path.unlink()  # a copy needs no file
    assert torch.equal(other(x), net(x))
    net.params["c"][0].data[...] = 0
    assert (other(x) == 0).all() == (duplicate is copy.copy)


@pytest.mark.parametrize("duplicate", COPIES)
def test_a_copy_keeps_its_bf16_kernels(path, duplicate):
    x = torch.randn(2, 3, 9, 9)
    with ops.choose_bf16_kernels("avx512_plain"):
        net = Net(path, precision="bf16", seed=3)
    other = duplicate(net)
    assert other.context == net.context
    assert torch.equal(other(x), net(x))


@pytest.mark.parametrize("duplicate", COPIES)
def test_training_goes_on_in_a_copy(path, duplicate):
    x = torch.randn(1, 3, 9, 9)
    net = Net(path, phase="train", seed=1)
    net.forward_train(data=x).loss.backward()
    other = duplicate(net)
    assert other.phase == "train"
    one, two = (each.forward_train(data=x) for each in (net, other))
    assert torch.equal(one.loss, two.loss)  # Dropout draws on from the same number
    weights = other.params["c"][0].tensor
    assert isinstance(weights, torch.nn.Parameter) and weights.requires_grad
    assert (weights is net.params["c"][0].tensor) == (duplicate is copy.copy)


def test_streamed_weights_are_in_a_copys_memory(path, tmp_path):
    x = torch.randn(1, 40, 9, 9)
    path.write_text(TEXT.replace("num_output: 3", "num_output: 40").replace("dim: 3 dim", "dim: 40 dim"))
    Net(path, seed=2).save(tmp_path / "w.caffemodel")
    net = Net(path, tmp_path / "w.caffemodel", weight_memory=0)
    assert net.params["c"][0].streamed
    other = through_pickle(net)
    assert not other.params["c"][0].streamed and torch.equal(net(x), other(x))
    assert other.report == net.report


@pytest.mark.parametrize("duplicate", COPIES)
def test_segmenters(duplicate):
    segmenter = Segmenter("camvid_largefov", asset("weights/camvid_largefov.caffemodel"), flip=True)
    data = torch.randn(1, 3, 33, 41)
    assert torch.equal(duplicate(segmenter).scores_of(data), segmenter.scores_of(data))
