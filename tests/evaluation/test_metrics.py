import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.evaluation.evaluation import metrics


def test_argmax_ties_take_the_highest_label():
    scores = np.array([1.0, 3.0, 3.0, 2.0]).reshape(1, 4, 1, 1)
    assert metrics.argmax_labels(scores).item() == 2


def test_confusion_and_means():
    truth = np.array([[0, 0, 1, 255]])
    predicted = np.array([[0, 1, 1, 2]])
    counts = metrics.confusion(truth, predicted, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert metrics.pixel_accuracy(counts) == 2 / 3
    assert metrics.mean_recall(counts) == 0.75
    assert metrics.class_iou(counts)[:2].tolist() == [0.5, 0.5] and np.isnan(metrics.class_iou(counts)[2])
    assert metrics.mean_iou(counts) == (0.5 + 0.5 + 1) / 3


def test_nothing_but_ignored():
    counts = metrics.confusion(np.full((2, 2), 255), np.zeros((2, 2)), 2)
    assert metrics.pixel_accuracy(counts) == 0 and metrics.mean_recall(counts) == 0
    assert metrics.mean_iou(counts) == 1


def test_unexpected_labels():
    with pytest.raises(DeepLabError, match="unexpected label 7"):
        metrics.confusion(np.array([7]), np.array([0]), 3)
    with pytest.raises(DeepLabError, match="unexpected label 3 in the prediction"):
        metrics.confusion(np.array([0]), np.array([3]), 3)
    with pytest.raises(DeepLabError, match="truth is"):
        metrics.confusion(np.zeros(3), np.zeros(2), 3)


def test_trimap():
    truth = np.zeros((5, 7), np.uint8)
    truth[2, 3] = 255
    band = metrics.trimap(truth, 1)
    assert band.sum() == 8 and band[1:4, 2:5].sum() == 8
    assert metrics.trimap(truth, 0).sum() == 0
    with pytest.raises(DeepLabError, match="trimap width"):
        metrics.trimap(truth, -1)


@pytest.mark.parametrize("limit", [0, 1, 3, 40])
def test_void_distance(limit):
    truth = np.where(np.random.default_rng(0).random((13, 18)) < 0.02, 255, 0)
    rows, columns = np.nonzero(truth == 255)
    assert len(rows) > 1
    distance = metrics.void_distance(truth, limit)
    for (y, x), d in np.ndenumerate(distance):
        assert d == min(limit + 1, np.maximum(abs(rows - y), abs(columns - x)).min())
    assert (metrics.void_distance(np.zeros((3, 4)), limit) == limit + 1).all()
