import pytest
import torch

from deeplab_caffe import Net

INPUT = 'input: "x" input_shape { dim: 2 dim: 3 dim: 9 dim: 7 }\n'
NET = (
    INPUT
    + """
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { filler { value: 2 } } }
layer { name: "e" type: "Eltwise" bottom: "x" bottom: "c" top: "e" }
layer { name: "r" type: "ReLU" bottom: "e" top: "e" }
layer { name: "d" type: "Convolution" bottom: "e" top: "d"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
"""
)


def make(tmp_path, text=NET, **options):
    (tmp_path / "net.prototxt").write_text(text)
    return Net(tmp_path / "net.prototxt", **options)


def fused(net, kind, outputs=None):
    nodes = net._plans.schedule(outputs, kind).nodes
    return {node.layer.name: [layer.name for layer in node.fused] for node in nodes}


def test_each_schedule_has_its_own(tmp_path):
    net = make(tmp_path)
    assert fused(net, "forward") == {"c": ["n", "s", "e", "r"], "d": []}
    assert fused(net, "forward", ("c",)) == {"c": ["n", "s"]}
    assert fused(net, "training") == {name: [] for name in "cnserd"}
    assert fused(net, "watched") == fused(net, "watched training") == {name: [] for name in "cnserd"}
    assert all(node.fused == () for node in net._graph.nodes)


@pytest.mark.parametrize("precision", ["exact", "fp32", "bf16"])
def test_runs_of_all_kinds_may_alternate(tmp_path, precision):
    """No run leaves anything behind for the next: each gives what it gives alone."""
    x = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    runs = [
        lambda net: net(x),
        lambda net: net.forward(x=x, outputs=["c"])["c"],
        lambda net: net.forward(x=x, on_layer=lambda *_: None)["d"],
        lambda net: net.forward_train(x=x).outputs["d"].detach(),
    ]
    wanted = [run(make(tmp_path, precision=precision)) for run in runs]
    net = make(tmp_path, precision=precision)
    for first in range(len(runs)):
        for number in (first, *range(len(runs))):
            assert torch.equal(runs[number](net), wanted[number])


def test_what_is_not_there_in_time_is_not_fused(tmp_path):
    """The sum reads a blob that is made after the convolution."""
    text = (
        INPUT
        + """
    layer { name: "c" type: "Convolution" bottom: "x" top: "c"
      convolution_param { num_output: 3 kernel_size: 1 } }
    layer { name: "late" type: "AbsVal" bottom: "x" top: "late" }
    layer { name: "e" type: "Eltwise" bottom: "c" bottom: "late" top: "e" }
    """
    )
    assert fused(make(tmp_path, text), "forward") == {"c": [], "late": [], "e": []}
