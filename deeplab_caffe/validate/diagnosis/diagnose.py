"""Tries all hypotheses on the first blob that differs, and says which explains it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...errors import DeepLabError
from ..headline import place
from ..results import Comparison, Diagnosis, Effect, Trial
from ..validation import Job, first_difference
from . import rounding, weights
from .case import SAME, Case
from .exact import distance_from
from .flow import INPUT
from .hypotheses import Hypothesis, NotApplicableError, known
from .variant import Variant

_MOST_CAUSES = 3  # that are looked for one behind the other
_NEARER = 0.5  # of the error that is left, for a change to count
_MUCH_NEARER = 0.1  # and to be worth naming
_TRIED_IN_FULL = 4  # changes that make the probe equal, and are tried on the whole net
_UNTRIED = 1 << 30  # blobs that differ with a change that was not tried on the whole net
_LEFT = 1e-3  # a relative error of other blobs up to which a change explains them, but for rounding
_RANK: dict[Effect, int] = {"equal": 0, "rounding": 1, "nearer": 2, "no nearer": 3, "failed": 4}

Tick = Callable[[str], None]  # told the name of each hypothesis


@dataclass
class _Found:
    """A trial, the change it was made with (None: none was needed), all pairs after it."""

    trial: Trial
    variant: Variant | None
    comparisons: list[Comparison] | None = None

    @property
    def rank(self) -> tuple[float, ...]:
        """The best first. Nothing changed is simpler than a change, which is simpler than other weights."""
        error = self.trial.error
        digits = math.floor(math.log10(error)) if error else -math.inf if error == 0 else math.inf
        if self.variant is None:
            wrong = math.inf if self.trial.hypothesis == weights.NAME else -1
        else:
            wrong = sum(c.status != "equal" for c in self.comparisons) if self.comparisons else _UNTRIED
        return _RANK[self.trial.effect], wrong, digits


def diagnose(
    job: Job,
    comparisons: Sequence[Comparison],
    first: int,
    also_weights: Sequence[str] = (),
    tick: Tick = lambda name: None,
) -> Diagnosis:
    """Why comparison number `first`, the first that differs, does. Raises DeepLabError for broken files."""
    probe = comparisons[first]
    if probe.kind == "parameter":
        return _of_parameters(comparisons, probe)
    several = len(job.passes) > 1
    name = probe.image
    single = next(one for one in job.passes if not several or name in (one.name, str(one.number)))
    ours = [c for c in comparisons if c.image == name and c.kind != "parameter"]
    trials: list[Trial] = []
    case = Case(job, single, probe, ours, also_weights=also_weights)
    suspects = _names(case)
    skipped: dict[str, str] = {}
    causes: list[_Found] = []
    best: _Found | None = None
    error = _error(probe)
    for _ in range(_MOST_CAUSES):
        found, skipped_now = _try_all(case, tick)
        skipped = skipped or skipped_now
        trials += [one.trial for one in found]
        chosen = min(found, key=lambda one: one.rank, default=None)
        if chosen is None or _RANK[chosen.trial.effect] > _RANK["nearer"]:
            break
        best = chosen
        causes.append(chosen)
        following = _next_case(case, chosen)
        if following is None:
            break
        case = following
    return _diagnosis(probe, error, suspects, trials, skipped, causes, best)


def _try_all(case: Case, tick: Tick) -> tuple[list[_Found], dict[str, str]]:
    """Every hypothesis at the probe; those that bring it to equal also on the whole net.

    Rounding first: where theirs is as near to the exact values as ours is, no change can say more.
    """
    found: list[_Found] = []
    skipped: dict[str, str] = {}
    hypotheses = {rounding.NAME: known()[rounding.NAME], **known()}
    for name, function in hypotheses.items():
        if found and found[0].variant is None and found[0].trial.effect == "rounding":
            skipped[name] = "rounding alone explains the difference"
            continue
        tick(name)
        try:
            found += _try_one(case, name, function)
        except NotApplicableError as error:
            skipped[name] = str(error)
    good = sorted((one for one in found if one.variant is not None), key=lambda one: one.rank)
    for one in good[:_TRIED_IN_FULL]:
        if one.trial.effect in ("equal", "rounding") and one.variant is not None:
            try:
                one.comparisons = case.compare_all(one.variant)
            except DeepLabError as error:
                one.trial = replace(one.trial, effect="failed", note=str(error))
                continue
            equal = sum(c.status in ("equal", "close") for c in one.comparisons)
            one.trial = replace(one.trial, equal_blobs=equal, blobs=len(one.comparisons))
    return found, skipped


def _try_one(case: Case, name: str, function: Hypothesis) -> list[_Found]:
    found: list[_Found] = []
    trials = function(case)
    change = next(trials, None)
    while change is not None:
        if isinstance(change, Trial):
            found.append(_Found(change, None))
        else:
            found.append(_Found(_try(case, name, change), change))
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
    left, before = _error(compared), _error(case.probe)
    return Trial(name, variant.change, _effect(case, compared, left, before), left, 0, 0)


def _effect(case: Case, compared: Comparison, error: float | None, before: float | None) -> Effect:
    if compared.status in ("equal", "close"):
        return "equal"
    if error is None:
        return "no nearer"
    if compared.kind == "blob" and (before is None or error < _MUCH_NEARER * before) and _noise(case, error):
        return "rounding"
    return "nearer" if before is None or error < _NEARER * before else "no nearer"


def _noise(case: Case, error: float) -> bool:
    """Whether what is left is of the size that another order of sums leaves."""
    if case.value in case.feeds:
        return error < 2.0**-22
    own = distance_from(case.our_values, case.exact)
    return error <= rounding.FACTOR * max(own, 2.0**-26)


def _error(comparison: Comparison) -> float | None:
    """How wrong a blob is; None where that is no number (another shape, a hash)."""
    if comparison.numbers is not None:
        numbers = comparison.numbers
        return None if numbers.nan_ours or numbers.nan_theirs else numbers.error
    if comparison.labels is not None:
        return comparison.labels.changed / max(1, comparison.labels.pixels)
    return None


def _next_case(case: Case, chosen: _Found) -> Case | None:
    """What is still different after a change: another blob, or the same one less so. None: nothing to do."""
    if chosen.variant is None:
        return None
    base = chosen.variant if case.base is SAME else case.base.then(chosen.variant)
    if chosen.comparisons is None:
        compared = case.compare(chosen.variant)
        return replace(case, probe=compared, base=base)
    if _explained(chosen.comparisons, chosen.trial.effect):
        return None
    first = first_difference(chosen.comparisons)
    if first is None or chosen.trial.effect != "equal":
        return None
    return replace(
        case,
        probe=chosen.comparisons[first],
        comparisons=chosen.comparisons,
        base=base,
    )


def _explained(comparisons: Sequence[Comparison], effect: Effect) -> bool:
    """Whether a change leaves nothing different, or only roundings."""
    if effect == "equal":
        return all(c.status in ("equal", "close") for c in comparisons)
    return all(c.status in ("equal", "close") or (_error(c) or 0) <= _LEFT for c in comparisons)


def _names(case: Case) -> list[str]:
    layers = case.net.definition.layers
    names = {
        f"input '{blob}'" if index == INPUT else layers[index].name: index for index, blob in case.suspects
    }
    return sorted(names, key=lambda name: names[name])


def _diagnosis(
    probe: Comparison,
    error: float | None,
    suspects: list[str],
    trials: list[Trial],
    skipped: dict[str, str],
    causes: list[_Found],
    best: _Found | None,
) -> Diagnosis:
    number = next((i for i, trial in enumerate(trials) if best and trial is best.trial), None)
    done = best is not None and (
        best.trial.effect == "rounding"
        if best.comparisons is None
        else _explained(best.comparisons, best.trial.effect)
    )
    texts = "; and ".join(_cause(cause.trial) for cause in causes)
    if done:
        assert best is not None
        return Diagnosis(
            "explained",
            _sentence(best, causes, texts),
            place(probe),
            error,
            suspects,
            trials,
            number,
            skipped,
        )
    if best is not None and (best.comparisons is not None or _much_nearer(best.trial.error, error)):
        left = "" if best.trial.error is None else f" (relative error {best.trial.error:.2g} is left)"
        if best.comparisons is not None:
            first = first_difference(best.comparisons)
            left = "" if first is None else f", but not what differs from {place(best.comparisons[first])} on"
            sentence = f"explained in part: {texts}{left}"
        else:
            sentence = f"nothing tried explains it; nearest: {texts}{left}"
        return Diagnosis("nearer", sentence, place(probe), error, suspects, trials, number, skipped)
    sentence = f"none of the {len(trials)} changes tried explains it"
    return Diagnosis("none", sentence, place(probe), error, suspects, trials, None, skipped)


def _much_nearer(after: float | None, before: float | None) -> bool:
    return after is not None and (before is None or after < _MUCH_NEARER * before)


def _cause(trial: Trial) -> str:
    if trial.hypothesis == weights.NAME and trial.note:
        return f"{trial.note} ({trial.change})"
    return f"{trial.hypothesis} ({trial.change.removeprefix('nothing; ')})"


def _sentence(best: _Found, causes: list[_Found], texts: str) -> str:
    if best.comparisons is None:
        return f"explained by {texts}"
    rest = "with it" if len(causes) == 1 else "with them"
    equal = f"{best.trial.equal_blobs} of {best.trial.blobs} arrays are equal {rest}"
    but = (
        ""
        if best.trial.effect == "equal"
        else f", the others but for rounding (relative error {best.trial.error:.1e})"
    )
    return f"explained by {texts}: {equal}{but}"


def _of_parameters(comparisons: Sequence[Comparison], probe: Comparison) -> Diagnosis:
    """Weights against weights: nothing is to be run."""
    compared = [c for c in comparisons if c.kind == "parameter"]
    different = [c for c in compared if c.status in ("different", "shape")]
    errors = [c.numbers.error for c in different if c.numbers is not None]
    largest = max(errors, default=None)
    related = largest is not None and largest <= 0.5 and len(errors) == len(different)
    note = "weights of another iteration" if related else "other weights altogether"
    change = f"{len(different)} of {len(compared)} parameters differ"
    change += "" if largest is None else f", relative errors up to {largest:.2g}"
    trial = Trial(
        weights.NAME, change, "rounding", largest, len(compared) - len(different), len(compared), note
    )
    return Diagnosis(
        "explained", f"{note} ({change})", place(probe), _error(probe), [probe.layer], [trial], 0
    )
