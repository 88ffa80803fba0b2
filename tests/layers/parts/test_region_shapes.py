from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers.parts.region_shapes import region_shape


def test_what_r_cnn_nets_name():
    text = (
        'layer { name: "d" type: "Python" top: "data" top: "rois" top: "labels" top: "bbox_targets" '
        "python_param { param_str: \"'num_classes': 5\" } }"
    )
    (layer,) = read_net("net.prototxt", text=text).layers
    found = [region_shape(layer, name) for name in layer.tops]
    assert found == [None, (128, 5), (128,), (128, 20)]


def test_other_python_layers():
    (layer,) = read_net("n", text='layer { name: "d" type: "Python" top: "data" top: "labels" }').layers
    assert region_shape(layer, "labels") is None
