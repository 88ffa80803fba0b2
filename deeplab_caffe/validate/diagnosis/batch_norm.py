"""BatchNorm's third blob, its epsilon, and whose statistics."""

from typing import Any

import numpy as np

from ...formats.net_definition import LayerDefinition
from ...types import Floats
from .case import Case
from .hypotheses import NotApplicableError, Trials, hypothesis
from .layers import edited
from .variant import Variant

_EPSILONS = (1e-5, 1e-3, 2e-5, 1e-4, 1e-6, 1e-10, 0.0)
_DIVISOR = 2  # the blob whose value the others are divided by


@hypothesis("BatchNorm")
def batch_norm(case: Case) -> Trials:
    """The scale factor ignored, another epsilon, statistics of the batch."""
    if not case.of_type("BatchNorm"):
        raise NotApplicableError("no suspected layer is a BatchNorm")
    yield Variant("the scale factor (third blob) ignored", parameter=_ignored)
    yield Variant("the scale factor (third blob) multiplied, not divided by", parameter=_inverted)
    for epsilon in _EPSILONS:

        def edit(param: Any, epsilon: float = epsilon) -> bool:
            differs = abs(param.batch_norm_param.eps - epsilon) > 1e-9 * epsilon + 1e-12
            param.batch_norm_param.eps = epsilon
            return differs

        try:
            yield from edited(case, f"epsilon {epsilon:g}", ("BatchNorm",), edit)
        except NotApplicableError:
            continue  # it has that one

    def own(param: Any) -> bool:
        param.batch_norm_param.use_global_stats = False
        return True

    yield from edited(case, "statistics of the batch, as in training", ("BatchNorm",), own)


def _ignored(layer: LayerDefinition, number: int, values: Floats) -> Floats | None:
    return np.ones_like(values) if layer.type == "BatchNorm" and number == _DIVISOR else None


def _inverted(layer: LayerDefinition, number: int, values: Floats) -> Floats | None:
    if layer.type != "BatchNorm" or number != _DIVISOR or not values.all():
        return None
    return np.float32(1) / values
