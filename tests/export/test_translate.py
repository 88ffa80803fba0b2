import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.export.prepared import prepare
from deeplab_caffe.export.translate import class_name, identifier, translate

CONV = """layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{2}" {3}
  convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 {4} }} }}
"""


def conv(name, bottom, top, params="", more=""):
    return CONV.format(name, bottom, top, params, more)


SHARED = 'param { name: "w" } param { name: "b" }'


def test_names():
    assert class_name("DeepLab-LargeFOV") == "DeepLabLargeFOV"
    assert class_name("") == "Net" and class_name("3 nets") == "Net3Nets"
    assert identifier("fc8") == "fc8" and identifier("3x3 out") == "_3x3_out"
    assert identifier("xception_65/exit_flow/block2/unit_1/xception_module") == "unit_1_xception_module"


def test_layers_that_share_their_parameters_are_one_module(agrees):
    source = agrees(conv("a", "data", "a", SHARED) + conv("b", "a", "b", SHARED))
    assert "self.a = nn.Conv2d" in source and "self.b" not in source


def test_parameters_shared_in_part_or_with_other_fields_are_tied(net_of, agrees, module_of):
    text = conv("a", "data", "a", SHARED) + conv("b", "a", "b", 'param { name: "w" }')
    text += conv("c", "b", "c", SHARED, "dilation: 2")
    source = agrees(text)
    assert "self.b.weight = self.a.weight" in source
    assert "self.c.weight = self.a.weight" in source and "self.c.bias = self.a.bias" in source
    module = module_of(prepare(net_of(text)))
    assert module.c.weight is module.a.weight and module.b.bias is not module.a.bias


def test_what_owns_the_parameters_may_be_cut_off(net_of, module_of):
    text = conv("a", "data", "a", SHARED) + conv("b", "data", "b", 'param { name: "w" }')
    net = net_of(text)
    prepared = prepare(net, ["b"])
    x = torch.randn(1, 4, 13, 18)
    assert "self.a" not in prepared.source
    with torch.no_grad():
        assert (module_of(prepared)(x) - net.forward(["b"], data=x)["b"]).abs().max() < 1e-5


def test_in_place_layers_leave_the_value_before_them(agrees):
    agrees(
        conv("a", "data", "a")
        + 'layer { name: "s" type: "Split" bottom: "a" top: "b" top: "c" }'
        + 'layer { name: "r" type: "ReLU" bottom: "b" top: "b" }'
        + 'layer { name: "t" type: "TanH" bottom: "b" top: "b" }'
        + 'layer { name: "e" type: "Eltwise" bottom: "b" bottom: "c" bottom: "data" top: "e" }'
    )


def test_batch_normalisation_is_kept_or_folded(agrees):
    text = conv("a", "data", "a", more="bias_term: false")
    text += 'layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }'
    text += 'layer { name: "sc" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }'
    text += 'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }'
    assert "self.bn = nn.BatchNorm2d(4, affine=False)" in agrees(text)
    folded = agrees(text, fold=True)
    assert "self.a = nn.Conv2d(4, 4, 3, padding=1)\n" in folded and "BatchNorm" not in folded


def test_shared_convolutions_fold_into_one_module(agrees):
    both = 'param { name: "w" }', 'param { name: "m" } param { name: "v" } param { name: "d" }'
    text = ""
    for name, bottom in (("a", "data"), ("b", "a")):
        text += conv(name, bottom, name, both[0], "bias_term: false")
        text += f'layer {{ name: "n{name}" type: "BatchNorm" bottom: "{name}" top: "{name}" {both[1]} }}'
    source = agrees(text, fold=True)
    assert "self.a = nn.Conv2d(4, 4, 3, padding=1)\n" in source and "self.b" not in source


def test_outputs_end_the_net(net_of):
    net = net_of(conv("a", "data", "a") + conv("b", "a", "b") + conv("c", "b", "c"))
    program = translate(net, ["b"])
    assert program.output_names == ["b"] and set(program.values) == {
        "a.weight", "a.bias", "b.weight", "b.bias"
    }  # fmt: skip
    assert translate(net).output_names == ["c"]
    assert translate(net, ["c", "a"]).output_names == ["c", "a"]
    with pytest.raises(DeepLabError, match="no blob is named 'd'"):
        translate(net, ["d"])


def test_values_are_the_nets(net_of):
    net = net_of(conv("a/1", "data", "a"))
    values = translate(net).values
    assert torch.equal(values["a_1.weight"], net.params["a/1"][0].values())
