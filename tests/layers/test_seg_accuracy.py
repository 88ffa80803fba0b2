import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError

INPUTS = "".join(f'input: "{n}" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n' for n in "sl")
V1 = (
    INPUTS
    + """layers { name: "a" type: SEG_ACCURACY bottom: "s" bottom: "l" top: "a"
  seg_accuracy_param { ignore_label: 255 ignore_label: 9 } }"""
)
V2 = (
    INPUTS
    + """layer { name: "a" type: "SegAccuracy" bottom: "s" bottom: "l" top: "a"
  seg_accuracy_param { ignore_label: 255 RESET } }"""
)


def batch(labels, predicted, classes=3):
    scores = np.eye(classes, dtype=np.float32)[np.array(predicted)].T.reshape(1, classes, 1, -1)
    return scores, np.float32(labels).reshape(1, 1, 1, -1)


def test_three_numbers(run_layer):
    (top,) = run_layer(V1)(*batch([0, 0, 1, 255, 9], [0, 1, 1, 2, 2]))
    assert top.shape == (1, 1, 1, 3)
    assert top.ravel().tolist() == np.float32([2 / 3, 0.75, 2 / 3]).tolist()


def test_ties_take_the_highest_label(run_layer):
    (top,) = run_layer(V1)(np.zeros((1, 3, 1, 1)), np.full((1, 1, 1, 1), 2))
    assert top.ravel()[0] == 1


def test_reset(run_layer):
    right, wrong = batch([0], [0]), batch([0], [1])
    v1, fresh, running = (
        run_layer(t) for t in (V1, V2.replace("RESET", ""), V2.replace("RESET", "reset: false"))
    )
    for layer in (v1, fresh, running):
        assert layer(*right)[0].ravel()[0] == 1
    assert [layer(*wrong)[0].ravel()[0].item() for layer in (v1, fresh, running)] == [0, 0, 0.5]


def test_unexpected_label_and_shapes(run_layer):
    with pytest.raises(DeepLabError, match="unexpected label 3"):
        run_layer(V1)(*batch([3], [0]))
    with pytest.raises(DeepLabError, match="do not fit"):
        run_layer(V1)(np.zeros((1, 3, 2, 2)), np.zeros((1, 1, 2, 3)))
