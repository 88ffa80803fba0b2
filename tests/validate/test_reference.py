"""`validate` on what the original programs left: nets, the whole v1 run.

tests/solver/test_reference_cases.py has the snapshots of trainings.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.bench.torch_net import TorchNet
from deeplab_caffe.engine.net import Net
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request
from deeplab_caffe.validate.validation import validate
from tests.reference_nets import LARGE, REFERENCE, needs_reference

GOLDEN = Path(__file__).parents[1] / "golden"


def run(request):
    return validate(request.job(), request.environment("a test"), diagnose)


def assert_equal(result, count):
    assert result.equal, result.headline
    assert {c.status for c in result.comparisons} == {"equal"} and len(result.comparisons) == count
    assert result.headline.startswith(f"equal: all {count:,} arrays have the same bits")


def check_net(case, weights, fused=True):
    """Layer by layer by a validation, then, if `fused`, as users run it, with one thread."""
    records = json.loads((case / "expected.json").read_text())["layers"]
    inputs = {"data": np.load(case / "input.npy")}
    request = Request(case / "net.prototxt", weights, [case / "expected.json"], inputs=inputs, threads=1)
    job = request.job()
    result = validate(job, request.environment("a test"), diagnose)
    assert_equal(result, len(records))
    assert not result.unpaired_theirs
    stored = [record for record in records if (case / record.get("file", "none")).is_file()]
    assert sum(not c.by_hash for c in result.comparisons) == len(stored)
    if not fused:
        return
    last = {record["blob"]: record["sha256"] for record in records}
    outputs = job.net.forward(**inputs)
    hashes = {name: hashlib.sha256(top.numpy().tobytes()).hexdigest() for name, top in outputs.items()}
    assert hashes == {name: last[name] for name in outputs}
    assert not job.net.report.missing and not job.net.report.unused


@pytest.mark.parametrize("case", ["v1_layers", "v2_layers", "v1_conv_sweep_rgb"])
def test_golden_nets(case):
    check_net(GOLDEN / "nets" / case, GOLDEN / "nets" / case / "weights.caffemodel")


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_reference_nets(case, weights_of):
    """As tests/engine/test_reference_nets.py does with two threads; the longest fused only there."""
    fused = case not in ("v1_largefov_513", "v1_deeplab_306", "v1_msc_largefov_321")
    check_net(REFERENCE / "nets" / case, weights_of(case), fused)


def check_pipeline(folder, test_set, crop, tmp_path, mats=None):
    """Every top of every image by its hash; what MatWrite wrote by its content."""
    images = json.loads((folder / "expected.json").read_text())[test_set]
    for number, records in enumerate(images):
        (tmp_path / f"{number:06d}").mkdir()
        (tmp_path / f"{number:06d}" / "forward.json").write_text(json.dumps({"layers": records}))
    variables = {"NET_ID": "camvid_largefov", "DATA_ROOT": str(folder), "EXP": str(folder)}
    variables |= {"TEST_SET": test_set, "CROP": str(crop), "FEATURE_DIR": str(tmp_path / "out")}
    request = Request(
        asset("prototxt/camvid_largefov/test.prototxt"),
        asset("weights/camvid_largefov_initial.caffemodel"),
        [tmp_path, *([mats] if mats else [])],
        rules={"variables": variables},
        iterations=len(images),
    )
    result = run(request)
    assert not (tmp_path / "out").exists()  # nothing is written over
    assert_equal(result, sum(map(len, images)) + (len(images) if mats else 0))
    assert len({c.image for c in result.comparisons}) == len(images)


@pytest.mark.slow
def test_golden_pipeline(tmp_path):
    check_pipeline(GOLDEN / "pipeline", "small", 97, tmp_path)


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("test_set, crop", [("small", 97), ("full", 481)])
def test_pipeline(test_set, crop, tmp_path):
    pipeline = REFERENCE / "pipeline"
    check_pipeline(pipeline, test_set, crop, tmp_path, pipeline / "mat" if test_set == "small" else None)


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("only_scores", [False, True])
def test_largefov_against_torch(only_scores, tmp_path, weights_of):
    """torch's own outputs: nothing but another order of sums, found at the first convolution."""
    case = REFERENCE / "nets/v1_largefov_321"
    weights = weights_of("v1_largefov_321")
    x = np.load(case / "input.npy")[:, :, :161, :161]
    folder = tmp_path / "torch"
    folder.mkdir()
    for name, blob in torch_blobs(Net(case / "net.prototxt", weights, inputs={"data": x.shape}), x).items():
        if not only_scores or name == "fc8_voc12":
            np.save(folder / f"{name}.npy", blob)
    result = run(Request(case / "net.prototxt", weights, [folder], inputs={"data": x}))
    best = result.diagnosis.trials[result.diagnosis.best]
    assert result.diagnosis.verdict == "explained" and best.hypothesis == "another order of sums"
    found = result.comparisons[result.first]
    assert found.layer == ("fc8_voc12" if only_scores else "relu1_1") and found.numbers.error < 1e-5
    assert "another order of sums" in result.headline
    assert only_scores or result.comparisons[-1].labels.changed == 0


def torch_blobs(net, x):
    """All blobs of the net as a port by hand computes them, by name."""
    import torch

    twin = TorchNet(net)
    values = {twin._input: torch.from_numpy(x)}
    with torch.inference_mode():
        for step, bottoms, top in twin._steps:
            values[top] = step(*(values[name] for name in bottoms))
    return {name: value.contiguous().numpy() for name, value in values.items()}
