"""Other weights: candidates that are given, or those that theirs must have had, by least squares."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ...layers.convolution import Convolution
from ...layers.inner_product import InnerProduct
from ...types import Doubles
from ..results import Trial
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .variant import Variant

NAME = "weights of another iteration"
_MOST_UNKNOWNS = 1500
_FITS = 1e-4  # relative error on values that the fit has not seen, up to which theirs is the layer's sum
_SAME = 1e-5  # relative difference of weights that roundings of theirs make
_RELATED = 0.5  # relative difference up to which weights are those of another iteration


@hypothesis(NAME)
def other_weights(case: Case) -> Trials:
    """The candidates; then whether theirs is what the first layer gives with other weights, and which."""
    for path in case.also_weights:
        yield Variant(f"weights of {path}", weights=Path(path))
    layer = case.net.layers[case.value[0]] if case.value not in case.feeds else None
    if not case.also_weights and not any(case.net.layers[i].blobs for i in case.layers):
        raise NotApplicableError("no suspected layer has parameters")
    if not isinstance(layer, Convolution | InnerProduct) or len(layer.definition.bottoms) != 1:
        return
    theirs = case.their_values
    if theirs is None or list(theirs.shape) != case.probe.shape or not np.isfinite(theirs).all():
        return
    if case.layers[0] != case.value[0]:
        yield _undecided(case, "blobs before the layer are not known to be equal")
        return
    yield _fitted(case, layer, theirs)


def _undecided(case: Case, why: str) -> Trial:
    error = case.probe.numbers.error if case.probe.numbers else None
    return Trial(NAME, "weights that would give theirs", "failed", error, 0, 0, why)


def _fitted(case: Case, layer: Convolution | InnerProduct, theirs: np.ndarray) -> Trial:
    (value,) = case.flow.reads[case.value[0]]
    x = torch.from_numpy(case.value_of(value)).double()
    weights = layer.blobs[0].values().cpu().double().numpy()
    bias = layer.blobs[1].values().cpu().double().numpy().reshape(-1) if len(layer.blobs) > 1 else None
    groups = layer.groups if isinstance(layer, Convolution) else 1
    if isinstance(layer, Convolution):
        padding = layer.padding(tuple(x.shape[2:]))
        padded = functional.pad(x, (*padding[1], *padding[0]))
        columns = functional.unfold(padded, layer.kernel, layer.dilation, 0, layer.stride)
        rows = columns.transpose(1, 2).reshape(-1, columns.shape[1]).numpy()
        sums = theirs.transpose(0, 2, 3, 1).reshape(-1, theirs.shape[1])
    else:
        sums = theirs.reshape(theirs.shape[0], -1)
        rows = x.reshape(len(sums), -1).numpy()
        weights = weights.reshape(sums.shape[1], -1)
    unknowns = rows.shape[1] // groups + 1
    if unknowns > _MOST_UNKNOWNS or len(rows) < 1.5 * unknowns:
        return _undecided(case, f"{unknowns} unknown weights a filter, {len(rows)} values to find them from")
    residual, found = _solve(rows, sums.astype(np.float64), groups, unknowns)
    mine = np.concatenate([weights.reshape(len(weights), -1), np.zeros((len(weights), 1))], axis=1)
    if bias is not None:
        mine[:, -1] = bias
    change = float(np.linalg.norm(found - mine) / (np.linalg.norm(mine) or 1.0))
    text = f"the weights of '{layer.name}' that give theirs, by least squares: {change:.2g} from ours"
    if residual > _FITS:
        return Trial(NAME, text, "no nearer", residual, 0, 0, "no weights give theirs")
    if change < _SAME:
        return Trial(NAME, text, "no nearer", residual, 0, 0, "the same weights, but for rounding")
    note = "weights of another iteration" if change <= _RELATED else "other weights altogether"
    return Trial(NAME, text, "rounding", residual, 0, 0, note)


def _solve(rows: Doubles, sums: Doubles, groups: int, unknowns: int) -> tuple[float, Doubles]:
    """Weights and bias of each filter, and how well they give sums that were not used to find them."""
    generator = np.random.default_rng(0)
    order = generator.permutation(len(rows))
    used = order[: max(int(1.25 * unknowns), min(len(rows) * 4 // 5, 4 * unknowns))]
    seen = order[len(used) : len(used) + 4 * unknowns]
    each, outputs = rows.shape[1] // groups, sums.shape[1] // groups
    found, missed = [], 0.0
    for group in range(groups):
        inputs = rows[:, group * each : (group + 1) * each]
        inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
        wanted = sums[:, group * outputs : (group + 1) * outputs]
        solution = np.linalg.lstsq(inputs[used], wanted[used], rcond=None)[0]
        missed += float(np.square(inputs[seen] @ solution - wanted[seen]).sum())
        found.append(solution.T)
    size = float(np.square(sums[seen]).sum())
    return (missed / size) ** 0.5 if size else float("inf"), np.concatenate(found)
