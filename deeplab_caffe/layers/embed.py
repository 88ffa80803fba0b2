"""Embed: a row of a table for each index."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Embed")
class Embed(Layer):
    """`embed_param { num_output, input_dim, bias_term }`: the table is (input_dim, num_output)."""

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.embed_param
        for name in ("num_output", "input_dim"):
            if not 1 <= getattr(self.param, name) < 2**31:
                raise self.error(name, f"{getattr(self.param, name)} given, at least 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return [(*bottoms[0], self.param.num_output)]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        table = (self.param.input_dim, self.param.num_output)
        return [table, table[1:]][: 1 + self.param.bias_term]

    @override
    def fillers(self) -> list[object]:
        return [self.param.weight_filler, self.param.bias_filler]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        table, *bias = (blob.values() for blob in self.blobs)
        index = bottoms[0]
        if not ((index >= 0) & (index < len(table))).all():
            raise self.error("bottom", f"an index out of 0 to {len(table) - 1}")
        tops[0].copy_(table[index.long()])
        if bias:
            tops[0] += bias[0]

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        y = blobs[0][bottoms[0].long()]
        return [y + blobs[1] if len(blobs) > 1 else y]
