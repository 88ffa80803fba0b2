import sys

import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.engine import cost
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net

INPUT = 'input: "data" input_dim: 2 input_dim: 4 input_dim: 11 input_dim: 8\n'


def analyse(text, size=None):
    return cost.analyse(read_net("net.prototxt", text=text), size)


def test_convolution():
    cost = analyse(
        INPUT
        + """layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" convolution_param {
      num_output: 6 kernel_size: 3 pad: 2 hole: 2 group: 2 } }"""
    )
    (layer,) = cost.layers
    assert layer.tops == {"c": (2, 6, 11, 8)} and layer.parameters == 6 * 2 * 9 + 6
    assert layer.multiply_adds == 2 * 6 * 11 * 8 * 2 * 9
    # rows: 11 positions, taps at -2, 0, 2; two positions at each end lose one
    assert layer.effective_multiply_adds == 2 * 6 * 2 * (33 - 4) * (24 - 4)
    assert layer.receptive_field == (5, 5) and layer.stride == (1, 1) and layer.memory == 4 * 2 * 6 * 88


def test_deconvolution_and_inner_product():
    cost = analyse(
        INPUT
        + """
      layers { name: "d" type: DECONVOLUTION bottom: "data" top: "d" convolution_param {
        num_output: 3 kernel_size: 4 stride: 2 pad: 1 } }
      layers { name: "i" type: INNER_PRODUCT bottom: "d" top: "i" inner_product_param { num_output: 5 } }"""
    )
    deconvolution, inner = cost.layers
    assert deconvolution.tops == {"d": (2, 3, 22, 16)} and deconvolution.stride == (0.5, 0.5)
    assert deconvolution.multiply_adds == 2 * 4 * 3 * 16 * 88
    assert deconvolution.effective_multiply_adds == 2 * 4 * 3 * (44 - 2) * (32 - 2)
    assert inner.multiply_adds == 2 * 5 * 3 * 22 * 16 and inner.parameters == 5 * 3 * 22 * 16 + 5


def test_camvid_largefov():
    net = read_net(asset("prototxt/camvid_largefov/deploy.prototxt"))
    whole = cost.analyse(net)
    assert whole.parameters == 1_566_563 and whole.outputs == {"fc8_interp": (1, 11, 361, 481)}
    by_name = {layer.name: layer for layer in whole.layers}
    assert by_name["conv3_3"].stride == (4, 4) and by_name["fc6"].stride == (8, 8)
    assert by_name["fc8_interp"].stride == (1, 1)
    # pool3 sees 51 pixels at stride 8; conv4, pool4, conv5 with hole 2, pool5 and pool5a, fc6 with hole 12
    assert by_name["fc6"].receptive_field == (51 + 8 * (6 + 2 + 12 + 4 + 24),) * 2
    assert 0 < whole.peak_memory < whole.blob_memory
    assert whole.effective_multiply_adds < whole.multiply_adds
    assert cost.analyse(net, (41, 57)).outputs == {"fc8_interp": (1, 11, 41, 57)}


def test_data_layers_need_no_files():
    text = """layers { name: "data" type: IMAGE_SEG_DATA top: "data" top: "label" top: "data_dim"
      image_data_param { source: "none" } transform_param { crop_size: 97 } }"""
    for size, expected in ((None, (97, 97)), ((41, 49), (41, 49))):
        assert analyse(text, size).layers[0].tops == {
            "data": (1, 3, *expected),
            "label": (1, 1, *expected),
            "data_dim": (1, 1, 1, 2),
        }


def test_hdf5_needs_a_size():
    text = 'layer { name: "d" type: "HDF5Data" top: "data" hdf5_data_param { source: "none" batch_size: 2 } }'
    with pytest.raises(DeepLabError, match="none"):
        analyse(text)
    assert analyse(text, (5, 6)).layers[0].tops == {"data": (2, 3, 5, 6)}


def test_shared_parameters_count_once():
    layer = """layers { name: "NAME" type: CONVOLUTION bottom: "data" top: "NAME" param: "w" param: "b"
      convolution_param { num_output: 6 kernel_size: 1 } }"""
    assert analyse(INPUT + layer.replace("NAME", "x") + layer.replace("NAME", "y")).parameters == 30


LRN = "lrn_param { local_size: 5 norm_region: %s }"


@pytest.mark.parametrize(
    ("kind", "fields", "field", "stride"),
    [
        ("LRN", LRN % "WITHIN_CHANNEL", (1 + 4, 1 + 4), 1),
        ("LRN", LRN % "ACROSS_CHANNELS", (1, 1), 1),
        ("Im2col", "convolution_param { kernel_h: 3 kernel_w: 2 stride: 2 dilation: 2 }", (5, 3), 2),
        ("SPP", "spp_param { pyramid_height: 2 }", (11, 8), 1),
        ("Pooling", "pooling_param { pool: AVE global_pooling: true }", (11, 8), 1),
        ("Pooling", "pooling_param { kernel_size: 3 stride: 2 same_pad: true }", (3, 3), 2),
        ("InnerProduct", "inner_product_param { num_output: 5 }", (11, 8), 1),
        ("InnerProduct", "inner_product_param { num_output: 5 axis: 3 }", (1, 8), 1),
        ("Interp", "interp_param { height: 21 width: 8 }", (1 + 1, 1), (0.5, 1)),
        ("Deconvolution", "convolution_param { num_output: 2 kernel_size: 4 stride: 2 }", (2, 2), 0.5),
    ],
)
def test_layers_tell_what_they_read(kind, fields, field, stride):
    (layer,) = analyse(
        INPUT + f'layer {{ name: "l" type: "{kind}" bottom: "data" top: "l" {fields} }}'
    ).layers
    assert layer.receptive_field == field
    assert layer.stride == (stride if isinstance(stride, tuple) else (stride, stride))


def test_windows_behind_each_other():
    text = (
        INPUT
        + """
      layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
      layer { name: "n" type: "LRN" bottom: "p" top: "n" LRN }"""
    )
    layers = analyse(text.replace("LRN }", (LRN % "WITHIN_CHANNEL") + " }")).layers
    assert layers[1].receptive_field == (2 + 2 * 4,) * 2 and layers[1].stride == (2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ("ReLU", "Convolution", "Concat"))
def test_twice_the_layers_are_twice_the_work(kind):
    """Calls are counted, not seconds: a pass that looks at all layers for each of them would show."""

    def calls(layers):
        text = INPUT.replace("dim: 2", "dim: 1", 1)
        for i in range(layers):
            bottom = f"b{i - 1}" if i else "data"
            bottoms = f'bottom: "{bottom}"' + f' bottom: "{bottom}"' * (kind == "Concat" and i == 0)
            text += f"""layer {{ name: "l{i}" type: "{kind}" {bottoms} top: "b{i}"
              convolution_param {{ num_output: 1 kernel_size: 1 }} }}\n"""
        definition, count = read_net("net.prototxt", text=text), 0

        def counted(frame, event, argument):
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            cost.analyse(definition)
        finally:
            sys.setprofile(None)
        return count

    calls(2)  # what is done once only
    assert calls(600) < 2.05 * calls(300)
