"""Input: blobs that the caller of the net gives."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


class FedByCaller(Layer):
    """A layer whose tops the caller of Net.forward gives."""

    bottom_count = (0, 0)
    fed_by_caller = True

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Nothing: the tops are there."""


@register("Input")
class Input(FedByCaller):
    """`input_param { shape }`: one shape for all tops or one for each."""

    top_count = (1, None)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        shapes = [tuple(shape.dim) for shape in self.definition.param.input_param.shape]
        tops = len(self.definition.tops)
        if not shapes:
            names = ", ".join(self.definition.tops)
            raise self.error("shape", f"missing: the caller has to tell that of {names}")
        if len(shapes) not in (1, tops):
            raise self.error("shape", f"{len(shapes)} given for {tops} tops")
        return shapes if len(shapes) == tops else shapes * tops
