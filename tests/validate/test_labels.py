import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.validate.labels import compare_labels, compare_scores, holds_scores


def test_scores():
    theirs = np.zeros((2, 3, 4, 5), np.float32)
    theirs[:, 1] = 1
    ours = theirs.copy()
    ours[1, 2, 3, 4] = 5
    theirs[1, 2, 3, 4] = 0.25
    ours[0, 0, 0, 1] = 2
    found = compare_scores(ours, theirs)
    assert (found.pixels, found.changed) == (40, 2)
    assert found.iou == {"0": 0.0, "1": 38 / 40, "2": 0.0} and found.mean_iou == pytest.approx(38 / 120)
    first, second = found.changes
    assert (first.image, first.row, first.column, first.ours, first.theirs, first.margin) == (
        0,
        0,
        1,
        0,
        1,
        1,
    )
    assert (second.image, second.row, second.column, second.ours, second.margin) == (1, 3, 4, 2, 0.75)
    assert (found.largest_margin, found.median_margin) == (1, 0.875)


def test_labels():
    theirs = np.array([[0, 1], [255, 1]], np.uint8)
    ours = np.array([[0, 1], [1, 1]])
    found = compare_labels(ours, theirs)
    assert found.changed == 1 and found.largest_margin is None
    assert found.iou == {"0": 1.0, "1": 2 / 3, "255": 0.0}
    assert compare_labels(theirs, theirs).changed == 0
    with pytest.raises(DeepLabError, match="labels: ours"):
        compare_labels(ours, theirs[:1])


def test_holds_scores():
    assert holds_scores((1, 21, 41, 41))
    assert not any(map(holds_scores, [(1, 1, 41, 41), (1, 512, 8, 8), (1, 21, 1, 1), (1, 21)]))
