"""Differences of rounding alone: sums in another order (another BLAS), or numbers of fewer bits."""

from functools import partial

import numpy as np

from ...formats.net_definition import LayerDefinition
from ...types import Floats
from ..headline import how_much
from ..results import Effect, Trial
from .case import Case
from .exact import distance_from
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import Inputs, Variant

NAME = "another order of sums"
# How many times ours' distance from the exact values theirs may have. Orders of sums in use (one chain,
# blocks, pairs, Winograd's) are within it of each other; TF32, the next coarser thing, is hundreds of times
# off.
FACTOR = 16.0
_LARGE = 1e-3  # a relative error behind the probe that no rounding before it explains
_SUMS = ("Convolution", "Deconvolution", "InnerProduct")


@hypothesis(NAME)
def order_of_sums(case: Case) -> Trials:
    """Theirs is as near to the exact values, of the same inputs and weights, as ours is."""
    theirs = case.their_values
    if theirs is None or theirs.size != int(np.prod(case.probe.shape)) or case.probe.kind != "blob":
        raise NotApplicableError("theirs has no values of the probe's shape")
    if case.value in case.feeds:
        raise NotApplicableError("the input itself differs")
    numbers = case.probe.numbers
    if numbers is None or numbers.nan_ours or numbers.nan_theirs:
        raise NotApplicableError("NaN is no matter of rounding")
    ours, exact = case.our_values, case.exact
    own, other = distance_from(ours, exact), distance_from(theirs.reshape(ours.shape), exact)
    text = f"nothing; from the same sums in float64 ours is {own:.1e} away, theirs {other:.1e}"
    note = how_much(case.probe)
    within = other <= FACTOR * max(own, 2.0**-26)
    errors = {c.blob: c.numbers.error for c in case.comparisons if c.numbers}
    large = next((blob for blob, error in errors.items() if error > _LARGE), None)
    if within and large is not None:
        note += f"; but '{large}' is {errors[large]:.1e} off, which rounding alone does not do"
    effect: Effect = "rounding" if within and large is None else "nearer" if within else "no nearer"
    yield Trial(NAME, text, effect, numbers.error, 0, 0, note)


@hypothesis("fewer bits")
def fewer_bits(case: Case) -> Trials:
    """Inputs and weights rounded to TF32, bfloat16 or half precision, as tensor cores take them."""
    if not case.of_type(*_SUMS):
        raise NotApplicableError("no suspected layer has weights to round")
    theirs = case.their_values
    if theirs is not None and case.value not in case.feeds and case.probe.status == "different":
        yield from _stored(case, theirs)
    for name, bits in (("TF32", 10), ("bfloat16", 7), ("half precision", 10)):
        function = partial(_half if name == "half precision" else _rounded, bits=bits)
        yield Variant(
            f"inputs and weights rounded to {name}",
            inputs=partial(_round_inputs, function=function),
            parameter=partial(_round_weights, function=function),
        )


def _stored(case: Case, theirs: Floats) -> Trials:
    """Whether each value of theirs is a number of fewer bits, and no farther off than that makes it."""
    for name, function, bits in (("bfloat16", _rounded, 7), ("half precision", _half, 10)):
        if np.array_equal(function(theirs, bits), theirs) and theirs.shape == case.exact.shape:
            away = distance_from(theirs, case.exact)
            effect: Effect = "rounding" if away <= FACTOR * 2.0 ** -(bits + 1) else "no nearer"
            text = f"nothing; each value of theirs is one of {name}, and {away:.1e} away from sums in float64"
            yield Trial(
                "fewer bits", text, effect, case.probe.numbers.error if case.probe.numbers else None, 0, 0
            )


def _rounded(values: Floats, bits: int) -> Floats:
    """float32 with so many bits behind the leading one, to nearest even."""
    drop = 23 - bits
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32((1 << (drop - 1)) - 1) + ((raw >> drop) & 1)
    return ((raw + half) & ~np.uint32((1 << drop) - 1)).view(np.float32)


def _half(values: Floats, bits: int) -> Floats:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _round_inputs(arrays: Inputs, function: object) -> Inputs:
    return {name: function(array) for name, array in arrays.items()}  # type: ignore[operator]


def _round_weights(layer: LayerDefinition, number: int, values: Floats, function: object) -> Floats | None:
    return function(values) if layer.type in _SUMS and number == 0 else None  # type: ignore[operator]
