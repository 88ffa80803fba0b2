import json

import numpy as np

from deeplab_caffe.validate.grid import Grid
from deeplab_caffe.validate.results import Comparison, Environment, Numbers, Validation


def test_it_becomes_json():
    numbers = Numbers(4, 1, 0, 0, 0, 0, 2, [3, 0, 1], float("inf"), 1e-7, 1e-7)
    comparison = Comparison(
        index=0,
        layer="conv1",
        type="Convolution",
        blob="conv1",
        kind="blob",
        image="",
        theirs="conv1.npy",
        status="different",
        shape=[1, 1, 2, 2],
        their_shape=[1, 1, 2, 2],
        numbers=numbers,
        map=Grid.of(np.array([[0, 2], [0, 0]], np.uint8)),
    )
    environment = Environment("validate", "", {"numpy": "2"}, "", "", "avx2", 2, "cpu", "exact")
    result = Validation(False, "differs", environment, 0, 0.0, [comparison], [], [], [], first=0)
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["format"] == "deeplab_caffe.validate/1"
    assert plain["comparisons"][0]["numbers"]["error"] == "inf"
    assert Grid(**plain["comparisons"][0]["map"]).array().tolist() == [[0, 2], [0, 0]]
    assert plain["comparisons"][0]["numbers"]["ulp_histogram"] == [3, 0, 1]
