"""The original's whole TEST run: image list, net, DenseCRF, accuracies; every top to the last bit."""

import hashlib
import json
from pathlib import Path

import pytest

from deeplab_caffe.net import Net

SHARED = Path(__file__).parents[2] / "shared"
REFERENCE = SHARED / "reference/pipeline"


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference run")
@pytest.mark.parametrize("name, crop, threads", [("small", 97, 1), ("small", 97, 2), ("full", 481, 2)])
def test_pipeline(name, crop, threads, tmp_path):
    variables = {
        "NET_ID": "camvid_largefov",
        "DATA_ROOT": str(REFERENCE),
        "EXP": str(REFERENCE),
        "TEST_SET": name,
        "CROP": str(crop),
        "FEATURE_DIR": str(tmp_path),
    }
    (weights,) = (SHARED / "models/camvid_largefov").glob("*.caffemodel")
    net = Net(REFERENCE / "test.prototxt", weights, variables=variables, threads=threads)
    for number, image in enumerate(json.loads((REFERENCE / "expected.json").read_text())[name]):
        expected = {(entry["layer"], entry["blob"]): entry["sha256"] for entry in image}
        found = {}

        def note(index, layer, tops, found=found):
            for blob, x in tops.items():
                found[layer.name, blob] = hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()

        net.forward(on_layer=note)
        assert {key: found.get(key) for key in expected} == expected, f"image {number}"
