"""Old names work for one version more, with a warning that points to whoever uses them."""

import numpy as np
import pytest

from deeplab_caffe import crf
from deeplab_caffe.crf.modules import MeanField
from deeplab_caffe.deprecation import renamed_keywords
from deeplab_caffe.evaluation import metrics
from deeplab_caffe.evaluation.evaluation import Evaluation


def test_renamed_keywords():
    @renamed_keywords(old="new")
    def double(new):
        return 2 * new

    assert double(3) == double(new=3) == 6
    with pytest.warns(DeprecationWarning, match=r"double\(old=...\) is now new=") as record:
        assert double(old=3) == 6
    assert record[0].filename == __file__


@pytest.mark.parametrize(
    "call",
    [
        lambda **count: crf.DenseCRF(2, 3, **count),
        lambda **count: crf.DenseCRF.of_points(5, **count),
        lambda **count: crf.image_crf(np.zeros((2, 3, 3), np.uint8), **count),
        MeanField,
        Evaluation,
    ],
)
def test_labels_for_a_count(call):
    with pytest.warns(DeprecationWarning, match="labels=...\\) is now num_classes="):
        made = call(labels=4)
    with pytest.warns(DeprecationWarning, match="num_classes") as record:
        assert made.labels == made.num_classes == call(num_classes=4).num_classes == 4
    assert record[0].filename == __file__


def test_confusion():
    x = np.array([0, 1, 1])
    with pytest.warns(DeprecationWarning):
        assert (metrics.confusion(x, x, labels=2) == metrics.confusion(x, x, num_classes=2)).all()


def test_step():
    with pytest.warns(DeprecationWarning, match="crf.Step is now Iteration") as record:
        assert crf.Step is crf.Iteration
    assert record[0].filename == __file__
