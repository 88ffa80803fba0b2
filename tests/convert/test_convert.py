import pytest
import torch

from deeplab_caffe.convert.convert import KINDS, class_count, convert, torch_package
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.state_dict import read_state_dict

NET = """name: "one" input: "data" input_shape { dim: 1 dim: 2 dim: 3 dim: 3 }
layer { name: "m" type: "Convolution" bottom: "data" top: "m"
  convolution_param { num_output: 3 kernel_size: 1 } }
"""


@pytest.fixture
def variables(tmp_path):
    """variables(name=shape): a state dict that is on disk."""

    def make(**shapes):
        torch.save({name: torch.ones(shape) for name, shape in shapes.items()}, tmp_path / "w.pth")
        return read_state_dict(str(tmp_path / "w.pth"))

    return make


def test_writes_both_files(tmp_path, variables):
    given = variables(**{"m.weight": (3, 2, 1, 1), "m.bias": (3,)})
    convert("w.pth", KINDS["torch"], given, NET, tmp_path / "a/b")
    net = Net(tmp_path / "a/b/deploy.prototxt", tmp_path / "a/b/weights.caffemodel")
    assert (net(torch.ones(1, 2, 3, 3)) == 3).all()
    assert (tmp_path / "a/b/deploy.prototxt").read_text() == NET


def test_what_is_left_over(tmp_path, variables):
    given = variables(**{"m.weight": (3, 2, 1, 1), "m.bias": (3,), "other.weight": (1,)})
    with pytest.raises(DeepLabError, match="w.pth: 1 variables have no place in one: .*other.weight"):
        convert("w.pth", KINDS["torch"], given, NET, tmp_path / "net")
    assert not (tmp_path / "net").exists()
    filled = convert("w.pth", KINDS["torch"], given, NET, tmp_path / "net", ignore_unused=True)
    assert filled.unused == ["other.weight"]


def test_class_count(variables):
    assert class_count(KINDS["torch"], variables(**{"classifier.4.bias": (21,)})) == 21
    assert class_count(KINDS["torch"], variables(**{"segmentation_head.0.bias": (7,)})) == 7
    assert class_count(KINDS["torch"], variables(**{"m.bias": (3,)})) is None


def test_torch_package(variables):
    parts = {"torchvision": ("backbone.a", "classifier.b"), "smp": ("encoder.a", "segmentation_head.b")}
    for package, names in parts.items():
        assert torch_package(variables(**dict.fromkeys(names, (1,))), "w.pth") == package
    with pytest.raises(DeepLabError, match="w.pth: neither torchvision's nor"):
        torch_package(variables(**{"encoder.a": (1,)}), "w.pth")
