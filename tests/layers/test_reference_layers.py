"""Every layer of the small reference nets on its own, against the original programs' bits."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, create
from deeplab_caffe.layers.parameters.parameter import Parameter

GOLDEN = Path(__file__).parents[1] / "golden/nets"


def sha256(x):
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", ["v1_layers", "v2_layers"])
def test_bits_of_every_top(case, threads):
    folder = GOLDEN / case
    expected = {
        (e["layer"], e["blob"]): e for e in json.loads((folder / "expected.json").read_text())["layers"]
    }
    weights = {layer.name: layer.blobs for layer in read_caffemodel(folder / "weights.caffemodel")}
    blobs = {"data": torch.from_numpy(np.load(folder / "input.npy"))}
    for definition in read_net(folder / "net.prototxt").layers:
        entry = expected[definition.name, definition.tops[0]]
        layer = create(definition, Context(threads=threads))
        bottoms = [blobs[name] for name in definition.bottoms]
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        top = torch.empty(layer.shape(shapes)[0])
        for shape, stored in zip(layer.blob_shapes(shapes), weights.get(definition.name, []), strict=True):
            layer.blobs.append(Parameter(shape, lambda stored=stored: stored))
        layer.forward(bottoms, [top])
        assert sha256(top) == entry["sha256"], f"{definition.name}: {definition.type}"
        if layer.in_place:
            first = bottoms[0].clone()
            layer.forward([first, *bottoms[1:]], [first])
            assert sha256(first) == entry["sha256"], f"{definition.name} in place"
        blobs[definition.tops[0]] = top
