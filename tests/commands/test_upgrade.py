"""The verb on whole nets: text and weights upgraded give the original programs' bits."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import Net
from deeplab_caffe.assets import asset
from deeplab_caffe.formats.caffemodel import read_caffemodel
from tests.reference_nets import REFERENCE, needs_reference

GOLDEN = Path(__file__).parents[1] / "golden/nets"


def upgraded(succeeds, case, weights, folder):
    model, stored = folder / "v2.prototxt", folder / "v2.caffemodel"
    assert "upgraded (V1)" in succeeds("upgrade", case / "net.prototxt", "-o", model)
    assert "layers in V2 records" in succeeds("upgrade", weights, "-o", stored)
    return Net(model, stored)


def check(net, case):
    """Every blob's values; V2's shapes lack the ones of four axes."""
    expected = json.loads((case / "expected.json").read_text())["layers"]
    wanted = {(entry["layer"], entry["blob"]): entry["sha256"] for entry in expected}

    def compare(index, layer, tops):
        for name, values in tops.items():
            stored = np.ascontiguousarray(values.numpy(), "<f4").tobytes()
            assert hashlib.sha256(stored).hexdigest() == wanted.pop((layer.name, name)), (layer.name, name)

    net.forward(on_layer=compare, data=np.load(case / "input.npy"))
    assert not wanted and not net.report.missing and not net.report.unused
    assert net.definition.dialect.value == "v2"


@pytest.mark.parametrize("case", ["v1_layers", "v1_conv_sweep_rgb"])
def test_golden_nets(tmp_path, succeeds, case):
    folder = GOLDEN / case
    net = upgraded(succeeds, folder, folder / "weights.caffemodel", tmp_path)
    check(net, folder)
    # The records are V2's: tag 100, a type in words.
    stored = (tmp_path / "v2.caffemodel").read_bytes()
    assert b"\xa2\x06" in stored and b"Convolution" in stored
    assert [layer.name for layer in read_caffemodel(tmp_path / "v2.caffemodel") if layer.blobs]


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize(
    "case", ["v1_conv_sweep", "v1_largefov_321", "v1_deeplab_306", "v1_msc_largefov_321"]
)
def test_large_nets(tmp_path, succeeds, case, weights_of):
    folder = REFERENCE / "nets" / case
    check(upgraded(succeeds, folder, weights_of(case), tmp_path), folder)


def test_solver_and_nothing_to_do(tmp_path, succeeds):
    solver = tmp_path / "solver.prototxt"
    solver.write_text("base_lr: 0.1 # start\nsolver_type: NESTEROV\n")
    assert "upgraded (a solver)" in succeeds("upgrade", solver, "-o", tmp_path / "new/s.prototxt")
    assert (tmp_path / "new/s.prototxt").read_text() == 'base_lr: 0.1 # start\ntype: "Nesterov"\n'
    assert "nothing to upgrade" in succeeds("upgrade", tmp_path / "new/s.prototxt", "-o", solver)


def test_nets_by_name(tmp_path, succeeds, fails):
    assert "upgraded (V1)" in succeeds("upgrade", "deeplab_v1/largefov", "-o", tmp_path / "a.prototxt")
    assert "dilation: 12" in (tmp_path / "a.prototxt").read_text()
    assert "no net of that name ships" in fails("upgrade", "deeplab_v1/none", "-o", tmp_path / "b")


def test_errors(tmp_path, fails):
    out = tmp_path / "out"
    for name, content, message in (
        ("a.prototxt", b"layers { name: 'x' type: NEW }", "a.prototxt:1: layer 'x': unknown layer type NEW"),
        ("b.caffemodel", b"\x0a\x05abc", "b.caffemodel: not a whole caffemodel"),
        ("c.prototxt", b"", "c.prototxt: the file is empty"),
    ):
        (tmp_path / name).write_bytes(content)
        assert message in fails("upgrade", tmp_path / name, "-o", out)
    assert "No such file" in fails("upgrade", tmp_path / "none.prototxt", "-o", out)
    assert not out.exists()


@pytest.mark.slow
def test_a_whole_run(tmp_path, succeeds):
    """Image list to .mat, CRF and accuracies; the text keeps its variables. Two layers are new."""
    model, weights = tmp_path / "v2.prototxt", tmp_path / "v2.caffemodel"
    succeeds("upgrade", asset("prototxt/camvid_largefov/test.prototxt"), "-o", model)
    succeeds("upgrade", asset("weights/camvid_largefov_initial.caffemodel"), "-o", weights)
    golden = Path(__file__).parents[1] / "golden/pipeline"
    variables = {"NET_ID": "camvid_largefov", "TEST_SET": "small", "CROP": "97"}
    variables |= {"DATA_ROOT": str(golden), "EXP": str(golden), "FEATURE_DIR": str(tmp_path)}
    net = Net(model, weights, variables=variables)
    for image in json.loads((golden / "expected.json").read_text())["small"]:
        wanted = {(entry["layer"], entry["blob"]): entry["sha256"] for entry in image}
        new = set()

        def compare(index, layer, tops, wanted=wanted, new=new):
            for name, values in tops.items():
                if (layer.name, name) not in wanted:
                    new.add(layer.name)
                    continue
                stored = np.ascontiguousarray(values.numpy(), "<f4").tobytes()
                assert hashlib.sha256(stored).hexdigest() == wanted.pop((layer.name, name)), layer.name

        net.forward(on_layer=compare)
        assert not wanted and new == {"crf_softmax", "crf_log"}
