"""Scores to refined marginals with the CRF of the DeepLab authors' scripts."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..deprecation import renamed_keywords
from ..errors import DeepLabError
from ..threads import thread_count
from ..threads.room import Room
from ..threads.side_by_side import side_by_side
from .arrays import Arrays, channels_first, channels_last, is_tensor
from .backend import Backend
from .dense_crf import DenseCRF
from .devices import Device, backend_for, backend_of
from .energies import Kind, energies_of
from .parameters import AUTHORS, Changes, CRFParameters

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Bytes a pixel: of two lattices while they are built, and of each label's maps.
_LATTICES, _MAPS = 300, 16


@renamed_keywords(labels="num_classes")
def image_crf(
    image: Arrays,
    num_classes: int,
    parameters: CRFParameters = AUTHORS,
    *,
    threads: int | None = None,
    device: Device = None,
    **changed: "Unpack[Changes]",
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
    sizes = [(one.shape[0], one.shape[1]) for one in images]
    if images is image:
        crf = DenseCRF.of_images(sizes, num_classes, device=device)
    else:
        height, width = sizes[0]
        crf = DenseCRF(height, width, num_classes, threads=threads, device=device)
    if parameters.pos_w != 0:
        crf.gaussian(parameters.pos_std, parameters.pos_w)
    if parameters.bi_w != 0:
        crf.bilateral(image, parameters.bi_xy_std, parameters.bi_rgb_std, parameters.bi_w)
    return crf


def refine(
    image: Arrays,
    scores: Arrays,
    parameters: CRFParameters = AUTHORS,
    *,
    kind: Kind = "scores",
    threads: int | None = None,
    device: Device = None,
    **changed: "Unpack[Changes]",
) -> Arrays:
    """Marginals (labels, H, W) of a net's scores (labels, H, W) after refinement along the edges of an image.

    image: RGB (H, W, 3), any numeric type; a batch (N, H, W, 3) goes with scores (N, labels, H, W), a list of
    images of any sizes with a list of scores. kind: of `scores`. device: None is the GPU that the scores are
    on, or the CPU; a GPU infers a batch at once, a CPU several images at a time, on one thread each. threads:
    of all of them together. changed: fields of `parameters` to replace, `iterations=5`.
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
    backend = backend_of(maps[0]) if device is None else backend_for(device)
    infer = partial(_marginals, parameters=parameters, kind=kind, backend=backend)
    if backend.takes_images:
        results = infer(images, maps, threads=threads)
    else:
        results = list(_each(infer, images, maps, threads))
    results = [backend.result(one, not is_tensor(maps[0])) for one in results]
    if not several:
        return results[0]
    if isinstance(scores, list | tuple):
        return results
    return sys.modules["torch"].stack(results) if is_tensor(scores) else np.stack(results)


def _each(
    infer: Callable[..., Arrays], images: list[Arrays], maps: list[Arrays], threads: int | None
) -> Iterator[Arrays]:
    """The marginals of each image, as many at a time as there are threads and memory for."""
    if len(images) == 1:
        yield infer(images[0], maps[0], threads=threads)
        return
    room = Room()

    def work(job: tuple[Arrays, Arrays]) -> Arrays:
        with room.take(crf_memory(*job[1].shape)):
            return infer(*job, threads=None)

    most = min(len(images), thread_count(threads))
    yield from side_by_side(work, zip(images, maps, strict=True), threads, most)


def crf_memory(labels: int, height: int, width: int) -> int:
    """About the bytes that such an image takes while it is refined, its energies and marginals included."""
    return height * width * (_LATTICES + _MAPS * labels)


def _marginals(
    image: Arrays,
    scores: Arrays,
    parameters: CRFParameters,
    kind: Kind,
    threads: int | None,
    backend: Backend,
) -> Arrays:
    """Marginals (labels, H, W) of an image, or of each of a list of images that are inferred at once."""
    maps = scores if isinstance(scores, list) else [scores]
    counts = {len(values) for values in maps}
    if len(counts) != 1:
        raise DeepLabError(f"scores of {', '.join(map(str, sorted(counts)))} labels do not go together")
    crf = image_crf(image, counts.pop(), parameters, threads=threads, device=backend)
    energies = [channels_last(energies_of(values, kind, threads, backend)) for values in maps]
    crf.unary(energies if maps is scores else energies[0])
    marginals = crf.infer(parameters.iterations)
    parts = crf.split(marginals) if maps is scores else [marginals]
    results = [backend.contiguous(channels_first(part)) for part in parts]
    return results if maps is scores else results[0]
