"""Scores to refined marginals with the CRF of the DeepLab authors' scripts."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..errors import DeepLabError
from .backend import Array, Device, device_of, find_device, is_tensor
from .dense_crf import DenseCRF
from .energies import Kind, energies_of
from .parameters import AUTHORS, CRFParameters, Std


def image_crf(
    image: Array | Sequence[Array],
    labels: int,
    parameters: CRFParameters = AUTHORS,
    *,
    threads: int | None = None,
    device: Device = None,
    **changed: Std,
) -> DenseCRF:
    """The CRF of the DeepLab authors' scripts for an RGB image (H, W, 3): a Gaussian and a bilateral kernel.

    changed: fields of `parameters` to replace, `pos_std=4`; its iterations are for `infer`. A list of images,
    for a GPU, makes one CRF of them all (DenseCRF.of_images). Raises DeepLabError for parameters out of range
    and images that are none.
    """
    parameters = replace(parameters, **changed)
    images = image if isinstance(image, list | tuple) else [image]
    for one in images:
        if len(one.shape) != 3:
            raise DeepLabError(f"image: {tuple(one.shape)} given, (height, width, channels) wanted")
    sizes = [tuple(one.shape[:2]) for one in images]
    if images is image:
        crf = DenseCRF.of_images(sizes, labels, device=device)
    else:
        crf = DenseCRF(*sizes[0], labels, threads=threads, device=device)
    if parameters.pos_w != 0:
        crf.gaussian(parameters.pos_std, parameters.pos_w)
    if parameters.bi_w != 0:
        crf.bilateral(image, parameters.bi_xy_std, parameters.bi_rgb_std, parameters.bi_w)
    return crf


def refine(
    image: Array | Sequence[Array],
    scores: Array | Sequence[Array],
    parameters: CRFParameters = AUTHORS,
    *,
    kind: Kind = "scores",
    threads: int | None = None,
    device: Device = None,
    **changed: Std,
) -> Array | list[Array]:
    """Marginals (labels, H, W) of a net's scores (labels, H, W) after refinement along the edges of an image.

    image: RGB (H, W, 3), any numeric type; a batch (N, H, W, 3) goes with scores (N, labels, H, W), a list of
    images of any sizes with a list of scores. kind: of `scores`. device: None is the GPU that the scores are
    on, or the CPU; a GPU infers a batch at once. changed: fields of `parameters` to replace, `iterations=5`.
    Raises DeepLabError if sizes do not fit or parameters are out of range.
    """
    parameters = replace(parameters, **changed)
    several = isinstance(scores, list | tuple) or len(scores.shape) == 4
    images, maps = (list(image), list(scores)) if several else ([image], [scores])
    if len(images) != len(maps) or not maps:
        raise DeepLabError(f"{len(images)} images for {len(maps)} maps of scores")
    for one, values in zip(images, maps, strict=True):
        if len(values.shape) != 3 or len(one.shape) != 3:
            raise DeepLabError(
                f"image {tuple(one.shape)} for scores {tuple(values.shape)}: (height, width, channels) for "
                "(labels, height, width) wanted"
            )
        if tuple(values.shape[1:]) != tuple(one.shape[:2]):
            raise DeepLabError(
                f"scores: {values.shape[1]} x {values.shape[2]} given, "
                f"the image is {one.shape[0]} x {one.shape[1]}"
            )
    device = device_of(maps[0]) if device is None else device
    build = partial(image_crf, parameters=parameters, threads=threads, device=device)
    iterations = parameters.iterations
    if find_device(device) is None:
        results = [
            np.ascontiguousarray(
                build(one, len(values))
                .unary(energies_of(values, kind, threads).transpose(1, 2, 0))
                .infer(iterations)
                .transpose(2, 0, 1)
            )
            for one, values in zip(images, maps, strict=True)
        ]
        if is_tensor(maps[0]):
            results = [sys.modules["torch"].from_numpy(result) for result in results]
    else:
        results = _refine_on_gpu(build, images, maps, kind, iterations, device)
    if not several:
        return results[0]
    if isinstance(scores, list | tuple):
        return results
    return sys.modules["torch"].stack(results) if is_tensor(scores) else np.stack(results)


def _refine_on_gpu(
    build: Callable[..., DenseCRF],
    images: list[Array],
    maps: list[Array],
    kind: Kind,
    iterations: int,
    device: Device,
) -> list[Array]:
    """All images in one CRF; tensors on the GPU, or numpy arrays for scores that are."""
    labels = {len(values) for values in maps}
    if len(labels) != 1:
        raise DeepLabError(f"scores of {', '.join(map(str, sorted(labels)))} labels do not go together")
    energies = [energies_of(values, kind, device=device).permute(1, 2, 0) for values in maps]
    crf = build(images, *labels)
    crf.unary(energies)
    results = [one.permute(2, 0, 1).contiguous() for one in crf.split(crf.infer(iterations))]
    return results if is_tensor(maps[0]) else [result.cpu().numpy() for result in results]
