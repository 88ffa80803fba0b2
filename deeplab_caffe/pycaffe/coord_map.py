"""caffe.coord_map: where the pixels of one blob lie in another, and the Crop that lays one on the other.

A map is (axis, scale, shift): from the axis behind `axis` on, pixel i of a layer's bottom lies at i * scale +
shift of its top. (None, 1, 0), the identity, is of any axis.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DeepLabError
from .net_spec import Function, Top
from .net_spec import layers as L

CoordMap = tuple[int | None, Any, Any]

IDENTITY: CoordMap = (None, 1, 0)
PASS_THROUGH_LAYERS = (
    "AbsVal BNLL BatchNorm Bias Dropout ELU Eltwise Exp LRN Log MVN PReLU Power ReLU Scale Sigmoid Split "
    "TanH Threshold"
).split()


class UndefinedMapException(DeepLabError):  # noqa: N818 (pycaffe's name)
    """The layer moves its pixels in no such way."""


class AxisMismatchException(DeepLabError):  # noqa: N818
    """Maps that begin at different axes."""


class _NoMapError(DeepLabError, RuntimeError):
    """Blobs that share no ancestor; pycaffe's is a RuntimeError."""


class _CropError(DeepLabError, AssertionError):
    """A crop that there is not; pycaffe's is an AssertionError."""


def _fields(fn: Function, message: str) -> dict[str, Any]:
    fields: dict[str, Any] = fn.params.get(message, fn.params)
    return fields


def conv_params(fn: Function) -> tuple[int, Any, Any, Any]:
    """Of a layer with a window its axis, and by axis the strides, the sizes with dilation, the paddings.

    Raises DeepLabError, also an AssertionError, for fields of one side only, such as kernel_h.
    """
    fields = _fields(fn, "pooling_param" if fn.type_name == "Pooling" else "convolution_param")
    one_sided = [f"{field}_{side}" for field in ("kernel", "pad", "stride") for side in "hw"]
    if found := [name for name in one_sided if name in fields]:
        raise _CropError(f"{fn.type_name}: a coordinate map takes no {', '.join(found)}")
    if "kernel_size" not in fields:
        raise _CropError(f"{fn.type_name}: a coordinate map wants kernel_size")
    values = {"stride": 1, "pad": 0, "dilation": 1, **fields}
    stride, size, pad, dilation = (
        np.array(values[field], ndmin=1) for field in ("stride", "kernel_size", "pad", "dilation")
    )
    return values.get("axis", 1), stride, (size - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, Any]:
    """The axis and the offsets of a Crop layer."""
    fields = _fields(fn, "crop_param")
    return fields.get("axis", 2), np.array(fields.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """The map of a layer, from its bottom to its top. Raises UndefinedMapException where there is none."""
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name not in ("Convolution", "Deconvolution", "Im2col", "Pooling"):
        raise UndefinedMapException(f"{fn.type_name} maps no coordinates")
    axis, stride, size, pad = conv_params(fn)
    reach = (size - 1) / 2
    if fn.type_name == "Deconvolution":
        return axis, stride, reach - pad
    return axis, 1 / stride, (pad - reach) / stride


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """The map that does next_map, then base_map. Raises AxisMismatchException."""
    axis, scale, shift = base_map
    next_axis, next_scale, next_shift = next_map
    if None not in (axis, next_axis) and axis != next_axis:
        raise AxisMismatchException(f"maps from axis {axis} and axis {next_axis} on")
    return next_axis if axis is None else axis, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: CoordMap) -> CoordMap:
    """The map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def _ancestors(top: Top) -> Iterator[tuple[Top, CoordMap]]:
    """The blob and those it is computed of, the nearest first, each with the map from there to it."""
    found = {top: IDENTITY}
    waiting = [top]
    for current in waiting:
        yield current, found[current]
        try:
            step = coord_map(current.fn)
        except UndefinedMapException:
            continue
        # The second bottom of a Crop gives but its size.
        for bottom in current.fn.inputs[: 1 if current.fn.type_name == "Crop" else None]:
            if bottom not in found:
                found[bottom] = compose(found[current], step)
                waiting.append(bottom)


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """The map from a blob to another, by way of an ancestor of both.

    Raises DeepLabError, also a RuntimeError, where they have none that layers with a map lead to.
    """
    from_maps = dict(_ancestors(top_from))
    for top, to_map in _ancestors(top_to):
        if top in from_maps:
            return compose(to_map, inverse(from_maps[top]))
    raise _NoMapError("no coordinate map between these blobs: no layers that have one connect them")


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts the first blob to the size of the second, where that lies in it.

    Raises DeepLabError, also an AssertionError, where they differ in scale or the second reaches outside.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if axis is None:
        axis, shift = 1, np.zeros(1)
    if not np.all(scale == 1):
        raise _CropError(f"crop: the blobs differ in scale, by {scale}")
    if not np.all(shift <= 0):
        raise _CropError(f"crop: the offset {-shift} is negative: the second blob reaches outside the first")
    if not np.all(np.round(shift) == shift):
        raise _CropError(f"crop: the offset {-shift} is not a whole number of pixels")
    offset = [int(number) for number in -np.round(shift)]
    return L.Crop(top_from, top_to, crop_param={"axis": axis + 1, "offset": offset})
