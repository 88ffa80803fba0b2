"""A DeepLab v1 net rewritten by hand in v2's dialect, and back: the same bits, the same weights."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.caffemodel import read_caffemodel

GOLDEN = Path(__file__).parents[1] / "golden/nets/v1_layers"
CAMVID = asset("prototxt/camvid_largefov/deploy.prototxt"), asset("weights/camvid_largefov.caffemodel")
TYPES = {
    "CONVOLUTION": "Convolution",
    "DROPOUT": "Dropout",
    "INTERP": "Interp",
    "PADDING": "Padding",
    "POOLING": "Pooling",
    "RELU": "ReLU",
    "SOFTMAX": "Softmax",
}


def to_v2(text):
    """What a person would change, with an editor."""
    text = re.sub(r"\btype: ([A-Z]+)\b", lambda m: f'type: "{TYPES[m[1]]}"', text)
    return re.sub(r"^layers \{", "layer {", text, flags=re.M).replace("hole:", "dilation:")


def to_v1(text):
    names = {v2: v1 for v1, v2 in TYPES.items()}
    text = re.sub(r'\btype: "([A-Z]\w*)"', lambda m: f"type: {names[m[1]]}", text)
    return re.sub(r"^layer \{", "layers {", text, flags=re.M).replace("dilation:", "hole:")


def tops(net, x):
    """Hash of every top of every layer."""
    found = {}

    def look(index, layer, values):
        for blob, tensor in values.items():
            found[layer.name, blob] = hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest()

    net.forward(on_layer=look, data=x)
    return found


def blobs(path):
    """Name, shapes and bytes of each layer of the file that has any."""
    layers = [layer for layer in read_caffemodel(path) if layer.blobs]
    return [(x.name, [(tuple(b.shape), b.numpy().tobytes()) for b in x.blobs]) for x in layers]


@pytest.mark.parametrize("case", ["golden", pytest.param("camvid", marks=pytest.mark.slow)])
def test_there_and_back(case, tmp_path):
    model, weights = CAMVID if case == "camvid" else (GOLDEN / "net.prototxt", GOLDEN / "weights.caffemodel")
    x = np.load(GOLDEN / "input.npy")
    text = model.read_text()
    there, back = tmp_path / "v2.prototxt", tmp_path / "v1.prototxt"
    there.write_text(to_v2(text))
    back.write_text(to_v1(there.read_text()))
    assert back.read_text() == text and "layers {" not in there.read_text()

    v1 = Net(model, weights)
    v2 = Net(there, weights)  # v1's file as it is
    assert not v2.report.missing and not v2.report.unused
    wanted = tops(v1, x)
    assert tops(v2, x) == wanted
    if case == "golden":
        expected = json.loads((GOLDEN / "expected.json").read_text())["layers"]
        assert wanted == {(entry["layer"], entry["blob"]): entry["sha256"] for entry in expected}

    # Biases: four dimensions in v1, one in v2; weights the same four.
    for name, parameters in v1.params.items():
        weight, bias = (p.shape for p in parameters)
        assert bias == (1, 1, 1, weight[0])
        assert [p.shape for p in v2.params[name]] == [weight, (weight[0],)]

    # The weights in v2's layout go into either net, and back in v1's are what they were.
    v2.save(tmp_path / "v2.caffemodel", layout="v2")
    assert [shape for _, stored in blobs(tmp_path / "v2.caffemodel") for shape, _ in stored] == [
        p.shape for parameters in v2.params.values() for p in parameters
    ]
    assert tops(Net(there, tmp_path / "v2.caffemodel"), x) == wanted
    again = Net(back, tmp_path / "v2.caffemodel")
    assert tops(again, x) == wanted
    again.save(tmp_path / "v1.caffemodel", layout="v1")
    assert blobs(tmp_path / "v1.caffemodel") == blobs(weights)
