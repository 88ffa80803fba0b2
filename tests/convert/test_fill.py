"""Which variable fills which blob: a small net in both naming schemes."""

import numpy as np
import pytest

from deeplab_caffe.convert.fill import AVERAGE, fill
from deeplab_caffe.convert.layouts import TENSORFLOW, TORCH
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.stored import StoredArray

NET = """
name: "small"
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: [1, 3, 9, 9] }} }} }}
layer {{ name: "net/a" type: "Convolution" bottom: "data" top: "a"
  convolution_param {{ num_output: 4 kernel_h: 3 kernel_w: 2 bias_term: false }} }}
layer {{ name: "{norm}" type: "BatchNorm" bottom: "a" top: "a" }}
layer {{ name: "{norm}/scale" type: "Scale" bottom: "a" top: "a" scale_param {{ bias_term: true }} }}
layer {{ name: "net/b" type: "Convolution" bottom: "a" top: "b"
  convolution_param {{ num_output: 4 group: 4 kernel_h: 3 kernel_w: 2 bias_term: false }} }}
layer {{ name: "relu" type: "ReLU" bottom: "b" top: "b" }}
layer {{ name: "logits" type: "Convolution" bottom: "b" top: "c"
  convolution_param {{ num_output: 2 kernel_size: 1 }} }}
"""
SHAPES = {
    TENSORFLOW: {
        "net/a/weights": (3, 2, 3, 4),
        "net/a/BatchNorm/moving_mean": (4,),
        "net/a/BatchNorm/moving_variance": (4,),
        "net/a/BatchNorm/gamma": (4,),
        "net/a/BatchNorm/beta": (4,),
        "net/b/depthwise_weights": (3, 2, 4, 1),
        "logits/weights": (1, 1, 4, 2),
        "logits/biases": (2,),
    },
    TORCH: {
        "net/a.weight": (4, 3, 3, 2),
        "bn.running_mean": (4,),
        "bn.running_var": (4,),
        "bn.weight": (4,),
        "bn.bias": (4,),
        "net/b.weight": (4, 1, 3, 2),
        "logits.weight": (2, 4, 1, 1),
        "logits.bias": (2,),
    },
}
NORM = {TENSORFLOW: "net/a/BatchNorm", TORCH: "bn"}
LAYOUTS = pytest.mark.parametrize("layout", [TENSORFLOW, TORCH], ids=lambda layout: layout.name)


def stored(values):
    return StoredArray(values.shape, lambda: values)


def variables(layout):
    arrays = {}
    for i, (name, shape) in enumerate(SHAPES[layout].items()):
        arrays[name] = stored(np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1000 * i)
    return arrays


def definition(layout):
    return read_net("small.prototxt", text=NET.format(norm=NORM[layout]))


def run(layout, given, **options):
    return fill(definition(layout), layout, given, "x.ckpt", **options)


def error(layout, given, **options):
    with pytest.raises(DeepLabError, match=r"^x\.ckpt: ") as caught:
        run(layout, given, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@LAYOUTS
def test_every_blob(layout):
    given = variables(layout)
    filled = run(layout, given)
    names = list(given)
    values = [given[name].read() for name in names]
    if layout is TENSORFLOW:  # (height, width, in, out)
        for i in (0, 6):
            values[i] = values[i].transpose(3, 2, 0, 1)
        values[5] = values[5].transpose(2, 3, 0, 1)
    norm = NORM[layout]
    wanted = [
        ("net/a", "Convolution", [values[0]]),
        (norm, "BatchNorm", [values[1], values[2], np.ones(1)]),
        (norm + "/scale", "Scale", [values[3], values[4]]),
        ("net/b", "Convolution", [values[5]]),
        ("logits", "Convolution", [values[6], values[7]]),
    ]
    assert [(layer.name, layer.type) for layer in filled.layers] == [(a, b) for a, b, _ in wanted]
    for layer, (_, _, blobs) in zip(filled.layers, wanted, strict=True):
        for got, array in zip(layer.blobs, blobs, strict=True):
            assert got.is_contiguous() and np.array_equal(got.numpy(), array)
    assert (filled.used, filled.training, filled.unused) == (8, [], [])


def test_left_over():
    given = variables(TENSORFLOW)
    for name in ("logits/biases/Momentum", "global_step", "net/a/weights" + AVERAGE, "decoder/weights"):
        given[name] = stored(np.zeros(1, np.float32))
    filled = run(TENSORFLOW, given)
    assert filled.training == ["global_step", "logits/biases/Momentum", "net/a/weights" + AVERAGE]
    assert filled.unused == ["decoder/weights"]
    given = variables(TORCH)
    for name in ("bn.num_batches_tracked", "aux_classifier.0.weight", "fc.weight"):
        given[name] = stored(np.zeros(1, np.float32))
    filled = run(TORCH, given)
    assert filled.training == ["aux_classifier.0.weight", "bn.num_batches_tracked"]
    assert filled.unused == ["fc.weight"]


def test_averages():
    given = variables(TENSORFLOW)
    assert "no moving averages" in error(TENSORFLOW, given, averages=True)
    given["logits/biases" + AVERAGE] = stored(np.array([5, 6], np.float32))
    filled = run(TENSORFLOW, given, averages=True)
    assert filled.layers[-1].blobs[1].tolist() == [5, 6]
    assert filled.unused == [] and filled.training == []


@LAYOUTS
def test_missing(layout):
    given = variables(layout)
    first, *_, last = given
    given["other/weights"] = given.pop(first)
    del given[last]
    names = ", ".join(sorted((first, last)))
    assert error(layout, given) == (
        f"x.ckpt: not the weights of small: 2 of 8 variables are missing: {names}; left over: other/weights"
    )
    assert "8 of 8 variables are missing" in error(layout, {})


@LAYOUTS
def test_shape(layout):
    given = variables(layout)
    name = list(given)[5]
    given[name] = StoredArray((3, 2, 4, 2), pytest.fail)
    assert (
        f"variable '{name}': shape [3, 2, 4, 2] in the file, {list(SHAPES[layout][name])} in the net"
        in error(layout, given)
    )


def test_a_layer_without_a_rule():
    text = NET.format(norm="bn").replace("bn/scale", "other")
    with pytest.raises(DeepLabError, match=r"layer 'other' \(Scale\): no rule"):
        fill(read_net("small.prototxt", text=text), TORCH, variables(TORCH), "x.pth")
