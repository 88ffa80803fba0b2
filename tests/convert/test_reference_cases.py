"""DeepLab v3 and v3+ as the TensorFlow programs compute them: seeded variables -> .npz -> convert -> forward.

With TensorFlow at hand (the interpreter DEEPLAB_CAFFE_TF_PYTHON names, or this one) also through a
checkpoint and a frozen graph that it writes.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from deeplab_caffe import Net
from deeplab_caffe.commands import app

from . import reference_cases as cases

pytestmark = pytest.mark.skipif(not cases.FOLDER.is_dir(), reason="the reference cases are not here")

TOLERANCE = 2e-5  # of an end point's largest value; the program's own float32 error is up to 2.7e-6
AFTER = {"preprocessed", "softmax", "argmax"}  # end points beside the net
TF_PYTHON = os.environ.get("DEEPLAB_CAFFE_TF_PYTHON") or (
    sys.executable if importlib.util.find_spec("tensorflow") else None
)


def options(case):
    """The case as options of `convert`; the number of classes comes from the weights."""
    texts = {
        "--backbone": case["model_variant"],
        "--output-stride": case["output_stride"],
        "--rates": ",".join(map(str, case["atrous_rates"])),
        "--decoder": (case["decoder_output_stride"] or [0])[0],
        "--size": "x".join(map(str, case["input_size_hw"])),
    }
    if case["multi_grid"]:
        texts["--multi-grid"] = ",".join(map(str, case["multi_grid"]))
    words = [str(word) for pair in texts.items() for word in pair]
    return words + ([] if case["aspp_with_separable_conv"] else ["--plain-aspp"])


def convert(source, case, folder):
    result = CliRunner().invoke(app, ["convert", str(source), *options(case), "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return result.output


def check(name, case, folder):
    """Every end point of the converted net, and the label map."""
    net = Net(folder / "deploy.prototxt", folder / "weights.caffemodel", keep_blobs=True, threads=2)
    net.forward(data=torch.from_numpy(cases.image(name) * np.float32(2 / 255) - 1))
    blobs = {label: net.blobs[label].data for label in net.blobs}
    found = 0
    for endpoint in case["endpoints"]:
        label = endpoint["label"]
        if label not in AFTER and "same_as" not in endpoint:
            assert cases.error(name, endpoint, np.asarray(blobs[label])) <= TOLERANCE, label
            found += 1
    labels = np.asarray(blobs["upsampled_logits"])[0].argmax(0)
    assert np.array_equal(labels, np.load(cases.FOLDER / name / "argmax.npy").reshape(labels.shape))
    assert found > 80


@pytest.mark.slow
@pytest.mark.parametrize("name", cases.NAMES)
def test_through_npz(tmp_path, name):
    case = cases.load(name)
    variables = cases.draw_variables(case)
    np.savez(tmp_path / "variables.npz", **variables)
    assert f"{len(variables)} variables" in convert(tmp_path / "variables.npz", case, tmp_path / "net")
    check(name, case, tmp_path / "net")


@pytest.mark.skipif(not TF_PYTHON, reason="TensorFlow is not installed")
@pytest.mark.parametrize("name", cases.NAMES)
def test_through_tensorflow(tmp_path, name):
    case = cases.load(name)
    np.savez(tmp_path / "variables.npz", **cases.draw_variables(case))
    writer = Path(__file__).with_name("write_tensorflow.py")
    command = [TF_PYTHON, str(writer), "net", str(tmp_path / "variables.npz"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    output = convert(tmp_path / "model.ckpt", case, tmp_path / "checkpoint")
    assert "only for training: 2: global_step, logits/semantic/biases/Momentum" in output
    convert(tmp_path / "frozen_inference_graph.pb", case, tmp_path / "graph")
    for file in ("deploy.prototxt", "weights.caffemodel"):
        one, other = (tmp_path / folder / file for folder in ("checkpoint", "graph"))
        assert one.read_bytes() == other.read_bytes()
    check(name, case, tmp_path / "graph")
