"""LSTMUnit: one step of an LSTM's cells."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("LSTMUnit")
class LSTMUnit(Layer):
    """Bottoms: cells (1, N, D), gate inputs (1, N, 4 D), cont (1, N). Tops: new cells, hidden (1, N, D).

    The gate inputs are those of input, forget, output gate and new value, in this order; the forget gate is
    times cont, which is 0 where a sequence begins.
    """

    on_device = True
    bottom_count = (3, 3)
    top_count = (2, 2)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        cells, gates, cont = bottoms
        fits = len(cells) == 3 and gates == (1, cells[1], 4 * cells[2]) and cont == (1, cells[1])
        if not fits or cells[0] != 1:
            raise self.error("bottom", f"{cells}, {gates}, {cont}: (1, N, D), (1, N, 4 D), (1, N) wanted")
        return [cells, cells]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        cells, gates, cont = bottoms
        for top, value in zip(tops, step(cells, gates, cont, self.context.threads), strict=True):
            top.copy_(value)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return list(differentiable_step(*bottoms))


def step(cells: Tensor, gates: Tensor, cont: Tensor, threads: int | None) -> tuple[Tensor, Tensor]:
    """New cells and hidden values; logistic functions as Sigmoid has them, tanh in float64."""
    i, f, o = (
        (1 / (1 + ops.exp(-x, threads=threads).double())).float()
        for x in (part.contiguous() for part in gates.chunk(4, -1)[:3])
    )
    g = _tanh(gates.chunk(4, -1)[3])
    f = torch.where(cont.unsqueeze(-1) == 0, 0, cont.unsqueeze(-1) * f)
    new = f * cells + i * g
    return new, o * _tanh(new)


def differentiable_step(cells: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
    """The same with torch's operators."""
    i, f, o, g = gates.chunk(4, -1)
    new = cont.unsqueeze(-1) * torch.sigmoid(f) * cells + torch.sigmoid(i) * torch.tanh(g)
    return new, torch.sigmoid(o) * torch.tanh(new)


def _tanh(x: Tensor) -> Tensor:
    return (2 / (1 + torch.exp(-2 * x.double())) - 1).float()
