"""Shared by the layers whose top is a function of each value alone."""

from abc import abstractmethod

from torch import Tensor
from typing_extensions import override

from ..base import Layer


class ElementwiseLayer(Layer):
    """A layer with one bottom and a top of its shape, from `function`, which gives float32."""

    in_place = True

    @abstractmethod
    def function(self, x: Tensor) -> Tensor:
        """The top's values; `x` must stay as it is."""

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.function(bottoms[0]))

    def positive(self, field: str, value: float) -> float:
        """`value`, if it is above 0; else a DeepLabError."""
        if not value > 0:
            raise self.error(field, f"{value:g} given, a number above 0 wanted")
        return value
