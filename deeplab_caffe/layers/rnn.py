"""RNN: a recurrent layer with tanh, step by step along sequences."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import register
from .parts.recurrent import Linear, Recurrent


@register("RNN")
class RNN(Recurrent):
    """h = tanh(W_hh h + W_xh x + b_h [+ W_static x_static]); the output is tanh(W_ho h + b_o).

    Blobs: weights (D, inputs) and bias of x, [weights of x_static], weights (D, D) of the hidden values,
    weights (D, D) and bias of the output. The state is the hidden values.
    """

    states = 1

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        d = self.size
        return [*super().blob_shapes(bottoms), (d, d), (d,)]

    @override
    def fillers(self) -> list[object]:
        return [*super().fillers(), self.param.weight_filler, self.param.bias_filler]

    @override
    def step(
        self, sums: Tensor, state: list[Tensor], cont: Tensor, run: Linear, exact: bool
    ) -> tuple[Tensor, list[Tensor]]:
        hidden = self._tanh(sums, exact)
        return self._tanh(run(hidden, self.own + 1, self.own + 2), exact), [hidden]

    def _tanh(self, values: Tensor, exact: bool) -> Tensor:
        if not exact:
            return torch.tanh(values)
        return ops.tanh(values.cpu(), threads=self.context.threads).to(values.device)
