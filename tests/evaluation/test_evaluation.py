"""Counts over several images, in all and in bands, and how they are reported."""

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.evaluation.evaluation import Band, Evaluation

TRUTH = np.array([[0, 1, 1, 255, 0, 0]])
PREDICTED = np.array([[0, 1, 0, 9, 0, 1]])


def test_counts_add_up_over_images():
    evaluation = Evaluation(2, widths=[])
    evaluation.add(TRUTH, PREDICTED)
    assert evaluation.counts.tolist() == [[2, 1], [1, 1]] and evaluation.bands == []
    evaluation.add(TRUTH, TRUTH)
    assert evaluation.counts.tolist() == [[5, 1], [1, 3]] and evaluation.images == 2


def test_bands_go_from_narrow_to_wide():
    evaluation = Evaluation(2, widths=[2, 1, 2])
    evaluation.add(TRUTH, PREDICTED)
    narrow, wide = evaluation.bands
    assert narrow == Band(1, 2, 0.5, 0.25)
    assert (wide.width, wide.pixels, wide.pixel_accuracy) == (2, 4, 0.5)


def test_bands_without_pixels_have_no_accuracy():
    evaluation = Evaluation(2, widths=[1])
    evaluation.add(np.array([[0, 1]]), np.array([[0, 0]]))
    assert evaluation.bands == [Band(1, 0, None, None)]


def test_report():
    evaluation = Evaluation(3, widths=[1])
    evaluation.add(TRUTH, PREDICTED)
    report = evaluation.report(["sky"])
    assert (report["images"], report["pixels"], report["pixel_accuracy"]) == (1, 5, 0.6)
    assert [row["name"] for row in report["classes"]] == ["sky", "1", "2"]
    assert [row["pixels"] for row in report["classes"]] == [3, 2, 0]
    assert report["classes"][0]["iou"] == 0.5 and report["classes"][2]["iou"] is None
    assert report["mean_iou"] == (0.5 + 1 / 3 + 1) / 3
    assert report["trimap"][0] == {"width": 1, "pixels": 2, "pixel_accuracy": 0.5, "mean_iou": 0.5}
    assert report["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_errors():
    for number in (0, 256):
        with pytest.raises(DeepLabError, match=f"{number} .*given, 1 to 255 wanted"):
            Evaluation(number)
    with pytest.raises(DeepLabError, match="trimap widths 1, 0: 1 to 1000 wanted"):
        Evaluation(2, [1, 0])
    with pytest.raises(DeepLabError, match="unexpected label 1 in the truth"):
        Evaluation(1).add(TRUTH, PREDICTED)
