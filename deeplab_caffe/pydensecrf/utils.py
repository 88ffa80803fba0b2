"""The helpers of pydensecrf.utils: energies from labels or probabilities, features for any number of axes."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DeepLabError, DeepLabWarning
from ..types import Floats


def unary_from_labels(labels: ArrayLike, n_labels: int, gt_prob: float, zero_unsure: bool = True) -> Floats:
    """Energies (n_labels, points) of a labelling that is right with probability `gt_prob`.

    zero_unsure: label 0 means unknown (all labels alike), and label k stands for number k - 1. Raises
    DeepLabError for a probability not between 0 and 1 or labels out of range.
    """
    labels = np.asarray(labels).ravel().astype(np.int64)
    if not 0 < gt_prob < 1:
        raise DeepLabError(f"gt_prob {gt_prob:g}: a probability between 0 and 1 wanted")
    first = 1 if zero_unsure else 0
    if labels.size and (labels.min() < 0 or labels.max() >= n_labels + first):
        raise DeepLabError(
            f"labels from {labels.min()} to {labels.max()} given, 0 to {n_labels - 1 + first} wanted"
        )
    # With a single label there is no other that could share the rest.
    others = max(n_labels - 1, 1)
    energies = np.full((n_labels, labels.size), -np.log((1 - gt_prob) / others), np.float32)
    known = labels >= first
    energies[labels[known] - first, np.flatnonzero(known)] = -np.log(gt_prob)
    energies[:, ~known] = -np.log(1 / n_labels)
    return energies


def compute_unary(labels: ArrayLike, M: int, GT_PROB: float = 0.5) -> Floats:  # noqa: N803
    """The older name of unary_from_labels, label 0 being unknown."""
    return unary_from_labels(labels, M, GT_PROB)


def unary_from_softmax(sm: ArrayLike, scale: float | None = None, clip: float | None = 1e-5) -> Floats:
    """Energies (labels, points) of probabilities (labels, ...).

    scale: how much to trust them, 0 to 1; the rest is spread evenly. clip: the least probability. Raises
    DeepLabError for a scale out of range.
    """
    sm = np.asarray(sm)
    labels = sm.shape[0]
    if scale is not None:
        if not 0 < scale <= 1:
            raise DeepLabError(f"scale {scale:g}: above 0, at most 1 wanted")
        sm = scale * sm + (1 - scale) / labels
    if clip is not None:
        sm = np.clip(sm, clip, 1.0)
    return -np.log(sm).reshape(labels, -1).astype(np.float32)


def softmax_to_unary(sm: ArrayLike, GT_PROB: float = 1) -> Floats:  # noqa: N803
    """The older name of unary_from_softmax, without a least probability."""
    return unary_from_softmax(sm, GT_PROB, None)


def create_pairwise_gaussian(sdims: Sequence[float], shape: Sequence[int]) -> Floats:
    """Features (axes, points): the position along each axis of `shape`, divided by its deviation."""
    if len(sdims) != len(shape):
        raise DeepLabError(f"sdims: {len(sdims)} deviations for {len(shape)} axes")
    positions = np.indices(tuple(shape), np.float32).reshape(len(shape), -1)
    return positions / np.asarray(sdims, np.float32)[:, None]


def create_pairwise_bilateral(
    sdims: Sequence[float], schan: float | Sequence[float], img: ArrayLike, chdim: int = -1
) -> Floats:
    """Features (axes + channels, points) of an image of any number of axes, for addPairwiseEnergy.

    chdim: the axis of the channels; -1 if there is none. schan: a deviation for all (a number) or for each
    channel. Where sdims or schan are sequences too short for the axes or channels, the first are divided and
    the others stay, with a DeepLabWarning. Raises DeepLabError where they are too long.
    """
    img = np.asarray(img)
    channels = img[None] if chdim == -1 else np.moveaxis(img, chdim, 0)
    axes = channels.ndim - 1
    positions = create_pairwise_gaussian(_filled("sdims", sdims, axes, "axes").tolist(), channels.shape[1:])
    deviations = _filled("schan", schan, len(channels), "channels")
    colours = channels.reshape(len(channels), -1).astype(np.float32) / deviations[:, None]
    return np.concatenate([positions, colours])


def _create_pairwise_gaussian_2d(sx: float, sy: float, shape: Sequence[int]) -> Floats:
    """create_pairwise_gaussian of two axes; note that sx is the deviation of the rows, sy of the columns."""
    return create_pairwise_gaussian((sx, sy), shape[:2])


def _create_pairwise_bilateral_2d(
    sx: float, sy: float, sr: float, sg: float, sb: float, img: ArrayLike
) -> Floats:
    """create_pairwise_bilateral of the first three channels of an image (height, width, channels)."""
    return create_pairwise_bilateral((sx, sy), (sr, sg, sb), np.asarray(img)[:, :, :3], 2)


def _filled(name: str, given: float | Sequence[float], count: int, what: str) -> Floats:
    """A deviation for each; a number stands for all, a sequence too short is filled with ones."""
    deviations = np.asarray(given, np.float32)
    if deviations.ndim == 0:
        return np.full(count, deviations)
    if len(deviations) > count:
        raise DeepLabError(f"{name}: {len(deviations)} deviations for {count} {what}")
    if len(deviations) < count:
        message = f"{name}: {len(deviations)} deviations for {count} {what}; the others stay as they are"
        warnings.warn(message, DeepLabWarning, stacklevel=3)
    return np.concatenate([deviations, np.ones(count - len(deviations), np.float32)])


def compute_map(Q: ArrayLike, shape: Sequence[int] | None = None) -> NDArray[np.int64]:  # noqa: N803
    """The most probable label of each point of marginals (labels, points), as (points) or in `shape`."""
    labels = np.asarray(Q).argmax(0)
    return labels if shape is None else labels.reshape(shape)
