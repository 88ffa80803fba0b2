"""High-dimensional Gaussian filters as functions of tensors or numpy arrays."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..crf.arrays import Array, as_array
from ..crf.lattice import NORMALIZATIONS, Normalization
from ..crf.parameters import Std
from ..errors import DeepLabError
from . import arguments, filter_ops


def bilateral_filter(
    image: Array,
    values: Array,
    xy_std: Std,
    rgb_std: Std,
    *,
    normalization: Normalization = "after",
) -> Array:
    """Means of values over pixels that are near and of a like colour: the dense CRF's bilateral kernel.

    image: (height, width, channels), any numbers, RGB or other; values: (height, width, k) float32 (on the
    CPU float64, too); or both with a batch in front. xy_std: pixels, one number or (x, y); rgb_std: in the
    image's units, one number or one a channel. normalization: "after" makes means, "none" sums, see
    DenseCRF.add for the others. Returns what `values` is, tensor or numpy array, in its shape; float32 has
    the bits of `crf.autograd.lattice_filter`. Differentiable in values, any number of
    times, not in the image.
    Adams et al., "Fast high-dimensional filtering using the permutohedral lattice", 2010.
    Raises DeepLabError for what does not fit.
    """
    name = "bilateral_filter"
    guide, rows = _tensors(name, "image", image, values)
    arguments.tensor(f"{name}: image", guide, [3, 4], "(height, width, channels), or with a batch in front,")
    if rows.dim() != guide.dim() or rows.shape[:-1] != guide.shape[:-1]:
        raise DeepLabError(
            f"{name}: values {tuple(rows.shape)} do not fit an image {tuple(guide.shape)}: "
            "(..., height, width, k) and (..., height, width, channels) wanted"
        )
    _check_normalization(name, normalization)
    stds = _numbers(f"{name}: xy_std", xy_std), _numbers(f"{name}: rgb_std", rgb_std)
    if guide.dim() == 3:
        return _like(values, _one(guide, rows, *stds, normalization))
    if not len(guide):
        raise DeepLabError(f"{name}: no images given")
    results = [_one(*pair, *stds, normalization) for pair in zip(guide, rows, strict=True)]
    return _like(values, torch.stack(results))


def _one(
    image: Tensor, values: Tensor, xy_std: list[float], rgb_std: list[float], normalization: str
) -> Tensor:
    features = filter_ops.image_features(image, xy_std, rgb_std)
    return filter_ops.lattice_filter(features, values.flatten(0, 1), normalization, False).view(values.shape)


def permutohedral_filter(features: Array, values: Array, *, normalization: Normalization = "after") -> Array:
    """Means of values over points whose features are near: a Gaussian filter in any number of dimensions.

    features: (points, d), in units of the standard deviation, float32; values: (points, k) float32 (on the
    CPU float64, too). The rest as for `bilateral_filter`.
    """
    name = "permutohedral_filter"
    guide, rows = _tensors(name, "features", features, values)
    arguments.tensor(f"{name}: features", guide, [2], "(points, d)")
    arguments.tensor(f"{name}: values", rows, [2], "(points, k)")
    if len(rows) != len(guide):
        raise DeepLabError(f"{name}: values of {len(rows)} points, features of {len(guide)}")
    _check_normalization(name, normalization)
    planes = guide.to(torch.float32).T.contiguous()
    return _like(values, filter_ops.lattice_filter(planes, rows, normalization, False))


def _tensors(name: str, guide_name: str, guide: Array, values: Array) -> tuple[Tensor, Tensor]:
    """Both as tensors of one device that may be filtered."""
    found = []
    for field, x in ((guide_name, guide), ("values", values)):
        if not isinstance(x, Tensor):
            x = torch.from_numpy(as_array(f"{name}: {field}", x))
        found.append(x)
    guide, values = found
    arguments.no_gradient(f"{name}: {guide_name}", guide, f"{guide_name}.detach(); values have one")
    if guide.device != values.device:
        raise DeepLabError(f"{name}: {guide_name} on {guide.device}, values on {values.device}")
    if values.dtype not in (torch.float32, torch.float64):
        raise DeepLabError(f"{name}: values are {values.dtype}, float32 wanted")
    return guide, values


def _check_normalization(name: str, normalization: str) -> None:
    if normalization not in NORMALIZATIONS:
        wanted = ", ".join(NORMALIZATIONS)
        raise DeepLabError(f"{name}: normalization {normalization!r} given, one of {wanted} wanted")


def _numbers(where: str, value: Any) -> list[float]:
    try:
        return [float(one) for one in (value if isinstance(value, Sequence) else [value])]
    except (TypeError, ValueError):
        raise DeepLabError(f"{where} {value!r}: a number or a sequence of numbers wanted") from None


def _like(given: Any, result: Tensor) -> Array:
    return result if isinstance(given, Tensor) else result.numpy()
