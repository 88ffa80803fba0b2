"""RNN: a recurrent layer with tanh, step by step along sequences."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import register
from .parts.recurrent import Linear, Recurrent, conted


@register("RNN")
class RNN(Recurrent):
    """h = tanh(W_hh h + W_xh x + b_h [+ W_static x_static]); the output is tanh(W_ho h + b_o).

    Blobs: weights (D, inputs) and bias of x, [weights of x_static], weights (D, D) of the hidden values,
    weights (D, D) and bias of the output. The state is the hidden values.
    """

    states = 1

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        inputs, *static = self.input_sizes(bottoms)
        d = self.size
        return [(d, inputs), (d,), *((d, size) for size in static), (d, d), (d, d), (d,)]

    @override
    def fillers(self) -> list[object]:
        weights, bias = self.param.weight_filler, self.param.bias_filler
        return [weights, bias, *[weights] * (3 if self.static else 2), bias]

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
        (hidden,) = state
        of_x = run(x.flatten(0, 1), 0, 1).view(*x.shape[:2], -1)
        of_static = None if static is None else run(static, 2, None)
        own = 2 if static is None else 3

        def tanh(values: Tensor) -> Tensor:
            if not exact:
                return torch.tanh(values)
            return ops.tanh(values.cpu(), threads=self.context.threads).to(values.device)

        outputs = []
        for t in range(len(x)):
            total = run(conted(hidden, cont[t]), own, None) + of_x[t]
            hidden = tanh(total if of_static is None else total + of_static)
            outputs.append(tanh(run(hidden, own + 1, own + 2)))
        return torch.stack(outputs), [hidden]
