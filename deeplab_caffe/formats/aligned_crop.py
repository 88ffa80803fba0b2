"""Crop layers that find their own offsets: those of V1 text and of CRF-RNN's fork.

Each bottom's coordinates are led back to a blob that both come from, through the windows of the layers
between; the offset is where the second bottom's origin lies in the first. BVLC's Crop has its fields instead.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from .net_definition import LayerDefinition

_Number = Fraction


class _Map(NamedTuple):
    """Coordinate c of a blob is scale * c + shift in another one."""

    scale: _Number = Fraction(1)
    shift: _Number = Fraction(0)

    def then(self, other: "_Map") -> "_Map":
        """First this map, then the other."""
        return _Map(self.scale * other.scale, self.shift * other.scale + other.shift)


def align_crops(layers: Sequence[LayerDefinition], in_v1_text: bool) -> None:
    """Writes their offsets into the crop_param of Crop layers without one, where the file's Crop aligns."""
    fork = in_v1_text or any(layer.type == "MultiStageMeanfield" for layer in layers)
    makers: dict[str, LayerDefinition] = {}
    for layer in layers:
        crops = layer.type == "Crop" and not layer.param.HasField("crop_param") and len(layer.bottoms) == 2
        if fork and crops:
            layer.param.crop_param.axis = 2
            layer.param.crop_param.offset.extend(_offset(layer, makers, axis) for axis in (0, 1))
        for top in layer.tops:
            if top not in layer.bottoms:
                makers[top] = layer


def _offset(crop: LayerDefinition, makers: Mapping[str, LayerDefinition], axis: int) -> int:
    paths = [_path(blob, makers, axis) for blob in crop.bottoms]
    shared = next((blob for blob in paths[1] if blob in paths[0]), None)
    if shared is None:
        first, second = crop.bottoms
        raise crop.error("bottom", f"'{first}' and '{second}' come from nothing in common, so none can align")
    own, theirs = (path[shared] for path in paths)
    offset = (theirs.shift - own.shift) / own.scale
    if own.scale != theirs.scale:
        times = float(theirs.scale / own.scale)
        raise crop.error("bottom", f"the second bottom has {times:g} times the first one's stride")
    if offset.denominator != 1 or offset < 0:
        raise crop.error("bottom", f"the offset would be {float(offset):g}, a number of pixels wanted")
    return int(offset)


def _path(blob: str, makers: Mapping[str, LayerDefinition], axis: int) -> dict[str, _Map]:
    """All blobs back along first bottoms, and where coordinates of `blob` are in each."""
    found, so_far = {blob: _Map()}, _Map()
    while (maker := makers.get(blob)) is not None and maker.bottoms:
        so_far = so_far.then(_back(maker, axis))
        blob = maker.bottoms[0]
        if blob in found:
            break
        found[blob] = so_far
    return found


def _back(layer: LayerDefinition, axis: int) -> _Map:
    """Where coordinates of the layer's top are in its first bottom."""
    if layer.type in ("Convolution", "Deconvolution"):
        param = layer.param.convolution_param
        window = _window(param, axis, _size(param.dilation, axis, 1))
        if layer.type == "Convolution":
            return window
        return _Map(1 / window.scale, -window.shift / window.scale)
    if layer.type == "Pooling":
        return _window(layer.param.pooling_param, axis, 1)
    if layer.type == "Crop":
        offsets = list(layer.param.crop_param.offset) or [0]
        return _Map(shift=Fraction(offsets[axis] if len(offsets) > 1 else offsets[0]))
    return _Map()


def _window(param: Any, axis: int, dilation: int) -> _Map:
    letter = "hw"[axis]
    kernel, stride, pad = (
        getattr(param, f"{stem}_{letter}")
        if param.HasField(f"{stem}_{letter}")
        else _size(getattr(param, name), axis, default)
        for stem, name, default in (("kernel", "kernel_size", 1), ("stride", "stride", 1), ("pad", "pad", 0))
    )
    return _Map(Fraction(stride), Fraction(dilation * (kernel - 1), 2) - pad)


def _size(values: Any, axis: int, default: int) -> int:
    """Of a field that holds a number, or one for all or each of the axes."""
    numbers = [values] if isinstance(values, int) else list(values)
    return (numbers[axis] if len(numbers) > 1 else numbers[0]) if numbers else default
