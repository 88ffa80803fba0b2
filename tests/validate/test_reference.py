"""`validate` on what the original programs left: nets, the whole v1 run, snapshots of training."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.bench.torch_net import TorchNet
from deeplab_caffe.engine.net import Net
from deeplab_caffe.solver import Solver, read_settings
from deeplab_caffe.validate.comparing import Measure
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request
from deeplab_caffe.validate.validation import validate

GOLDEN = Path(__file__).parents[1] / "golden"
REFERENCE = Path(
    os.environ.get("DEEPLAB_CAFFE_REFERENCE") or Path(__file__).parents[3] / "shared/reference"
).resolve()
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason=f"no {REFERENCE}")


def run(request):
    return validate(request.job(), request.environment("a test"), diagnose)


def assert_equal(result, count):
    assert result.equal, result.headline
    assert {c.status for c in result.comparisons} == {"equal"} and len(result.comparisons) == count
    assert result.headline.startswith(f"equal: all {count:,} arrays have the same bits")


def check_net(case, weights):
    records = json.loads((case / "expected.json").read_text())["layers"]
    inputs = {"data": np.load(case / "input.npy")}
    result = run(Request(case / "net.prototxt", weights, [case / "expected.json"], inputs=inputs))
    assert_equal(result, len(records))
    assert not result.unpaired_theirs
    stored = [record for record in records if (case / record.get("file", "none")).is_file()]
    assert sum(not c.by_hash for c in result.comparisons) == len(stored)


@pytest.mark.parametrize("case", ["v1_layers", "v2_layers", "v1_conv_sweep_rgb"])
def test_golden_nets(case):
    check_net(GOLDEN / "nets" / case, GOLDEN / "nets" / case / "weights.caffemodel")


LARGE = "v1_conv_sweep v2_conv_sweep v2_conv_sweep_65 v1_largefov_321 v1_largefov_513 v1_deeplab_306"
LARGE += " v1_msc_largefov_321 v2_vgg16_aspp_161 v2_resnet101_msc_161"


def weights_of(case, folder):
    """The weights file of a reference case, drawn by the recipe where it is not stored."""
    stored, drawn = REFERENCE / "nets" / case / "weights.caffemodel", folder / "weights.caffemodel"
    if stored.exists():
        return stored
    spec = importlib.util.spec_from_file_location("recipe", REFERENCE / "recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    recipe.build(REFERENCE / "nets" / case, drawn)
    return drawn


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE.split())
def test_reference_nets(case, tmp_path):
    weights = weights_of(case, tmp_path)
    check_net(REFERENCE / "nets" / case, weights)
    (tmp_path / "weights.caffemodel").unlink(missing_ok=True)


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


TRAINING = REFERENCE / "training"
CASES = json.loads((TRAINING / "expected.json").read_text()) if TRAINING.exists() else {}


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_training_snapshots(case, tmp_path, monkeypatch):
    """After 4 and 12 iterations, within what the original's own parameters move with another BLAS."""
    for path in TRAINING.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    settings = f"solver_{case}.prototxt"
    solver = Solver(read_settings(settings), threads=1)
    solver.load(["init.caffemodel"])
    model = Path("train_v1.prototxt" if case.startswith("v1") else "train_v2.prototxt")
    for until in (4, 12):
        while solver.iteration < until:
            solver.step()
        solver.net.save("ours.caffemodel")
        result = run(
            Request(
                model,
                Path("ours.caffemodel"),
                [Path(f"expected_{case}_iter_{until}.caffemodel")],
                measure=Measure(tolerance=CASES[case]["parameter_sensitivity"]),
                phase="train",
            )
        )
        assert result.equal and {c.kind for c in result.comparisons} == {"parameter"}, result.headline
        assert not result.unpaired_theirs


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("only_scores", [False, True])
def test_largefov_against_torch(only_scores, tmp_path):
    """torch's own outputs: nothing but another order of sums, found at the first convolution."""
    case = REFERENCE / "nets/v1_largefov_321"
    weights = weights_of("v1_largefov_321", tmp_path)
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
    (tmp_path / "weights.caffemodel").unlink()


def torch_blobs(net, x):
    """All blobs of the net as a port by hand computes them, by name."""
    import torch

    twin = TorchNet(net)
    values = {twin._input: torch.from_numpy(x)}
    with torch.inference_mode():
        for step, bottoms, top in twin._steps:
            values[top] = step(*(values[name] for name in bottoms))
    return {name: value.contiguous().numpy() for name, value in values.items()}
