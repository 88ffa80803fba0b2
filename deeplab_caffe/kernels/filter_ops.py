"""The permutohedral lattice filter as operators of torch.library."""

from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from ..crf.backend import Backend
from ..crf.devices import backend_of
from ..crf.filter_autograd import filter_values, like
from ..crf.lattice import Lattice, Normalization, stds_of_image
from ..errors import DeepLabError

# Building a lattice takes far longer than filtering once: the latest are kept, for the way back and for those
# who filter again and again with one image.
_KEPT = 2
_latest: deque[tuple[Tensor, Lattice]] = deque(maxlen=_KEPT)


@torch.library.custom_op(
    "deeplab_caffe::image_features",
    mutates_args=(),
    schema="(Tensor image, float[] xy_std, float[] rgb_std) -> Tensor",
)
def image_features(image: Tensor, xy_std: Sequence[float], rgb_std: Sequence[float]) -> Tensor:
    """Planes (2 + channels, height * width) of an image (height, width, channels), over their stds."""
    backend = backend_of(image)
    height, width, channels = image.shape
    if 0 in image.shape:
        raise DeepLabError(f"image: {tuple(image.shape)} given, (height, width, channels) wanted")
    stds = stds_of_image(list(xy_std), list(rgb_std), channels)
    planes = backend.image_features([(height, width)], stds, [backend.array("image", image)])
    return like(backend, planes, image)


@torch.library.custom_op(
    "deeplab_caffe::lattice_filter",
    mutates_args=(),
    schema="(Tensor features, Tensor values, str normalization, bool adjoint) -> Tensor",
)
def lattice_filter(features: Tensor, values: Tensor, normalization: str, adjoint: bool) -> Tensor:
    """Values (points, channels) filtered among features (d, points); adjoint: what gradients go through."""
    lattice = _lattice(features)
    before, after = lattice.norms(cast(Normalization, normalization))
    if adjoint:
        before, after = after, before
    return filter_values(values, lattice, before, after, adjoint).contiguous()


def _lattice(features: Tensor) -> Lattice:
    backend = backend_of(features)
    for known, lattice in list(_latest):
        if _same_place(lattice.backend, backend) and known.device == features.device:
            if torch.equal(known, features):
                return lattice
    lattice = Lattice(features, device=backend)
    _latest.append((features.clone(), lattice))
    return lattice


def _same_place(a: Backend, b: Backend) -> bool:
    return type(a) is type(b) and a.device == b.device


@image_features.register_fake
def _image_features_fake(image: Tensor, xy_std: Sequence[float], rgb_std: Sequence[float]) -> Tensor:
    return image.new_empty(2 + image.shape[2], image.shape[0] * image.shape[1], dtype=torch.float32)


@lattice_filter.register_fake
def _lattice_filter_fake(features: Tensor, values: Tensor, normalization: str, adjoint: bool) -> Tensor:
    return values.new_empty(values.shape)


def _filter_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    features, _values, ctx.normalization, ctx.adjoint = inputs
    ctx.save_for_backward(features)


def _filter_backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    if ctx.needs_input_grad[0]:
        raise DeepLabError("lattice_filter: features have no gradient, only values have one")
    (features,) = ctx.saved_tensors
    return None, lattice_filter(features, gradient, ctx.normalization, not ctx.adjoint), None, None


def _filter_vmap(
    info: Any, dims: Any, features: Tensor, values: Tensor, normalization: str, adjoint: bool
) -> tuple[Tensor, int]:
    """Values that are mapped over are further channels."""
    if dims[0] is not None:
        raise DeepLabError("vmap over the features of a lattice, or over images, is not possible: use a loop")
    rows = torch.movedim(values, dims[1], 1)
    y = lattice_filter(features, rows.flatten(1), normalization, adjoint)
    return y.view(rows.shape), 1


lattice_filter.register_autograd(_filter_backward, setup_context=_filter_context)
if hasattr(lattice_filter, "register_vmap"):  # from torch 2.5 on
    lattice_filter.register_vmap(_filter_vmap)
