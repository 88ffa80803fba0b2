from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.generate.net_text import WIDTH, NetText, Word


def test_a_net_reads_back():
    net = NetText("Two layers.", name="tiny", input="data", input_shape={"dim": [1, 3, 8, 8]})
    net.comment("The first.")
    fields = {"num_output": 4, "kernel_size": [3], "bias_term": False, "weight_filler": {"type": "xavier"}}
    first = net.layer("conv", "Convolution", "data", convolution_param=fields, param=[{"name": "w"}])
    pool = {"pool": Word("AVE"), "kernel_size": 2}
    assert (first, net.layer("pool", "Pooling", first, "small", pooling_param=pool)) == ("conv", "small")
    definition = read_net("net.prototxt", text=str(net))
    conv, pooling = (layer.param for layer in definition.layers)
    assert (definition.name, conv.type, pooling.type) == ("tiny", "Convolution", "Pooling")
    assert conv.convolution_param.num_output == 4 and not conv.convolution_param.bias_term
    assert conv.convolution_param.weight_filler.type == "xavier" and conv.param[0].name == "w"
    assert pooling.pooling_param.pool == pooling.pooling_param.AVE
    assert [*definition.layers[1].bottoms, *definition.layers[1].tops] == ["conv", "small"]


def test_lines():
    net = NetText("word " * 40, name="wide")
    net.layer("sum", "Eltwise", [f"a_long_name_of_a_blob_{i}" for i in range(20)])
    lines = str(net).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith("# word") for line in lines[:2]) and str(net).endswith("}\n")


def test_empty_fields_are_left_out():
    net = NetText("", name="x")
    net.layer("relu", "ReLU", "a", "a", relu_param={}, param=[])
    assert str(net).splitlines()[-1] == 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }'
