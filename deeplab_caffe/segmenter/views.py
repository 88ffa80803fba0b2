"""Several views of an image, one result: the mean of what a net makes of other sizes and of mirror images.

As the evaluation of DeepLab v3 has it: each view's scores are enlarged to the image's size, and their softmax
maps averaged. Images and scores are resized bilinearly, corners on corners.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .. import ops
from ..errors import DeepLabError
from ..layers.interp import Interp
from ..types import Pair, plane

if TYPE_CHECKING:
    from .segmenter import Segmenter

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


def probabilities(segmenter: "Segmenter", data: Tensor) -> Tensor:
    """Mean softmax maps (1, labels, H, W) over `segmenter.scales`, and mirror images if `segmenter.flip`.

    data: a preprocessed image (1, channels, H, W). Raises DeepLabError for a net that gives labels.
    """
    height, width = size = plane(data.shape)
    threads = segmenter.net.context.threads
    total = torch.zeros(())
    for scale in segmenter.scales:
        view = ops.interp(data, (scaled(height, scale), scaled(width, scale)), threads=threads)
        for mirrored in (False, True) if segmenter.flip else (False,):
            scores = _scores(segmenter, view.flip(3) if mirrored else view, size)
            if scores.shape[1] < 2:
                raise DeepLabError("scales, flip: the net gives one plane, scores of two labels are needed")
            scores = (scores.flip(3) if mirrored else scores).contiguous()
            total = total + ops.softmax(ops.interp(scores, size, threads=threads), threads=threads)
    return total / (len(segmenter.scales) * (1 + segmenter.flip))


def _scores(segmenter: "Segmenter", view: Tensor, size: Pair) -> Tensor:
    """The net's scores for a view of an image of `size`, before the Interp that enlarges them.

    Those of a view smaller than the image are first enlarged to what the image's own would be. Where the net
    has no such Interp, or the view has to be padded, they are as large as the view.
    """
    coarse = _before_interp(segmenter)
    padded = any(segmenter.aligned(n) != n for n in view.shape[2:])
    if not coarse or padded:
        return segmenter.map(view)
    scores = segmenter.run(view, coarse)
    if view.shape[2] < size[0] or view.shape[3] < size[1]:
        own = plane(segmenter.shape(coarse, size))
        scores = ops.interp(scores, own, threads=segmenter.net.context.threads)
    return scores


def _before_interp(segmenter: "Segmenter") -> str:
    """The blob that the net's last layer, if it is a plain Interp, makes the scores from."""
    maker = next(
        layer for layer in reversed(segmenter.net.layers) if segmenter.output in layer.definition.tops
    )
    plain = isinstance(maker, Interp) and maker.crop == (0, 0) and not maker.half_pixel
    bottom = maker.definition.bottoms[0] if plain else ""
    return bottom if bottom != segmenter.output else ""
