"""Where the input's pixels may have been: padded, cropped, resized, mirrored otherwise; another size."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ...errors import DeepLabError
from ...images.resize import resize_image, smooth_resize
from ...types import Floats, Pair
from .case import Case
from .colours import image_source, of_input
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import Variant

_MULTIPLES = (8, 16, 32)


def _map_source(case: Case) -> tuple[str, Floats]:
    for value in case.sources:
        array = case.feeds[value]
        if array.ndim == 4 and array.shape[2] * array.shape[3] > 1:
            return value[1], array
    raise NotApplicableError("no map among the suspected inputs" if case.sources else "the input is right")


@hypothesis("crop, pad or resize rule")
def placing(case: Case) -> Trials:
    """The image elsewhere in the blob, resized, or mirrored."""
    name, x = _map_source(case)
    yield of_input(name, "mirrored", lambda x: x[..., ::-1])
    yield of_input(name, "upside down", lambda x: x[..., ::-1, :])
    if x.shape[2] == x.shape[3]:
        yield of_input(name, "rows and columns exchanged", lambda x: x.swapaxes(2, 3))
    size = x.shape[2], x.shape[3]
    inner = _inner(x)
    if inner != size:
        yield from _placed(case, name, size, inner)
    if case.single.photo is not None:
        yield from _photo(case, name, size)


def _placed(case: Case, name: str, size: Pair, inner: Pair) -> Iterator[Variant]:
    """Other ways to make a blob of `size` of its top left part, the rest of which is padding."""
    rows, columns = size[0] - inner[0], size[1] - inner[1]

    def part(x: Floats) -> Floats:
        return x[:, :, : inner[0], : inner[1]]

    def padded(
        x: Floats, top: int, left: int, mode: Literal["constant", "edge", "reflect"] = "constant"
    ) -> Floats:
        around = ((0, 0), (0, 0), (top, rows - top), (left, columns - left))
        return np.pad(part(x), around, mode)

    yield of_input(
        name, "the image in the middle of the padding", lambda x: padded(x, rows // 2, columns // 2)
    )
    yield of_input(name, "padding above and to the left", lambda x: padded(x, rows, columns))
    yield of_input(name, "no padding", part)
    yield of_input(name, "the border repeated as padding", lambda x: padded(x, 0, 0, "edge"))
    if rows < inner[0] and columns < inner[1]:
        yield of_input(name, "the border mirrored as padding", lambda x: padded(x, 0, 0, "reflect"))
    for corners in (False, True):
        how = "corners on corners" if corners else "centres on centres"
        resize = _resizing(size, corners, inner)
        yield of_input(name, f"resized to the blob's size, {how}", resize)
    try:
        _, mean = image_source(case)
    except NotApplicableError:
        return
    black = -np.asarray(mean, np.float32).reshape(1, -1, 1, 1)

    def blackened(x: Floats) -> Floats:
        y = np.broadcast_to(black, x.shape).copy()
        y[:, :, : inner[0], : inner[1]] = part(x)
        return y

    yield of_input(name, "padding with black, before the mean", blackened)


def _photo(case: Case, name: str, size: Pair) -> Iterator[Variant]:
    """The photo's bytes resized in place of padded."""
    segmenter = case.job.segmenter
    if segmenter is None or case.single.photo is None:
        return
    image = case.single.photo()
    rules = {"bilinear (OpenCV's)": resize_image, "bilinear with every pixel (Pillow's)": smooth_resize}
    for text, function in rules.items():
        blob = segmenter.preprocessing.blob(function(image, *size))[None]
        yield of_input(name, f"the photo resized to {size[0]}x{size[1]}, {text}", partial(_replaced, blob))


@hypothesis("input size")
def input_size(case: Case) -> Trials:
    """An input a row and a column smaller or larger, or of a multiple of 8, 16, 32."""
    name, x = _map_source(case)
    size = x.shape[2], x.shape[3]
    sizes: dict[Pair, str] = {(size[0] - 1, size[1] - 1): "one less", (size[0] + 1, size[1] + 1): "one more"}
    for n in _MULTIPLES:
        below = max(n, size[0] // n * n), max(n, size[1] // n * n)
        sizes.setdefault(below, f"down to a multiple of {n}")
        sizes.setdefault((-(-size[0] // n) * n, -(-size[1] // n) * n), f"up to a multiple of {n}")
    wanted = _wanted_size(case, name, size)
    if wanted:
        sizes = {wanted: "what theirs has"}
    for target, text in sizes.items():
        if target != size and min(target) > 0:
            yield from _of_size(name, size, target, text)


def _wanted_size(case: Case, name: str, size: Pair) -> Pair | None:
    """The input size that gives theirs' shape at the probe, where shapes differ and one near ours does."""
    theirs, ours = case.probe.their_shape, case.probe.shape
    if theirs == ours or len(theirs) != 4 or len(ours) != 4:
        return None
    if case.value in case.feeds:
        return (theirs[2], theirs[3]) if case.value[1] == name else None
    fixed = {n: tuple(s) for n, s in case.net.inputs.items()}
    if name not in fixed or case.probe.blob not in case.net.blobs:
        return None
    grows = 1 if theirs[2] > ours[2] else -1
    for step in range(1, 33):
        height, width = size[0] + grows * step, size[1] + grows * step
        try:
            shapes = case.net.shapes_for(**{name: (*fixed[name][:2], height, width)})
        except DeepLabError:
            continue
        if list(shapes[case.probe.blob][2:]) == theirs[2:]:
            return height, width
    return None


def _of_size(name: str, size: Pair, target: Pair, text: str) -> Iterator[Variant]:
    text = f"{text} ({target[0]}x{target[1]})"
    top, left = max(0, size[0] - target[0]), max(0, size[1] - target[1])

    def cropped(x: Floats, top: int, left: int) -> Floats:
        below, right = max(0, target[0] - size[0]), max(0, target[1] - size[1])
        x = np.pad(x, ((0, 0), (0, 0), (0, below), (0, right)))
        return x[:, :, top : top + target[0], left : left + target[1]]

    larger = target[0] > size[0] or target[1] > size[1]
    yield of_input(name, f"size {text}, {'zeros behind' if larger else 'cut'}", lambda x: cropped(x, 0, 0))
    if top or left:
        yield of_input(name, f"size {text}, the middle", lambda x: cropped(x, top // 2, left // 2))
        yield of_input(name, f"size {text}, cut at the top and left", lambda x: cropped(x, top, left))
    for corners in (False, True):
        how = "corners on corners" if corners else "centres on centres"
        yield of_input(name, f"size {text}, resized, {how}", _resizing(target, corners, size))


def _resizing(size: Pair, corners: bool, part: Pair) -> Callable[[Floats], Floats]:
    """The top left part of an input, bilinear."""

    def resized(x: Floats) -> Floats:
        tensor = torch.from_numpy(np.ascontiguousarray(x[:, :, : part[0], : part[1]]))
        return functional.interpolate(tensor, size, mode="bilinear", align_corners=corners).numpy()

    return resized


def _replaced(blob: Floats, x: Floats) -> Floats:
    return blob


def _inner(x: Floats) -> Pair:
    """Height and width of what is left of a blob without the zeros at its bottom and right."""
    rows, columns = (np.flatnonzero(x.any(axis=axes)) for axes in ((0, 1, 3), (0, 1, 2)))
    if not len(rows):
        return x.shape[2], x.shape[3]
    return int(rows[-1]) + 1, int(columns[-1]) + 1
