"""What may be wrong with theirs as it was written: order of axes, of labels, the moment."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from ...formats.net_definition import LayerDefinition
from ...types import Floats, Shape
from ..pairing import Ours
from .case import SAME, Case
from .flow import Value
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import OfBlob, Variant

_AXES = "NCHW"
_MOST_PIXELS = 4096  # that channels are told apart by


@hypothesis("order of axes")
def transposed(case: Case) -> Trials:
    """A .mat or an array with its axes in another order, or its values read in the other order."""
    theirs, shape = _theirs(case), case.probe.shape
    squeezed = theirs.squeeze()
    own = [size for size in shape if size > 1]
    if not 2 <= squeezed.ndim <= len(_AXES) or len(own) < 2:
        raise NotApplicableError("theirs has no axes to exchange")
    for order in permutations(range(squeezed.ndim)):
        if order == tuple(range(squeezed.ndim)) or [squeezed.shape[i] for i in order] != own:
            continue
        yield Variant(f"axes of theirs in the order {_text(order, shape)}", theirs=_permuted(order))
    if squeezed.size == int(np.prod(shape)):
        yield Variant("theirs read column by column (MATLAB's order)", theirs=_column_major)
        yield Variant("theirs read row by row, but written column by column", theirs=_row_major)


def _theirs(case: Case) -> Floats:
    if case.their_values is None:
        raise NotApplicableError("theirs is known by its hash only")
    return case.their_values


def _text(order: tuple[int, ...], shape: list[int]) -> str:
    names = [_AXES[i] for i, size in enumerate(shape) if size > 1] if len(shape) == len(_AXES) else None
    if names is None:
        return ", ".join(map(str, order))
    written = [""] * len(order)
    for name, at in zip(names, order, strict=True):
        written[at] = name
    return "".join(written)


def _permuted(order: tuple[int, ...]) -> OfBlob:
    def change(values: Floats, ours: Ours) -> Floats:
        squeezed = values.squeeze()
        own = tuple(size for size in ours.shape if size > 1)
        if squeezed.ndim != len(order) or tuple(squeezed.shape[i] for i in order) != own:
            return values
        return squeezed.transpose(order).reshape(ours.shape)

    return change


def _column_major(values: Floats, ours: Ours) -> Floats:
    if values.size != _count(ours.shape):
        return values
    return np.ascontiguousarray(values).reshape(-1).reshape(ours.shape, order="F")


def _row_major(values: Floats, ours: Ours) -> Floats:
    if values.size != _count(ours.shape):
        return values
    return values.reshape(-1, order="F").reshape(ours.shape)


def _count(shape: Shape) -> int:
    return int(np.prod(shape))


@hypothesis("label order")
def label_order(case: Case) -> Trials:
    """Channels in another order: reversed, background last, or any that brings them nearest to ours."""
    theirs, shape = _theirs(case), tuple(case.probe.shape)
    if case.probe.kind == "labels":
        yield from _labels(case, theirs)
        return
    if len(shape) != 4 or theirs.shape[-3:] != shape[-3:] or shape[1] < 2 or case.value in case.feeds:
        raise NotApplicableError("the probe has no channels to exchange")
    count = shape[1]
    orders = {
        "reversed": list(range(count))[::-1],
        "the last one first (background last)": [count - 1, *range(count - 1)],
        "the first one last": [*range(1, count), 0],
    }
    nearest = _nearest(case.our_values.reshape(shape), theirs.reshape(shape))
    if sorted(nearest) == list(range(count)) and nearest not in orders.values():
        orders[f"as {', '.join(map(str, nearest[:24]))}{', ...' if count > 24 else ''}"] = nearest
    for text, order in orders.items():
        if order != list(range(count)):
            yield Variant(f"channels of theirs {text}", theirs=_channels(order, case.value[0]))


def _nearest(ours: Floats, theirs: Floats) -> list[int]:
    """For each channel of ours the number of theirs' that is nearest."""
    count = ours.shape[1]
    a, b = (x.transpose(1, 0, 2, 3).reshape(count, -1).astype(np.float64) for x in (ours, theirs))
    step = max(1, a.shape[1] // _MOST_PIXELS)
    a, b = a[:, ::step], b[:, ::step]
    distances = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return [int(i) for i in distances.argmin(axis=1)]


def _channels(order: list[int], first: int) -> OfBlob:
    def change(values: Floats, ours: Ours) -> Floats:
        if ours.index < first or values.ndim != 4 or values.shape[1] != len(order):
            return values
        return np.ascontiguousarray(values[:, order])

    return change


def _stepped(step: int) -> OfBlob:
    return lambda values, ours: values + step


def _labels(case: Case, theirs: Floats) -> Iterator[Variant]:
    """Label maps: labels counted from 1, or each called what most of its pixels are in ours."""
    for step, text in ((-1, "labels of theirs counted from 1"), (1, "labels of theirs one too low")):
        yield Variant(text, theirs=_stepped(step))
    ours = case.labels(SAME)
    if ours.shape != theirs.shape:
        return
    names = {}
    for label in np.unique(theirs).astype(int):
        found, counts = np.unique(ours[theirs == label], return_counts=True)
        names[int(label)] = int(found[counts.argmax()])
    if len(set(names.values())) == len(names) and any(old != new for old, new in names.items()):
        table = np.arange(max(names) + 1)
        for old, new in names.items():
            table[old] = new
        text = ", ".join(f"{old} is {new}" for old, new in list(names.items())[:24] if old != new)
        yield Variant(
            f"labels of theirs: {text}",
            theirs=lambda values, ours: table[np.clip(values.astype(int), 0, len(table) - 1)],
        )


@hypothesis("moment of the dump")
def moment(case: Case) -> Trials:
    """Theirs was written before a layer that works in place, or when all of them had run."""
    index, blob = case.value
    writers = [i for i, layer in enumerate(case.net.definition.layers) if blob in layer.tops]
    if len(writers) < 2:
        raise NotApplicableError("no layer works in place on the blob")
    rectified = _rectified(case.net.definition.layers)
    if case.value in rectified:
        yield Variant("theirs was written before ReLUs that work in place", theirs=_rectifier(rectified))
    if index != writers[-1]:
        yield Variant("theirs was written when all layers that work in place had run", final=True)


def _rectified(layers: Sequence[LayerDefinition]) -> dict[Value, float]:
    """What ReLUs in place left, and Dropout behind them, which changes nothing in tests; with slopes."""
    found: dict[Value, float] = {}
    slopes: dict[str, float] = {}
    for index, layer in enumerate(layers):
        in_place = layer.tops == layer.bottoms
        for blob in layer.tops:
            if in_place and layer.type == "ReLU":
                slopes[blob] = layer.param.relu_param.negative_slope
            elif not (in_place and layer.type == "Dropout"):
                slopes.pop(blob, None)
            if blob in slopes:
                found[index, blob] = slopes[blob]
    return found


def _rectifier(slopes: dict[Value, float]) -> OfBlob:
    def change(values: Floats, ours: Ours) -> Floats:
        slope = slopes.get((ours.index, ours.blob))
        if slope is None:
            return values
        return np.where(values > 0, values, np.float32(slope) * values)

    return change
