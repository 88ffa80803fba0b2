"""The whole original run: image list -> net -> .mat files, CRF, accuracies; every top to the last bit.

Of small images; tests/validate/test_reference.py has them as large as they are.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.engine.net import Net

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden" / "pipeline"


def make_net(folder, test_set, crop, output, **options):
    variables = {
        "NET_ID": "camvid_largefov",
        "DATA_ROOT": str(folder),
        "EXP": str(folder),
        "TEST_SET": test_set,
        "CROP": str(crop),
        "FEATURE_DIR": str(output),
    }
    model = asset("prototxt/camvid_largefov/test.prototxt")
    return Net(model, asset("weights/camvid_largefov_initial.caffemodel"), variables=variables, **options)


def assert_tops(net, image):
    """Runs the next image; every top of every layer must have the original's bytes."""
    expected = {(entry["layer"], entry["blob"]): entry for entry in image}
    assert len(expected) == len(image)

    def compare(index, layer, tops):
        for blob, tensor in tops.items():
            entry = expected.pop((layer.name, blob))
            assert list(tensor.shape) == entry["shape"], (layer.name, blob)
            values = np.ascontiguousarray(tensor.numpy(), "<f4").tobytes()
            assert hashlib.sha256(values).hexdigest() == entry["sha256"], (layer.name, blob)

    net.forward(on_layer=compare)
    assert not expected


@pytest.mark.parametrize("threads", [1, 2])
def test_small_images(tmp_path, threads):
    expected = json.loads((GOLDEN / "expected.json").read_text())
    net = make_net(GOLDEN, "small", 97, tmp_path, threads=threads)
    for image in expected["small"]:
        assert_tops(net, image)
    written = {path.name: path.read_bytes() for path in (tmp_path / "small" / "fc8").iterdir()}
    hashes = {name: hashlib.sha256(data[128:]).hexdigest() for name, data in written.items()}
    assert hashes == expected["mat_sha256_after_header"]


def test_without_hooks_layers_fuse_and_outputs_stay_the_same(tmp_path):
    expected = json.loads((GOLDEN / "expected.json").read_text())["small"]
    net = make_net(GOLDEN, "small", 97, tmp_path)
    for image in expected:
        hashes = {entry["blob"]: entry["sha256"] for entry in image}
        for name, tensor in net.forward().items():
            assert hashlib.sha256(tensor.numpy().tobytes()).hexdigest() == hashes[name], name
