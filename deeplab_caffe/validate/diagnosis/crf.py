"""The dense CRF's parameters."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

from ...formats.dialect import Dialect
from ...formats.net_definition import LayerDefinition
from ..results import Trial
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .layers import edited
from .variant import Variant

_MOST_AT_ONCE = 3
# What scripts in use have.
_ITERATIONS = (1, 2, 3, 5, 10, 20)
_VALUES: dict[str, tuple[float, ...]] = {
    "pos_w": (1, 2, 3, 5),
    "pos_xy_std": (1, 2, 3, 5),
    "bi_w": (3, 4, 5, 10),
    "bi_xy_std": (20, 30, 40, 49, 50, 60, 67, 80, 100, 121, 140, 160),
    "bi_rgb_std": (3, 4, 5, 6, 7, 8, 9, 10, 13, 20),
}


@hypothesis("CRF parameters")
def parameters(case: Case) -> Trials:
    """Other iterations, weights and deviations, one at a time; energies of the other version.

    Then the best together with each other one, as long as that is nearer.
    """
    if not case.of_type("DenseCRF"):
        raise NotApplicableError("no suspected layer is a DenseCRF")
    tried = []
    for change in _changes(case):
        tried.append(((yield change), change))
    error = case.probe.numbers.error if case.probe.numbers else inf
    for _ in range(_MOST_AT_ONCE - 1):
        trial, best = min(tried, key=lambda one: _error(one[0]))
        if trial.effect == "equal" or not _error(trial) < error:
            return
        error = _error(trial)
        tried = [(trial, best)]
        for change in _changes(case):
            both = best.then(change)
            tried.append(((yield both), both))


def _error(trial: Trial) -> float:
    return inf if trial.error is None else trial.error


def _changes(case: Case) -> Iterator[Variant]:
    for iterations in _ITERATIONS:

        def edit(param: Any, iterations: int = iterations) -> bool:
            differs = param.dense_crf_param.max_iter != iterations
            param.dense_crf_param.max_iter = iterations
            return differs

        yield from _edited(case, f"{iterations} iterations", edit)
    for field, values in _VALUES.items():
        for value in values:
            yield from _edited(case, f"{field} {value:g}", _setter(field, value))
    yield from _edited(case, "bi_xy_std and bi_rgb_std exchanged", _exchanged("bi_xy_std", "bi_rgb_std"))
    yield from _edited(case, "pos_w and bi_w exchanged", _exchanged("pos_w", "bi_w"))
    yield from _edited(case, "no bilateral kernel", _without("bi_w", "bi_xy_std", "bi_rgb_std"))
    yield from _edited(case, "no Gaussian kernel", _without("pos_w", "pos_xy_std"))
    yield Variant("energies of the other version (-scores, -log of their softmax)", layer=_other_dialect)


def _edited(case: Case, change: str, edit: Any) -> Iterator[Variant]:
    try:
        yield from edited(case, change, ("DenseCRF",), edit)
    except NotApplicableError:
        return  # it has that one


def _setter(field: str, value: float) -> Any:
    def edit(param: Any) -> bool:
        values = getattr(param.dense_crf_param, field)
        differs = len(values) > 0 and any(abs(old - value) > 1e-6 for old in values)
        for index in range(len(values)):
            values[index] = value
        return differs

    return edit


def _exchanged(one: str, two: str) -> Any:
    def edit(param: Any) -> bool:
        first, second = (getattr(param.dense_crf_param, field) for field in (one, two))
        if len(first) != len(second) or list(first) == list(second):
            return False
        values = list(first), list(second)
        first[:], second[:] = values[1], values[0]
        return True

    return edit


def _without(*fields: str) -> Any:
    def edit(param: Any) -> bool:
        had = len(getattr(param.dense_crf_param, fields[0])) > 0
        for field in fields:
            del getattr(param.dense_crf_param, field)[:]
        return had

    return edit


def _other_dialect(layer: LayerDefinition) -> LayerDefinition:
    if layer.type != "DenseCRF":
        return layer
    return replace(layer, dialect=Dialect.V2 if layer.dialect is Dialect.V1 else Dialect.V1)
