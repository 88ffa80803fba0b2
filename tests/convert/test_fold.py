import pytest
import torch

from deeplab_caffe.convert.fold import fold
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError

HEAD = 'input: "x" input_shape { dim: 2 dim: 4 dim: 6 dim: 7 }'
CONV = """layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {
  num_output: 6 kernel_size: 3 pad: 1 group: 2 bias_term: BIAS weight_filler { type: "msra" }
  bias_filler { type: "uniform" } } }"""
NORM = 'layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 0.01 } }'
SCALE = 'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }'
RELU = 'layer { name: "r" type: "ReLU" bottom: "c" top: "r" }'
NEXT = """layer { name: "d" type: "Convolution" bottom: "r" top: "d"
  convolution_param { num_output: 2 kernel_size: 1 } }"""


def make(tmp_path, *layers, bias="false"):
    path = tmp_path / "net.prototxt"
    path.write_text("\n".join((HEAD, *layers)).replace("BIAS", bias))
    net = Net(path)
    generator = torch.Generator().manual_seed(0)
    for layer in net.layers:
        for blob in layer.blobs:
            blob.data.copy_(torch.rand(blob.shape, generator=generator) + 0.5)
    return net


@pytest.mark.parametrize("bias", ["false", "true"])
@pytest.mark.parametrize("behind", [(NORM, SCALE), (NORM,), (SCALE,)])
def test_the_folded_net_computes_the_same(tmp_path, bias, behind):
    net = make(tmp_path, CONV, *behind, RELU, NEXT, bias=bias)
    folded = fold(net)
    names = {NORM: "n", SCALE: "s"}
    assert folded.folded == {names[layer]: "c" for layer in behind}
    plain = make(tmp_path, CONV, RELU, NEXT, bias="true")
    for layer, stored in zip((plain.params["c"], plain.params["d"]), folded.layers, strict=True):
        for blob, values in zip(layer, stored.blobs, strict=True):
            blob.data = values
    x = torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(1))
    wanted = net(x)
    assert (plain(x) - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_what_cannot_be_folded(tmp_path):
    with pytest.raises(DeepLabError, match="no BatchNorm or Scale behind"):
        fold(make(tmp_path, CONV, RELU, NEXT))
    other = 'layer { name: "o" type: "ReLU" bottom: "c" top: "o" }'
    with pytest.raises(DeepLabError, match="layer 'n' .*no convolution alone in front"):
        fold(make(tmp_path, CONV, other, NORM, RELU))
