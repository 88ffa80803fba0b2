"""The CRF's parameters: checked when made, the same by object and by keyword."""

from dataclasses import astuple

import numpy as np
import pytest

from deeplab_caffe import crf
from deeplab_caffe.crf.parameters import AUTHORS, KERNEL_FIELDS, CRFParameters
from deeplab_caffe.errors import DeepLabError


def test_defaults_are_the_authors():
    assert astuple(AUTHORS) == (10, 3, 3, 50, 10, 5)
    assert KERNEL_FIELDS == ("pos_std", "pos_w", "bi_xy_std", "bi_rgb_std", "bi_w")


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("iterations", -1, "iterations -1: 0 or more"),
        ("pos_std", 0, "pos_std 0: a number above 0"),
        ("pos_std", (3, -2), "pos_std -2: a number above 0"),
        ("bi_xy_std", float("inf"), "bi_xy_std inf: a number above 0"),
        ("bi_rgb_std", (1, 2, float("nan")), "bi_rgb_std nan: a number above 0"),
        ("pos_w", float("nan"), "pos_w nan: a finite number"),
        ("bi_w", float("-inf"), "bi_w -inf: a finite number"),
    ],
)
def test_out_of_range(field, value, message):
    with pytest.raises(DeepLabError, match=message):
        CRFParameters(**{field: value})


def test_keywords_replace_fields():
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (7, 8, 3), np.uint8)
    scores = generator.random((4, 7, 8), np.float32) * 4
    parameters = CRFParameters(3, (2, 4), 2, 30, (5, 10, 15), 4)
    expected = crf.refine(image, scores, parameters)
    names = {name: getattr(parameters, name) for name in KERNEL_FIELDS}
    assert np.array_equal(crf.refine(image, scores, iterations=3, **names), expected)
    assert np.array_equal(
        crf.refine(image, scores, CRFParameters(bi_w=9), bi_w=4), crf.refine(image, scores, bi_w=4)
    )
    with pytest.raises(TypeError, match="pos_stdd"):
        crf.refine(image, scores, pos_stdd=3)


def test_weight_0_leaves_a_kernel_out():
    image = np.zeros((7, 8, 3), np.uint8)
    assert [len(crf.image_crf(image, 4, pos_w=w, bi_w=0).kernels) for w in (0, 1)] == [0, 1]
