import itertools

import pytest

from deeplab_caffe.layers.parts.window import Window, taps_inside


@pytest.mark.parametrize("window", list(itertools.product((1, 2, 3, 4), (1, 2, 3), (0, 1, 5), (1, 2, 7))))
def test_taps_inside_against_counting(window):
    kernel, stride, pad, dilation = window
    for size in (1, 6, 11):
        for positions in (1, 4, (size + 2 * pad) // stride + 1):
            places = (o * stride + k * dilation - pad for o in range(positions) for k in range(kernel))
            expected = sum(0 <= place < size for place in places)
            assert taps_inside(Window(*window), size, positions) == expected
