import pytest

from deeplab_caffe.segmenter import padding


def pooled(n):
    """The size after three of VGG's poolings, kernel 3, stride 2, pad 1."""
    for _ in range(3):
        n = -(-(n + 2 - 3) // 2) + 1
    return n


@pytest.mark.parametrize(
    "score_size, size, expected",
    [
        (lambda n: (pooled(n) - 1) * 8 + 1, 480, 481),
        (lambda n: (pooled(n) - 1) * 8 + 1, 481, 481),
        (lambda n: (pooled(n) - 1) * 8 + 1, 1, 1),
        (pooled, 360, 361),
        (pooled, 362, 369),
        (lambda n: (n - 1) // 4 + 1, 6, 9),
        (lambda n: n, 5, 5),
        (lambda n: 3, 5, 5),
        (lambda n: n - 15 if n > 20 else None, 30, 30),
        (lambda n: n if n % 8 == 1 else None, 314, 321),
        (lambda n: n - 1 if n % 8 == 0 else None, 314, 320),
        (lambda n: None, 5, 5),
    ],
)
def test_aligned_size(score_size, size, expected):
    assert padding.aligned_size(size, score_size) == expected
