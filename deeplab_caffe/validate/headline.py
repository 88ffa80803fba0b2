"""A result in one sentence."""

import math
from collections.abc import Sequence
from typing import get_args

from .results import Comparison, Diagnosis, Effect, Numbers

_MANY_ULP, _TOO_MANY_ULP = 1000, 1 << 17


def headline(comparisons: Sequence[Comparison], first: int | None, diagnosis: Diagnosis | None) -> str:
    """What a reader wants to know first: equal, or where it begins to differ, how much, and why."""
    if first is None:
        return _equal(comparisons)
    found = comparisons[first]
    text = f"differs from {place(found)} on: {how_much(found)}"
    labels = [c for c in comparisons if c.labels is not None]
    if labels and labels[-1].labels is not found.labels:
        text += f"; in {place(labels[-1])} {_changed(labels[-1])}"
    if diagnosis is not None:
        text += f"; {diagnosis.sentence}"
    return text


def _equal(comparisons: Sequence[Comparison]) -> str:
    count = sum(c.numbers.count if c.numbers else _size(c) for c in comparisons)
    few = {1: "1 array has", 2: "both arrays have"}
    what = few.get(len(comparisons), f"all {len(comparisons):,} arrays have")
    values = f"{count:,} values"
    close = [c for c in comparisons if c.status == "close"]
    if not close:
        return f"equal: {what} the same bits ({values})"
    ulp = max(c.numbers.max_ulp for c in close if c.numbers)
    error = max(c.numbers.largest_relative for c in close if c.numbers)
    exact = len(comparisons) - len(close)
    text = f"equal within what was allowed: of {len(comparisons):,} arrays ({values})"
    apart = f"{ulp:,} ulp or {error:.1e} of their largest value"
    return f"{text} {exact:,} have the same bits; the others are up to {apart} apart"


def place(comparison: Comparison) -> str:
    """Layer and blob, as people say it."""
    image = f" of {comparison.image}" if comparison.image else ""
    if comparison.kind == "input":
        return f"the input '{comparison.blob}'{image}"
    if comparison.kind == "parameter":
        return f"parameter {comparison.blob}"
    blob = "" if comparison.blob == comparison.layer else f", blob '{comparison.blob}'"
    return f"layer '{comparison.layer}' ({comparison.type}){blob}{image}"


def how_much(comparison: Comparison) -> str:
    """How a blob differs."""
    if comparison.status == "shape":
        ours, theirs = ("x".join(map(str, shape)) for shape in (comparison.shape, comparison.their_shape))
        return f"ours is {ours}, theirs {theirs}"
    if comparison.numbers is not None:
        text = _values(comparison.numbers)
        return text + (f", {_changed(comparison)}" if comparison.labels else "")
    return _changed(comparison) if comparison.labels else "another sha256 (theirs is known by its hash only)"


def best_trials(diagnosis: Diagnosis) -> list[tuple[int, int]]:
    """For each hypothesis the number of its best trial and how many there were, the best hypothesis first."""
    effects = get_args(Effect)

    def rank(number: int) -> tuple[bool, int, float]:
        trial = diagnosis.trials[number]
        error = math.inf if trial.error is None else trial.error
        return number != diagnosis.best, effects.index(trial.effect), error

    tried: dict[str, list[int]] = {}
    for number, trial in enumerate(diagnosis.trials):
        tried.setdefault(trial.hypothesis, []).append(number)
    return sorted(
        ((min(numbers, key=rank), len(numbers)) for numbers in tried.values()), key=lambda one: rank(one[0])
    )


def _values(numbers: Numbers) -> str:
    share = 100 * numbers.different / max(1, numbers.count)
    ulps = _ulps(numbers)
    text = f"{share:.3g} % of {numbers.count:,} values{ulps}, relative error {numbers.error:.2g}"
    nan = numbers.nan_ours + numbers.nan_theirs
    return text + (f", {nan:,} NaN on one side only" if nan else "")


def _ulps(numbers: Numbers) -> str:
    """The largest distance; of large ones, which a value near 0 may have, what 99 % of the others keep to.

    Nothing where these, too, are so far apart that the number says nothing.
    """
    if numbers.max_ulp <= _MANY_ULP:
        return f", up to {numbers.max_ulp:,} ulp"
    differing, seen = numbers.different - numbers.zeros, 0
    for length, count in enumerate(numbers.ulp_histogram[1:], 1):
        seen += count
        if 100 * seen >= 99 * differing and 2**length <= _TOO_MANY_ULP:
            return f", 99 % of them within {2**length - 1:,} ulp"
    return ""


def _changed(comparison: Comparison) -> str:
    labels = comparison.labels
    assert labels is not None
    text = f"{labels.changed:,} of {labels.pixels:,} labels change"
    if labels.changed and labels.largest_margin is not None:
        text += f" (margin up to {labels.largest_margin:.2g})"
    return text


def _size(comparison: Comparison) -> int:
    size = 1
    for length in comparison.shape:
        size *= length
    return size
