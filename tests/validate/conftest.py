import numpy as np
import pytest
import torch

from deeplab_caffe.engine.net import Net

NET = """
name: "small"
input: "data"
input_shape { dim: 1 dim: 3 dim: 17 dim: 17 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1
                            weight_filler { type: "gaussian" std: 0.1 }
                            bias_filler { type: "constant" value: 0.5 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "sub/fc8" type: "Convolution" bottom: "pool1" top: "fc8"
        convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2
                            weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "interp" type: "Interp" bottom: "fc8" top: "scores" interp_param { height: 17 width: 17 } }
"""


class SmallNet:
    """A net of five layers in a folder, with weights and an input."""

    def __init__(self, folder, text=NET, shape=(1, 3, 17, 17)):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.text = folder, text
        self.model, self.weights, self.input = (
            folder / name for name in ("net.prototxt", "weights.caffemodel", "input.npy")
        )
        self.model.write_text(text)
        Net(self.model, seed=3).save(self.weights)
        generator = np.random.default_rng(0)
        self.x = (100 * generator.standard_normal(shape)).astype(np.float32)
        np.save(self.input, self.x)

    def net(self, **options):
        return Net(self.model, self.weights, **options)

    def blobs(self, x=None, net=None):
        """{(layer, blob): array} of all tops."""
        found = {}

        def keep(index, layer, tops):
            found.update({(layer.name, name): top.numpy().copy() for name, top in tops.items()})

        with torch.no_grad():
            (net or self.net()).forward(on_layer=keep, data=self.x if x is None else x)
        return found

    def dump(self, folder, blobs):
        """As `forward --dump` names its files."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, ((layer, blob), array) in enumerate(blobs.items()):
            np.save(folder / f"{number:03d}_{layer}__{blob}.npy".replace("/", "_"), array)
        return folder


@pytest.fixture
def small(tmp_path):
    return SmallNet(tmp_path / "net")
