"""Tries all hypotheses on a case."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...errors import DeepLabError
from ..results import Comparison, Effect, Trial
from . import rounding, weights
from .case import Case
from .exact import distance_from
from .hypotheses import Hypothesis, NotApplicableError, known
from .variant import Variant

_NEARER = 0.5  # of the error that is left, for a change to count
MUCH_NEARER = 0.1  # and to be worth naming
_TRIED_IN_FULL = 4  # changes that make the probe equal, and are tried on the whole net
_UNTRIED = 1 << 30  # blobs that differ with a change that was not tried on the whole net
_LEFT = 1e-3  # a relative error of other blobs up to which a change explains them, but for rounding
RANK: dict[Effect, int] = {"equal": 0, "rounding": 1, "nearer": 2, "no nearer": 3, "failed": 4}

Tick = Callable[[str], None]  # told the name of each hypothesis


@dataclass
class Found:
    """A trial, the change it was made with (None: none was needed), all pairs after it."""

    trial: Trial
    variant: Variant | None
    comparisons: list[Comparison] | None = None

    @property
    def rank(self) -> tuple[float, ...]:
        """The best first. Nothing changed is simpler than a change, which is simpler than other weights."""
        error = self.trial.error
        if error and math.isfinite(error):
            digits: float = math.floor(math.log10(error))
        else:
            digits = -math.inf if error == 0 else math.inf
        if self.variant is None:
            wrong = math.inf if self.trial.hypothesis == weights.NAME else -1
        else:
            wrong = sum(c.status != "equal" for c in self.comparisons) if self.comparisons else _UNTRIED
        return RANK[self.trial.effect], wrong, digits


def try_all(case: Case, tick: Tick) -> tuple[list[Found], dict[str, str]]:
    """Every hypothesis at the probe; those that bring it to equal also on the whole net.

    Rounding first: where theirs is as near to the exact values as ours is, no change can say more. Nor can
    any where one explains every bit.
    """
    found: list[Found] = []
    skipped: dict[str, str] = {}
    reason = ""
    hypotheses = {rounding.NAME: known()[rounding.NAME], **known()}
    for name, function in hypotheses.items():
        if reason:
            skipped[name] = reason
            continue
        tick(name)
        try:
            now = _try_one(case, name, function)
        except NotApplicableError as error:
            skipped[name] = str(error)
            continue
        found += now
        if any(
            one.variant is None and one.trial.effect == "rounding" for one in now if name == rounding.NAME
        ):
            reason = "rounding alone explains the difference"
        elif case.probe.kind != "labels" and any(_explains(case, one) for one in now):
            reason = f"{name} explains every bit"
    good = sorted((one for one in found if one.variant is not None), key=lambda one: one.rank)
    for one in good[:_TRIED_IN_FULL]:
        if one.trial.effect in ("equal", "rounding"):
            _try_in_full(case, one)
    return found, skipped


def _explains(case: Case, one: Found) -> bool:
    if one.variant is None or one.trial.effect != "equal":
        return False
    _try_in_full(case, one)
    return one.comparisons is not None and explained(one.comparisons, "equal")


def _try_in_full(case: Case, one: Found) -> None:
    """The change on the whole net, once."""
    if one.comparisons is not None or one.variant is None:
        return
    try:
        one.comparisons = case.compare_all(one.variant)
    except DeepLabError as error:
        one.trial = replace(one.trial, effect="failed", note=str(error))
        return
    equal = sum(c.status in ("equal", "close") for c in one.comparisons)
    one.trial = replace(one.trial, equal_blobs=equal, blobs=len(one.comparisons))


def _try_one(case: Case, name: str, function: Hypothesis) -> list[Found]:
    found: list[Found] = []
    trials = function(case)
    change = next(trials, None)
    while change is not None:
        if isinstance(change, Trial):
            found.append(Found(change, None))
        else:
            found.append(Found(_try(case, name, change), change))
        try:
            change = trials.send(found[-1].trial)
        except StopIteration:
            break
    return found


def _try(case: Case, name: str, variant: Variant) -> Trial:
    try:
        compared = case.compare(variant)
    except DeepLabError as error:
        return Trial(name, variant.change, "failed", None, 0, 0, str(error))
    left, before = error_of(compared), error_of(case.probe)
    return Trial(name, variant.change, _effect(case, compared, left, before), left, 0, 0)


def _effect(case: Case, compared: Comparison, error: float | None, before: float | None) -> Effect:
    if compared.status in ("equal", "close"):
        return "equal"
    if error is None:
        return "no nearer"
    if compared.kind == "blob" and (before is None or error < MUCH_NEARER * before) and _noise(case, error):
        return "rounding"
    return "nearer" if before is None or error < _NEARER * before else "no nearer"


def _noise(case: Case, error: float) -> bool:
    """Whether what is left is of the size that another order of sums leaves."""
    if case.value in case.feeds:
        return error < 2.0**-22
    own = distance_from(case.our_values, case.exact)
    return error <= rounding.FACTOR * max(own, 2.0**-26)


def error_of(comparison: Comparison) -> float | None:
    """How wrong a blob is; None where that is no number (another shape, a hash)."""
    if comparison.numbers is not None:
        numbers = comparison.numbers
        return None if numbers.nan_ours or numbers.nan_theirs else numbers.error
    if comparison.labels is not None:
        return comparison.labels.changed / max(1, comparison.labels.pixels)
    return None


def explained(comparisons: Sequence[Comparison], effect: Effect) -> bool:
    """Whether a change leaves nothing different, or only roundings."""
    if effect == "equal":
        return all(c.status in ("equal", "close") for c in comparisons)
    return all(c.status in ("equal", "close") or (error_of(c) or 0) <= _LEFT for c in comparisons)
