"""Convolutions of a net in each packing; kernels of bf16 of our own, plain ones that every processor has."""

import pytest
import torch

from deeplab_caffe import Net, ops
from deeplab_caffe.errors import DeepLabError
from tests.values import normal, same_bits

NET = """input: "data" input_dim: 1 input_dim: 3 input_dim: 19 input_dim: 23
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 12
  kernel_size: 3 pad: 2 dilation: 2
  weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } } }
layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "s" type: "Scale" bottom: "n" top: "n" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "n" top: "n" }
layer { name: "d" type: "Convolution" bottom: "n" top: "d" convolution_param { num_output: 12 kernel_size: 1
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "e" type: "Eltwise" bottom: "n" bottom: "d" top: "e" }
"""
GROUPS = """input: "data" input_dim: 1 input_dim: 4 input_dim: 19 input_dim: 23
layer { name: "g" type: "Convolution" bottom: "data" top: "g" convolution_param { num_output: 6 kernel_size: 3
  group: 2 weight_filler { type: "gaussian" std: 1 } } }
"""
KERNELS = ["avx512_plain", "amx_plain"]


@pytest.fixture
def files(tmp_path):
    """A net and its weights."""
    path, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    path.write_text(NET)
    net, draw = Net(path), torch.Generator().manual_seed(1)
    for blob in (*net.params["n"][:2], *net.params["s"]):
        blob.data = torch.rand(blob.shape, generator=draw) + 0.3
    net.params["n"][2].data = torch.ones(1)
    net.save(weights)
    return path, weights


def bf16_net(kernels, *files, **options):
    with ops.choose_bf16_kernels(kernels):
        return Net(*files, precision="bf16", **options)


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_net_keeps_the_kernels_it_was_made_with(files, kernels):
    x = normal(1, 3, 19, 23)
    net, exact, torchs = bf16_net(kernels, *files), Net(*files)(x), Net(*files, precision="bf16")(x)
    ours = net(x)
    error, theirs = (ours - exact).norm() / exact.norm(), (torchs - exact).norm() / exact.norm()
    # Two layers, each of whose operands are off by at most 2**-9 of themselves; nothing else is rounded.
    assert 0 < error < 4 * 2.0**-9 and error < 1.1 * theirs
    assert same_bits(bf16_net(kernels, *files, threads=2)(x), ours)
    assert same_bits(bf16_net(kernels, *files, weight_memory=0)(x), ours)
    for blob in net.params["d"]:
        blob.data *= 2
    assert not torch.equal(net(x), ours)


def test_the_environment_chooses(files, monkeypatch):
    x = normal(1, 3, 19, 23)
    wanted = bf16_net("amx_plain", *files)(x)
    monkeypatch.setenv("DEEPLAB_CAFFE_BF16", "amx_plain")
    assert same_bits(Net(*files, precision="bf16")(x), wanted)
    monkeypatch.setenv("DEEPLAB_CAFFE_BF16", "sse")
    Net(*files)
    with pytest.raises(DeepLabError, match="^DEEPLAB_CAFFE_BF16: sse given"):
        Net(*files, precision="bf16")


def test_several_groups_stay_float32(tmp_path):
    path, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    path.write_text(GROUPS)
    Net(path).save(weights)
    x = normal(1, 4, 19, 23)
    assert same_bits(bf16_net("amx_plain", path, weights)(x), Net(path, weights, precision="fp32")(x))
