import numpy as np
import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.reused_blob import ReusedBlob
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net

LAYER = 'layer { name: "%s" type: "AbsVal" bottom: "%s" top: "%s" }\n'
NET = 'input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\n'
NET += "".join(LAYER % (b, a, b) for a, b in ("xa", "ab", "bc", "cd"))


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        np.array,
        lambda blob: blob.numpy(),
        lambda blob: blob.sum().item(),
        lambda blob: blob.data,
        lambda blob: blob[0],
        lambda blob: blob + 1,
        lambda blob: torch.equal(torch.ones(1), blob),
        lambda blob: torch.stack((blob,)),
        lambda blob: blob.tolist(),
        list,
        bool,
    ],
)
@pytest.mark.filterwarnings("ignore:__array__")
def test_values_are_refused_in_one_clear_line(use):
    net = Net(read_net("net.prototxt", text=NET))
    x = -torch.ones(1, 2, 3, 4)
    net(x)
    blob = net.blobs["b"]
    assert isinstance(blob, ReusedBlob)
    with pytest.raises(DeepLabError, match=r"blob 'b' has no values: its memory.*keep_blobs=True"):
        use(blob)


def test_the_shape_is_known_and_keep_blobs_keeps():
    net = Net(read_net("net.prototxt", text=NET))
    net(-torch.ones(1, 2, 3, 4))
    blob = net.blobs["b"]
    assert blob.shape == (1, 2, 3, 4) and blob.dim() == 4 and blob.numel() == 24 and len(blob) == 1
    assert (blob.is_meta, blob.dtype, blob.ndim) == (True, torch.float32, 4)
    assert repr(blob) == "ReusedBlob('b', shape=(1, 2, 3, 4), no values)"
    keeping = Net(read_net("net.prototxt", text=NET), keep_blobs=True)
    keeping(-torch.ones(1, 2, 3, 4))
    assert (np.asarray(keeping.blobs["b"]) == 1).all()
    assert torch.equal(net.forward(outputs=["b"], x=-torch.ones(1, 2, 3, 4))["b"], keeping.blobs["b"])


def test_why_there_are_no_values():
    net = Net(read_net("net.prototxt", text=NET))
    with pytest.raises(DeepLabError, match="blob 'd' has no values: there was no forward yet"):
        np.asarray(net.blobs["d"])
    text = (
        NET
        + """layer { name: "e" type: "Convolution" bottom: "d" top: "e"
      convolution_param { num_output: 2 kernel_size: 1 } }
    layer { name: "f" type: "BatchNorm" bottom: "e" top: "f" }"""
    )
    net = Net(read_net("net.prototxt", text=text), precision="fp32", keep_blobs=True)
    net(torch.ones(1, 2, 3, 4))
    assert net.blobs["d"].sum() == 24
    with pytest.raises(
        DeepLabError, match="blob 'e' has no values: fp32 computes several layers in one pass"
    ):
        np.asarray(net.blobs["e"])
