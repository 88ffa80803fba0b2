import numpy as np
import pytest

from deeplab_caffe.validate.ulp import bit_length, compare, distance

INF, NAN, TINY = np.float32(np.inf), np.float32(np.nan), np.float32(1e-45)
LARGEST = np.finfo(np.float32).max


def floats(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    "a, b, wanted",
    [
        (1, 1, 0),
        (0.0, -0.0, 0),
        (0.0, TINY, 1),
        (-0.0, TINY, 1),
        (-TINY, TINY, 2),
        (1, np.nextafter(np.float32(1), np.float32(2)), 1),
        (-1, np.nextafter(np.float32(-1), np.float32(0)), 1),
        (1, 2, 1 << 23),
        (LARGEST, INF, 1),
        (-INF, INF, 2 * 0x7F800000),
        (-1, 1, 2 * 0x3F800000),
    ],
)
def test_distance(a, b, wanted):
    assert distance(floats(a), floats(b)).tolist() == [wanted]
    assert distance(floats(b), floats(a)).tolist() == [wanted]


def test_distance_counts_neighbours():
    values = np.random.default_rng(0).standard_normal(500).astype(np.float32) * 1e-3
    stepped = values
    for steps in range(1, 4):
        stepped = np.nextafter(stepped, floats(np.inf))
        assert (distance(values, stepped) == steps).all()


def test_bit_length():
    values = [0, 1, 2, 3, 4, 255, 256, 2**31, 2**32 - 1]
    assert bit_length(np.array(values, np.uint32)).tolist() == [v.bit_length() for v in values]


def slow_numbers(a, b):
    """The counts one value at a time."""
    different = zeros = 0
    histogram = [0] * 33
    for x, y in zip(a.ravel(), b.ravel(), strict=True):
        bits = [int(v.view(np.int32)) for v in (x, y)]
        different += bits[0] != bits[1]
        keys = [v if v >= 0 else -(v & 0x7FFFFFFF) for v in bits]
        ulp = abs(keys[0] - keys[1])
        zeros += bits[0] != bits[1] and ulp == 0
        histogram[ulp.bit_length()] += 1
    while len(histogram) > 1 and not histogram[-1]:
        histogram.pop()
    return different, zeros, histogram


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 2, 30, 301), (40,), (6, 9)])
def test_compare(shape):
    generator = np.random.default_rng(1)
    b = generator.standard_normal(shape).astype(np.float32)
    a = b.copy()
    some = generator.random(shape) < 0.3
    a[some] *= (1 + generator.standard_normal(shape).astype(np.float32)[some] * 1e-5).astype(np.float32)
    a.flat[0], b.flat[0] = 0.0, -0.0
    a.flat[-1] = -a.flat[-1]
    numbers, grid = compare(a, b)
    assert (numbers.different, numbers.zeros, numbers.ulp_histogram) == slow_numbers(a, b)
    assert numbers.count == a.size and numbers.max_ulp == distance(a, b).max()
    difference = a.astype(np.float64) - b
    assert numbers.error == pytest.approx(np.linalg.norm(difference) / np.linalg.norm(b), rel=1e-5)
    assert numbers.largest_error == pytest.approx(np.abs(difference).max(), rel=1e-6)
    assert numbers.largest_relative == pytest.approx(numbers.largest_error / np.abs(b).max(), rel=1e-6)
    assert tuple(numbers.worst.index) == np.unravel_index(np.abs(difference).argmax(), shape)
    assert (numbers.worst.ours, numbers.worst.theirs) == (
        a[tuple(numbers.worst.index)],
        b[tuple(numbers.worst.index)],
    )
    if len(shape) < 3:
        assert grid is None
    else:
        worst = bit_length(distance(a, b)).reshape(-1, *shape[-2:]).max(axis=0)
        padded = np.zeros((grid.rows * grid.step, grid.columns * grid.step), np.int64)
        padded[: shape[-2], : shape[-1]] = worst
        cells = padded.reshape(grid.rows, grid.step, grid.columns, grid.step).max(axis=(1, 3))
        assert np.array_equal(grid.array(), cells)


def test_equal_arrays():
    a = np.random.default_rng(2).standard_normal((1, 3, 8, 8)).astype(np.float32)
    numbers, grid = compare(a, a.copy())
    assert numbers.different == 0 and numbers.ulp_histogram == [a.size] and numbers.worst is None
    assert grid is None and numbers.error == 0


def test_nan_and_infinity():
    a = floats(NAN, NAN, 1, INF, INF, 3).reshape(1, 1, 2, 3)
    b = floats(NAN, 1, NAN, INF, LARGEST, 3).reshape(1, 1, 2, 3)
    b.view(np.int32).flat[0] ^= 1  # another NaN
    numbers, grid = compare(a, b)
    assert (numbers.nan_both, numbers.nan_ours, numbers.nan_theirs) == (1, 1, 1)
    assert numbers.different == 3 and numbers.max_ulp == 1 and numbers.ulp_histogram == [2, 1]
    assert numbers.error == np.inf
    assert grid.array().tolist() == [[0, 32, 32], [0, 1, 0]]


def test_only_nans_that_agree_are_equal():
    a = floats(NAN, 2)
    numbers, _ = compare(a, a.copy())
    assert numbers.different == 0 and numbers.nan_both == 1 and numbers.ulp_histogram == [1]


def test_squares_that_overflow():
    a, b = floats(3e30, 1), floats(1e30, 1)
    numbers, _ = compare(a, b)
    assert numbers.error == pytest.approx(2) and numbers.largest_error == pytest.approx(2e30, rel=1e-6)


def test_squares_that_vanish():
    a, b = floats(3e-30, 1e-30), floats(1e-30, 1e-30)
    assert compare(a, b)[0].error == pytest.approx(2**0.5, rel=1e-5)


def test_against_zeros():
    assert compare(floats(1), floats(0))[0].error == np.inf
    empty = np.zeros((0, 3), np.float32)
    assert compare(empty, empty)[0].count == 0
