"""The model in weights/: its numbers, by `eval` and counted independently, are those its README tells."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.assets import asset

pytestmark = pytest.mark.slow

CAMVID = Path(__file__).parents[3] / "shared/data/camvid"


@pytest.mark.skipif(not CAMVID.exists(), reason="needs the CamVid images")
def test_numbers_on_the_validation_images(tmp_path, succeeds):
    model = "--model", asset("prototxt/camvid_largefov/deploy.prototxt")
    weights = "--weights", asset("weights/camvid_largefov.caffemodel")
    images = CAMVID / "list/val.txt"
    out = "-o", tmp_path, "--save", "labels", "--palette", "camvid"
    succeeds("predict", *model, *weights, images, "--root", CAMVID, *out)
    given = "--list", images, "--root", CAMVID, "--palette", "camvid"
    succeeds("eval", *given, "--predictions", tmp_path / "labels", "-o", tmp_path / "evaluation")
    report = json.loads((tmp_path / "evaluation/eval.json").read_text())

    both, either, right, labelled = np.zeros(11), np.zeros(11), 0, 0
    for line in images.read_text().split("\n"):
        if line.strip():
            name, truth = line.split()
            truth = np.asarray(Image.open(f"{CAMVID}/{truth}"))
            found = np.asarray(Image.open(tmp_path / "labels" / f"{Path(name).stem}.png"))
            for label in range(11):
                is_truth, is_found = truth == label, (found == label) & (truth != 255)
                both[label] += (is_truth & is_found).sum()
                either[label] += (is_truth | is_found).sum()
            right += (truth == found).sum()
            labelled += (truth != 255).sum()
    assert report["images"] == 101 and report["pixels"] == labelled
    assert report["mean_iou"] == pytest.approx((both / either).mean(), abs=1e-12)
    assert report["pixel_accuracy"] == pytest.approx(right / labelled, abs=1e-12)
    assert report["mean_iou"] >= 0.61
    pattern = r"validation \(101 images\) \| mean IoU ([\d.]+), pixel accuracy ([\d.]+)"
    told = re.search(pattern, asset("weights/README.md").read_text())
    assert [float(x) for x in told.groups()] == [round(report[x], 3) for x in ("mean_iou", "pixel_accuracy")]
