"""Several views of an image, one result: the mean of what a net makes of other sizes and of mirror images.

As in the evaluation of DeepLab v3, each view's scores are enlarged to the image's size, and their softmax
maps averaged. Images and scores are resized bilinearly, corners on corners.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .. import ops
from ..errors import DeepLabError
from ..types import Pair, plane

LARGEST = 16.0  # times the image


def checked(scales: Sequence[float]) -> tuple[float, ...]:
    """The scales, if each is above 0 and not absurd; else a DeepLabError."""
    if not scales or not all(0 < scale <= LARGEST for scale in scales):
        text = ", ".join(f"{scale:g}" for scale in scales) or "none"
        raise DeepLabError(f"scales: {text} given, numbers above 0 and up to {LARGEST:g} wanted")
    return tuple(map(float, scales))


def scaled(size: int, scale: float) -> int:
    """Height or width of a view: its corner pixels are the image's."""
    return max(1, int((size - 1) * scale + 1))


def probabilities(
    scores_of: Callable[[Tensor, Pair], Tensor],
    data: Tensor,
    scales: Sequence[float],
    flip: bool,
    threads: int | None,
) -> Tensor:
    """Mean softmax maps (1, labels, H, W) over `scales`, and over mirror images if `flip`.

    scores_of(view, size): the net's scores (1, labels, rows, columns) for a view of an image of that height
    and width. data: a preprocessed image (1, channels, H, W). DeepLabError: the net gives labels.
    """
    height, width = size = plane(data.shape)
    total = torch.zeros(())
    for scale in scales:
        view = ops.interp(data, (scaled(height, scale), scaled(width, scale)), threads=threads)
        for mirrored in (False, True) if flip else (False,):
            scores = scores_of(view.flip(3) if mirrored else view, size)
            if scores.shape[1] < 2:
                raise DeepLabError("scales, flip: the net gives one plane, scores of two labels are needed")
            scores = (scores.flip(3) if mirrored else scores).contiguous()
            total = total + ops.softmax(ops.interp(scores, size, threads=threads), threads=threads)
    return total / (len(scales) * (1 + flip))
