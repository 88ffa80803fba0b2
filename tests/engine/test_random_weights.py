from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.formats.prototxt import read_net

NET = """input: "data" input_shape { dim: 1 dim: 64 dim: 20 dim: 20 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "a"
  convolution_param { num_output: 64 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "b" }"""


def test_values_keep_their_size_and_the_seed_decides():
    nets = [Net(read_net("net.prototxt", text=NET)) for _ in range(3)]
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        random_weights(net, seed)
    first, same, other = (net.params["conv"][0].values() for net in nets)
    assert first.equal(same) and not first.equal(other)
    assert abs(first.std().item() - (2 / (64 * 9)) ** 0.5) < 0.002
    mean, variance, divisor = (blob.values() for blob in nets[0].params["bn"])
    assert variance.min() >= 0.5 and divisor.item() == 1 and mean.abs().max() < 1
