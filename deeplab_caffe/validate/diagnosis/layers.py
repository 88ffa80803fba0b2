"""What layers do otherwise in other programs: rounding of sizes, corners, dilation, filters."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...formats.net_definition import LayerDefinition
from ...types import Floats
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import Variant

Edit = Callable[[Any], bool]  # changes a LayerParameter in place; False: nothing to change


def edited(case: Case, change: str, types: tuple[str, ...], edit: Edit) -> Iterator[Variant]:
    """The change in all layers of these types, and, where that is not the same, in the suspected ones alone.

    NotApplicableError: no suspected layer is of these types or has anything to change.
    """
    suspects = [i for i in case.of_type(*types) if edit(_copy(case.net.definition.layers[i]).param)]
    if not suspects:
        raise NotApplicableError(f"no suspected layer of type {' or '.join(types)} has what could differ")
    names = {case.net.definition.layers[i].name for i in suspects}
    of_types = [layer for layer in case.net.definition.layers if layer.type in types]
    everywhere = [layer.name for layer in of_types if edit(_copy(layer).param)]

    def layer_of(wanted: set[str]) -> Callable[[LayerDefinition], LayerDefinition]:
        def change_layer(layer: LayerDefinition) -> LayerDefinition:
            if layer.type not in types or layer.name not in wanted:
                return layer
            copied = _copy(layer)
            edit(copied.param)
            return copied

        return change_layer

    where = "" if len(everywhere) == 1 else f", in all {len(everywhere)} layers"
    yield Variant(f"{change}{where}", layer=layer_of(set(everywhere)))
    if names != set(everywhere):
        yield Variant(f"{change}, in {', '.join(sorted(names))} alone", layer=layer_of(names))


def _copy(layer: LayerDefinition) -> LayerDefinition:
    param = type(layer.param)()
    param.CopyFrom(layer.param)
    return replace(layer, param=param)


@hypothesis("pooling's rounding")
def pooling(case: Case) -> Trials:
    """Sizes rounded down (other programs) in place of up (Caffe), or the other way round."""

    def edit(param: Any) -> bool:
        pool = param.pooling_param
        if pool.global_pooling or pool.same_pad:
            return False
        pool.round_mode = pool.CEIL if pool.round_mode == pool.FLOOR else pool.FLOOR
        return True

    yield from edited(case, "pooled sizes rounded the other way", ("Pooling",), edit)


@hypothesis("Interp's corners")
def interp(case: Case) -> Trials:
    """Pixel centres in place of corners, or the other way round."""

    def edit(param: Any) -> bool:
        param.interp_param.align_corners = not param.interp_param.align_corners
        return True

    yield from edited(case, "the other alignment (corners, pixel centres)", ("Interp",), edit)


@hypothesis("dilation")
def dilation(case: Case) -> Trials:
    """Dilation ignored; the padding as it is, or as it would be without."""

    def ignored(param: Any) -> bool:
        convolution = param.convolution_param
        had = any(rate > 1 for rate in convolution.dilation)
        del convolution.dilation[:]
        return had

    def with_padding(param: Any) -> bool:
        convolution = param.convolution_param
        rates, pads = list(convolution.dilation), list(convolution.pad)
        if not any(rate > 1 for rate in rates) or not pads:
            return False
        del convolution.dilation[:]
        del convolution.pad[:]
        each = rates * len(pads) if len(rates) == 1 else rates
        convolution.pad.extend(pad // rate for pad, rate in zip(pads, each, strict=False))
        return True

    types = "Convolution", "Deconvolution"
    yield from edited(case, "dilation 1, padding as it is", types, ignored)
    try:
        yield from edited(case, "dilation 1, padding to match", types, with_padding)
    except NotApplicableError:
        return  # no padding


@hypothesis("filters")
def filters(case: Case) -> Trials:
    """Filters turned round or transposed, biases left out."""
    indices = case.of_type("Convolution", "Deconvolution", "InnerProduct")
    if not indices:
        raise NotApplicableError("no suspected layer has filters")
    names = {case.net.definition.layers[index].name for index in indices}
    changes: list[tuple[str, int, Callable[[Floats], Floats]]] = [
        ("filters turned by 180 degrees (convolution for correlation)", 0, lambda w: w[..., ::-1, ::-1]),
        ("rows and columns of the filters exchanged", 0, _transposed),
        ("input channels of the filters in the other order", 0, lambda w: w[:, ::-1] if w.ndim > 1 else w),
        ("no bias", 1, np.zeros_like),
    ]
    for text, number, function in changes:
        yield Variant(text, parameter=_parameter(names, number, function))


def _transposed(weights: Floats) -> Floats:
    return weights.swapaxes(-1, -2) if weights.shape[-1] == weights.shape[-2] else weights


def _parameter(
    names: set[str], number: int, function: Callable[[Floats], Floats]
) -> Callable[[LayerDefinition, int, Floats], Floats | None]:
    def change(layer: LayerDefinition, at: int, values: Floats) -> Floats | None:
        spatial = number or (values.ndim == 4 and values.shape[-1] * values.shape[-2] > 1) or values.ndim == 2
        return function(values) if layer.name in names and at == number and spatial else None

    return change
