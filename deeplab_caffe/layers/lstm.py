"""LSTM: cells with gates, step by step along sequences."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import register
from .lstm_unit import differentiable_step, step
from .parts.recurrent import Linear, Recurrent, conted


@register("LSTM")
class LSTM(Recurrent):
    """Blobs: weights (4 D, inputs) and bias of x, [weights of x_static], weights (4 D, D) of hidden values.

    The state is hidden values and cells. See LSTMUnit for the gates (Hochreiter and Schmidhuber, 1997; this
    form: Zaremba and Sutskever, "Learning to execute", 2014).
    """

    states = 2

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        inputs, *static = self.input_sizes(bottoms)
        gates = 4 * self.size
        return [(gates, inputs), (gates,), *((gates, size) for size in static), (gates, self.size)]

    @override
    def fillers(self) -> list[object]:
        weights = self.param.weight_filler
        return [weights, self.param.bias_filler, *[weights] * (2 if self.static else 1)]

    @override
    def unrolled(
        self,
        x: Tensor,
        cont: Tensor,
        static: Tensor | None,
        state: list[Tensor],
        run: Linear,
        exact: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        hidden, cells = state
        of_x = run(x.flatten(0, 1), 0, 1).view(*x.shape[:2], -1)
        of_static = None if static is None else run(static, 2, None)
        own = 2 if static is None else 3
        outputs = []
        for t in range(len(x)):
            gates = run(conted(hidden, cont[t]), own, None) + of_x[t]
            if of_static is not None:
                gates = gates + of_static
            if exact:
                cells, hidden = step(cells, gates, cont[t], self.context.threads)
            else:
                cells, hidden = differentiable_step(cells, gates, cont[t])
            outputs.append(hidden)
        return torch.stack(outputs), [hidden, cells]
