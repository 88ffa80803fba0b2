"""DummyData: blobs drawn from fillers, to run a net without data."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register
from .parameters.fillers import fill_for


@register("DummyData")
class DummyData(Layer):
    """`dummy_data_param { shape, data_filler }` (older: num, channels, height, width); default 0.

    One shape or filler for all tops, or one for each. Random fillers draw anew in each forward.
    """

    bottom_count = (0, 0)
    top_count = (1, None)

    @override
    def setup(self) -> None:
        param, tops = self.definition.param.dummy_data_param, len(self.definition.tops)
        if param.shape:
            shapes = [tuple(shape.dim) for shape in param.shape]
        else:
            sizes = [list(getattr(param, field)) for field in ("num", "channels", "height", "width")]
            if len({len(size) for size in sizes}) > 1:
                raise self.error("num", "num, channels, height and width must be given equally often")
            shapes = list(zip(*sizes, strict=True))
        self.shapes = self._for_each("shape", shapes, tops)
        self.chosen = self._for_each("data_filler", list(param.data_filler) or [None], tops)
        self.generator = torch.Generator().manual_seed(0)

    def _for_each(self, field: str, items: list, tops: int) -> list:
        if len(items) not in (1, tops):
            raise self.error(field, f"{len(items)} given for {tops} tops")
        return items if len(items) == tops else items * tops

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return self.shapes

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        for top, filler in zip(tops, self.chosen, strict=True):
            top.copy_(fill_for(self, tuple(top.shape), filler, self.generator))
