import numpy as np

from deeplab_caffe.export.literals import square, text


def test_floats_are_as_short_as_float32_allows():
    assert text(float(np.float32(1e-4))) == "0.0001"
    assert text(float(np.float32(0.1))) == "0.1"
    assert text(1 / 3) == repr(1 / 3)
    assert float(np.float32(text(float(np.float32(1 / 3))))) == float(np.float32(1 / 3))


def test_others():
    assert text(float("-inf")) == 'float("-inf")'
    assert text((1, 2)) == "(1, 2)" and text((1,)) == "(1,)" and text(()) == "()"
    assert text("a") == '"a"' and text(True) == "True" and text(3) == "3"


def test_equal_sides_are_one_number():
    assert square((3, 3)) == 3 and square((3, 1)) == (3, 1)
