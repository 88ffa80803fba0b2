"""Tries all hypotheses on the first blob that differs, and says which explains it."""

from collections.abc import Sequence
from dataclasses import replace

from ..headline import place
from ..results import Comparison, Diagnosis, Trial
from ..validation import Job, first_difference
from . import weights
from .case import SAME, Case
from .flow import INPUT
from .trying import MUCH_NEARER, RANK, Found, Tick, error_of, explained, try_all

_MOST_CAUSES = 3  # that are looked for one behind the other


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
    if probe.kind == "labels" and probe.status == "shape":
        sentence = "label maps of different sizes are not compared, so nothing was tried"
        return Diagnosis("none", sentence, place(probe), None, [probe.layer], [])
    several = len(job.passes) > 1
    name = probe.image
    single = next(one for one in job.passes if not several or name in (one.name, str(one.number)))
    ours = [c for c in comparisons if c.image == name and c.kind != "parameter"]
    trials: list[Trial] = []
    case = Case(job, single, probe, ours, also_weights=also_weights)
    suspects = _names(case)
    skipped: dict[str, str] = {}
    causes: list[Found] = []
    best: Found | None = None
    error = error_of(probe)
    for _ in range(_MOST_CAUSES):
        found, skipped_now = try_all(case, tick)
        skipped = skipped or skipped_now
        trials += [one.trial for one in found]
        chosen = min(found, key=lambda one: one.rank, default=None)
        if chosen is None or RANK[chosen.trial.effect] > RANK["nearer"]:
            break
        best = chosen
        causes.append(chosen)
        if chosen.trial.effect == "nearer" and not _much_nearer(chosen.trial.error, error_of(case.probe)):
            break
        following = _next_case(case, chosen)
        if following is None:
            break
        case = following
    return _diagnosis(probe, error, suspects, trials, skipped, causes, best)


def _next_case(case: Case, chosen: Found) -> Case | None:
    """What is still different after a change: another blob, or the same one less so. None: nothing to do."""
    if chosen.variant is None:
        return None
    base = chosen.variant if case.base is SAME else case.base.then(chosen.variant)
    if chosen.comparisons is None:
        compared = case.compare(chosen.variant)
        return replace(case, probe=compared, base=base)
    if explained(chosen.comparisons, chosen.trial.effect):
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
    causes: list[Found],
    best: Found | None,
) -> Diagnosis:
    number = next((i for i, trial in enumerate(trials) if best and trial is best.trial), None)
    done = best is not None and (
        best.trial.effect == "rounding"
        if best.comparisons is None
        else explained(best.comparisons, best.trial.effect)
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
    return after is not None and (before is None or after < MUCH_NEARER * before)


def _cause(trial: Trial) -> str:
    if trial.hypothesis == weights.NAME and trial.note:
        return f"{trial.note} ({trial.change})"
    return f"{trial.hypothesis} ({trial.change.removeprefix('nothing; ')})"


def _sentence(best: Found, causes: list[Found], texts: str) -> str:
    if best.comparisons is None:
        return f"explained by {texts}"
    rest = "with it" if len(causes) == 1 else "with them"
    count = best.trial.blobs
    equal = f"{best.trial.equal_blobs} of {count} arrays {'is' if count == 1 else 'are'} equal {rest}"
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
        "explained", f"{note} ({change})", place(probe), error_of(probe), [probe.layer], [trial], 0
    )
