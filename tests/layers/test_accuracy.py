import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError

TEXT = """input: "s" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1
  input: "l" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1
  layer { name: "a" type: "Accuracy" bottom: "s" bottom: "l" top: "a" top: "by_class"
  accuracy_param { MORE } }"""


def text(more=""):
    return TEXT.replace("MORE", more)


SCORES = np.float32([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.3, 0.3, 0.3], [0.9, 0.0, 0.1]])
LABELS = np.float32([1, 2, 2, 1])


def test_top_1_and_classes(run_layer):
    total, by_class = run_layer(text())(SCORES, LABELS)
    assert total.shape == () and total.item() == 0.5  # the tie goes to label 2
    assert by_class.tolist() == [0, 0.5, 0.5]


def test_top_k(run_layer):
    assert run_layer(text("top_k: 2"))(SCORES, LABELS)[0].item() == 0.75


def test_ignore_and_axis(run_layer):
    maps = SCORES.T.reshape(1, 3, 2, 2)
    total, _ = run_layer(text("ignore_label: 2"))(maps, LABELS.reshape(1, 1, 2, 2))
    assert total.item() == 0.5
    assert run_layer(text("axis: -1"))(SCORES, LABELS)[0].item() == 0.5


def test_errors(run_layer):
    with pytest.raises(DeepLabError, match="unexpected label 7"):
        run_layer(text())(SCORES, LABELS + 6)
    with pytest.raises(DeepLabError, match="4 of 3 classes"):
        run_layer(text("top_k: 4"))(SCORES, LABELS)
    with pytest.raises(DeepLabError, match="do not fit"):
        run_layer(text())(SCORES, LABELS[:3])
    with pytest.raises(DeepLabError, match="axis: 5 given"):
        run_layer(text("axis: 5"))(SCORES, LABELS)
