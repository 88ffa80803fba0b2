"""The input sizes on which a net's scores lie on the image's grid."""

from collections.abc import Callable


def aligned_size(size: int, score_size: Callable[[int], int | None], limit: int = 128) -> int:
    """The smallest input size >= `size` (height or width, pixels) whose scores lie on the image's grid.

    score_size(n) is the size of the net's scores for input size n, or None where the net does not fit. With
    stride s of the scores (1 for nets that upsample), first and last scores must lie on first and last pixel:
    (scores - 1) * s == n - 1, which is 8k+1 for LargeFOV. If no size up to `limit` more does so, the first
    that fits the net at all is taken, or else `size`.
    """
    span = 512  # a multiple of any net's stride, so that the difference of two sizes gives it
    fitting = None
    for n in range(size, size + limit):
        scores = score_size(n)
        if not scores:
            continue
        fitting = fitting or n
        more = (score_size(n + span) or 0) - scores
        if more > 0 and (scores - 1) * max(1, round(span / more)) == n - 1:
            return n
    return fitting or size
