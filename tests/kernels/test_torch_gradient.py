"""The gradients that a GPU computes, on the CPU, against ours."""

import pytest

from deeplab_caffe import ops
from deeplab_caffe.kernels import torch_gradient

# size, kernel, stride, padding, rate, groups, size of the result (None: of the same padding at both ends)
CASES = [
    ((9, 8), (3, 3), (1, 1), (2, 2), (2, 2), 1, None),
    ((9, 8), (3, 2), (2, 3), (1, 0), (1, 3), 2, None),
    ((6, 7), (4, 2), (1, 1), (1, 0), (1, 1), 2, (6, 7)),
    ((10, 10), (3, 3), (2, 2), (0, 0), (1, 1), 1, None),
]


@pytest.mark.parametrize("size, kernel, stride, padding, rate, groups, out", CASES)
def test_gradients(size, kernel, stride, padding, rate, groups, out, draw):
    x, weight = draw(2, 4, *size), draw(6, 4 // groups, *kernel)
    window = stride, padding, rate, groups
    dy = draw(*ops.atrous_conv(x, weight, *window, size=out).shape)
    pairs = (
        (
            torch_gradient.of_data(dy, weight, *window, size, "exact"),
            ops.conv_data_gradient(dy, weight, size, *window),
        ),
        (
            torch_gradient.of_weight(x, dy, *window, kernel, "exact"),
            ops.conv_weight_gradient(x, dy, kernel, *window),
        ),
    )
    for theirs, ours in pairs:
        assert theirs.shape == ours.shape and (theirs - ours).norm() < 1e-6 * ours.norm()
