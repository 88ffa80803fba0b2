"""LSTM: cells with gates, step by step along sequences."""

from torch import Tensor
from typing_extensions import override

from .base import register
from .lstm_unit import differentiable_step, step
from .parts.recurrent import Linear, Recurrent


@register("LSTM")
class LSTM(Recurrent):
    """Blobs: weights (4 D, inputs) and bias of x, [weights of x_static], weights (4 D, D) of hidden values.

    The state is hidden values and cells. See LSTMUnit for the gates (Hochreiter and Schmidhuber, 1997; this
    form: Zaremba and Sutskever, "Learning to execute", 2014).
    """

    states = 2
    gates = 4

    @override
    def step(
        self, sums: Tensor, state: list[Tensor], cont: Tensor, run: Linear, exact: bool
    ) -> tuple[Tensor, list[Tensor]]:
        cells = state[1]
        if exact:
            cells, hidden = step(cells, sums, cont, self.context.threads)
        else:
            cells, hidden = differentiable_step(cells, sums, cont)
        return hidden, [hidden, cells]
