import warnings

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.weights import WeightReport, check_given, together
from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.segmenter.segmenter import Segmenter

NET = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "fc8_NAME" type: "Convolution" bottom: "conv1" top: "scores" convolution_param {
  num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
"""
AUXILIARY = NET + NET.splitlines()[3].replace("fc8_NAME", "aux").replace('"scores"', '"more"') + "\n"
AUXILIARY += "num_output: 2 kernel_size: 1 } }"


@pytest.fixture
def make(tmp_path):
    """Writes a net whose last layer has this name, and its weights; returns both paths."""

    def make(name, text=NET, file=""):
        model, weights = (tmp_path / f"{file or name}{end}" for end in (".prototxt", ".caffemodel"))
        model.write_text(text.replace("NAME", name))
        Net(model).save(weights)
        return model, weights

    return make


def test_a_net_warns_of_layers_without_weights_and_names_both_sides(make):
    _, weights = make("voc12")
    model, own = make("mine")
    with pytest.warns(DeepLabWarning) as caught:
        net = Net(model, weights)
    line = "voc12.caffemodel: no weights for fc8_mine; layers there that the net lacks: fc8_voc12"
    assert [str(warning.message).endswith(line) for warning in caught] == [True]
    assert net.report.missing == ["fc8_mine"] and net.report.loaded == ["conv1"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.load(own)


def test_a_segmenter_refuses_what_is_no_segmentation(make):
    _, weights = make("voc12")
    model, own = make("mine")
    with pytest.raises(DeepLabError, match="no weights for fc8_mine; layers there .*: fc8_voc12"):
        Segmenter(model, weights)
    with pytest.raises(DeepLabError, match="mine.prototxt: no weights given .* for conv1, fc8_mine; with"):
        Segmenter(model)
    with pytest.raises(DeepLabError, match="one of them wanted"):
        Segmenter(model, own, random_weights=True)
    loaded, drawn = Segmenter(model, own), Segmenter(model, random_weights=True)
    data = torch.rand(1, 3, 8, 8)
    assert torch.equal(loaded.scores_of(data), drawn.scores_of(data))  # the file holds what fillers drew


def test_fill_wants_all_layers_or_those_it_is_given(make):
    _, weights = make("voc12")
    net = Net(make("mine")[0])
    with pytest.raises(DeepLabError, match="no weights for fc8_mine"):
        net.fill(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.fill(weights, net.layers_for(["conv1"])).loaded == ["conv1"]


def test_only_layers_that_the_scores_need_must_be_filled(make):
    _, weights = make("voc12")
    model, _ = make("voc12", AUXILIARY, "auxiliary")
    assert Segmenter(model, weights, output="scores").output == "scores"
    with pytest.raises(DeepLabError, match="no weights for aux;"):
        Segmenter(model, weights, output="more")


def test_a_file_for_another_net_lists_both_sides(make, tmp_path):
    model, _ = make("mine")
    other = tmp_path / "other.prototxt"
    other.write_text(NET.replace("conv1", "c").replace("NAME", "voc12"))
    with pytest.raises(DeepLabError, match="layers in it: conv1, fc8_mine; layers of the net: c, fc8_voc12"):
        Net(other, model.with_suffix(".caffemodel"))


def test_long_lists_are_cut():
    report = WeightReport("f", missing=[f"m{i}" for i in range(11)])
    assert report.unfilled().endswith("m6, m7 and 3 more; layers there that the net lacks: none")
    assert report.unfilled(["m10"]).startswith("f: no weights for m10;")
    assert report.unfilled(["other"]) == ""


def test_several_files_together():
    first = WeightReport("a", ["x"], ["old"], ["y", "z"])
    second = WeightReport("b", ["y"], [], ["x", "z"])
    assert together([first, second]) == WeightReport("a, b", ["x", "y"], ["old"], ["z"])
    line = "a, b: no weights for z; layers there that the net lacks: old"
    assert together([first, second]).unfilled() == line
    assert together([]).unfilled() == ""


def test_nets_without_parameters_need_no_weights(tmp_path):
    net = tmp_path / "net.prototxt"
    net.write_text('input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1')
    check_given(Net(net).layers, None, False, "net")
