import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe.convert.fold import fold
from deeplab_caffe.convert.unfold import unfold
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffemodel import write_caffemodel
from deeplab_caffe.formats.records import LayerBlobs

DATA = """layer { name: "data" type: "ImageSegData" top: "x"
  image_data_param { source: "FOLDER/list.txt" root_folder: "FOLDER" label_type: NONE batch_size: 2 }
  transform_param { crop_size: 8 } }"""
PLAIN = """layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 bias_term: BIAS weight_filler { type: "gaussian" std: 5 }
  bias_filler { type: "uniform" } } }
NORM
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "d" type: "Convolution" bottom: "c" top: "d"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "msra" } } }"""
NORM = """layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "s" type: "Scale" bottom: "c" top: "c" SCALE }"""
SCALE = "scale_param { bias_term: true }"


@pytest.fixture
def make(tmp_path):
    """make(norm, bias): the net, with batch normalisation or plain, fed by two images."""
    generator = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "list.txt").write_text("a.png\nb.png\n")

    def build(norm="", bias="false", **options):
        data = DATA.replace("FOLDER", str(tmp_path))
        path = tmp_path / "net.prototxt"
        path.write_text("\n".join((data, PLAIN.replace("NORM", norm).replace("BIAS", bias))))
        return Net(path, precision="fp32", seed=1, **options)

    return build


@pytest.mark.parametrize("bias", ["true", "false"])
def test_the_net_computes_the_same_and_folds_back(make, tmp_path, bias):
    plain = make(bias=bias)
    plain.save(tmp_path / "plain.caffemodel")
    net = make(NORM.replace("SCALE", SCALE), phase="train")
    assert unfold(net, tmp_path / "plain.caffemodel") == ["c"]
    norms = net.params["c"][0].values().flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.full((4,), 2**0.5))
    folded = {layer.name: layer.blobs for layer in fold(net).layers}
    net.seek(0)
    wanted = plain.forward(outputs=["d"])["d"]
    difference = net.forward(outputs=["d"])["d"] - wanted
    assert difference.abs().max() < 1e-4 * wanted.abs().max()
    weights, *given = (blob.values() for blob in plain.params["c"])
    torch.testing.assert_close(folded["c"][0], weights)
    expected = given[0] if given else torch.zeros(4)
    assert (folded["c"][1] - expected).abs().max() < 1e-3


def test_errors(make, tmp_path):
    path = tmp_path / "plain.caffemodel"
    make(bias="true").save(path)
    with pytest.raises(DeepLabError, match="no BatchNorm and Scale behind"):
        unfold(make(phase="train"), path)
    with pytest.raises(DeepLabError, match="layer 'c': BatchNorm and Scale with bias_term wanted"):
        unfold(make(NORM.replace("SCALE", ""), phase="train"), path)
    whole = make(NORM.replace("SCALE", SCALE), phase="train")
    fed = make(NORM.replace("SCALE", SCALE), inputs={"x": (1, 3, 8, 8)})
    with pytest.raises(DeepLabError, match="data layers wanted, or a batch for its inputs x"):
        unfold(fed, path)
    write_caffemodel(path, [LayerBlobs("c", "Convolution", [torch.ones(4, 3, 3, 3)])], layout="v2")
    with pytest.raises(DeepLabError, match=r"layer 'd': blobs of \[\] values, \[12, 3\] wanted"):
        unfold(whole, path)
