"""Nets are looked at without their data."""

import pytest

from deeplab_caffe.engine.feeding import connect_without_data, missing_inputs
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context

DATA = (
    'layer { name: "d" type: "Data" top: "data" top: "label" '
    'data_param { source: "x" batch_size: 2 backend: LMDB } '
    'transform_param { crop_size: 20 mean_file: "m" } }\n'
)
SCORES = (
    'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
    "convolution_param { num_output: 5 kernel_size: 1 } }\n"
)
FC = (
    'layer { name: "f" type: "InnerProduct" bottom: "data" top: "f" inner_product_param { num_output: 2 } }\n'
)


def loss(kind, scores):
    return f'layer {{ name: "l" type: "{kind}" bottom: "{scores}" bottom: "label" top: "l" }}\n'


def look(text, size=None, phase="test", **given):
    net = read_net("net.prototxt", text=text, phase=phase)
    _, shapes = connect_without_data(net, Context(phase=phase, shapes_only=True), size, given)
    return {value.name: shape for value, shape in shapes.items()}


def test_data_layers_without_their_data():
    found = look(DATA + FC + loss("SoftmaxWithLoss", "f"))
    assert found["data"] == (2, 3, 20, 20) and found["label"] == (2,) and found["f"] == (2, 2)
    assert look(DATA + FC, (7, 9))["data"] == (2, 3, 7, 9)
    assert look(DATA + FC, data=(1, 4, 3, 2))["data"] == (1, 4, 3, 2)


@pytest.mark.parametrize(
    ("kind", "scores", "wanted"),
    [
        ("SoftmaxWithLoss", "c", (2, 1, 20, 20)),
        ("SoftmaxWithLoss", "f", (2,)),
        ("SigmoidCrossEntropyLoss", "f", (2, 2)),
        ("EuclideanLoss", "c", (2, 5, 20, 20)),
    ],
)
def test_the_loss_tells_the_labels_shape(kind, scores, wanted):
    assert look(DATA + SCORES + FC + loss(kind, scores))["label"] == wanted


def test_python_data_layers_as_fcn_has_them():
    text = DATA.replace('"Data"', '"Python"').replace(
        'data_param { source: "x" batch_size: 2 backend: LMDB }', ""
    )
    text = text.replace("transform_param", 'python_param { module: "voc_layers" layer: "L" } transform_param')
    found = look(text + SCORES + loss("SoftmaxWithLoss", "c"), (5, 7))
    assert found["data"] == (1, 3, 5, 7) and found["label"] == (1, 1, 5, 7)


def test_what_nothing_tells():
    without = DATA.replace("crop_size: 20", "")
    with pytest.raises(DeepLabError, match=r"layer 'd' \(Data\).*--size or --shape data=2x3xHEIGHTxWIDTH"):
        look(without + FC)
    with pytest.raises(DeepLabError, match="net.prototxt: --shape dat: no input or layer gives such a blob"):
        look(DATA + FC, dat=(1, 2))


def test_a_layer_that_cannot_run_may_be_told():
    text = (
        DATA
        + 'layer { name: "p" type: "Proposal" bottom: "data" top: "rois" }\n'
        + (
            'layer { name: "r" type: "InnerProduct" bottom: "rois" top: "r" '
            "inner_product_param { num_output: 2 } }\n"
        )
    )
    assert look(text, rois=(300, 5))["r"] == (300, 2)
    with pytest.raises(DeepLabError, match=r"unknown layer type Proposal \(line 2; of R-CNN"):
        look(text)


def test_all_unknown_types_at_once():
    text = DATA + "".join(
        f'layer {{ name: "u{i}" type: "{kind}" bottom: "data" top: "u{i}" }}\n'
        for i, kind in enumerate(["Foo", "Convolutoin", "Foo", "PSROIPooling"])
    )
    with pytest.raises(DeepLabError) as caught:
        look(text)
    message = str(caught.value)
    assert (
        "3 unknown layer types: Foo (line 2, 4), Convolutoin (line 3; did you mean Convolution?)" in message
    )
    assert "PSROIPooling (line 5; of R-FCN" in message


def test_inputs_without_a_shape():
    assert look('input: "data"\n' + FC, data=(1, 2, 3, 4))["f"] == (1, 2)
    assert look('input: "data"\n' + FC, (5, 6))["data"] == (1, 3, 5, 6)
    layer = 'layer { name: "i" type: "Input" top: "data" }\n'
    assert look(layer + FC, (5, 6))["data"] == (1, 3, 5, 6)
    assert look(layer + FC, data=(1, 2, 3, 4))["f"] == (1, 2)
    with pytest.raises(DeepLabError, match="'i'.*the caller has to tell that of data"):
        look(layer + FC)
    with pytest.raises(DeepLabError, match="input 'data' has no shape"):
        look('input: "data"\n' + FC)


def test_no_file_of_weights_of_labels_is_asked_for():
    text = (
        DATA
        + SCORES
        + loss("SoftmaxWithLoss", "c").replace("}", 'softmaxloss_param { weight_source: "none" } }')
    )
    assert look(text)["l"] == ()
    text = DATA + FC + loss("InfogainLoss", "f").replace("}", 'infogain_loss_param { source: "none" } }')
    assert look(text)["label"] == (2,)


def test_for_nets_that_only_hold_parameters():
    net = read_net("net.prototxt", text=DATA + SCORES + loss("SoftmaxWithLoss", "c"))
    found = missing_inputs(net, Context(shapes_only=True))
    assert found == {"data": (2, 3, 20, 20), "label": (2, 1, 20, 20)}
