"""Upsample: values go back to where a pooling's mask found them, of SegNet's fork."""

from torch import Tensor
from typing_extensions import override

from ..autograd import scatter_last
from ..types import Pair, Shape
from .base import Layer, register
from .parts.unpool import places_of


@register("Upsample")
class Upsample(Layer):
    """`upsample_param { upsample_h, upsample_w }`, or `scale` (2; scale_h, scale_w), pad_out_h, pad_out_w.

    Bottoms: values, mask (the second top of a Pooling). The top is 0 where no value goes; of several values
    for one place the last one stays. pad_out: one row or column less, with a scale of 2.
    """

    on_device = True
    synchronises = True
    bottom_count = (2, 2)

    @override
    def setup(self) -> None:
        param = self.definition.param.upsample_param
        self.sized = param.HasField("upsample_h") and param.HasField("upsample_w")
        if self.sized:
            self.size: Pair = (param.upsample_h, param.upsample_w)
            if min(self.size) < 2:
                raise self.error("upsample_h", f"{self.size} given, 2 or more wanted")
            return
        if param.HasField("scale_h") != param.HasField("scale_w"):
            raise self.error("scale_h", "scale_h and scale_w wanted, only one given")
        if param.HasField("scale") and param.HasField("scale_h"):
            raise self.error("scale", "given together with scale_h and scale_w")
        self.scale = (param.scale_h, param.scale_w) if param.HasField("scale_h") else (param.scale,) * 2
        if min(self.scale) < 2:
            raise self.error("scale", f"{min(self.scale)} given, 2 or more wanted")
        self.less = (int(param.pad_out_h), int(param.pad_out_w))
        for name, less, scale in zip(("pad_out_h", "pad_out_w"), self.less, self.scale, strict=True):
            if less and scale != 2:
                raise self.error(name, f"for a scale of 2 only, {scale} given")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        values, mask = bottoms
        if len(values) != 4 or values != mask:
            raise self.error("bottom", f"values {values} and mask {mask}, the same 4 dimensions wanted")
        return [(*values[:2], *self._plane(values))]

    def _plane(self, values: Shape) -> Pair:
        if self.sized:
            return self.size
        rows, columns = (values[2 + i] * self.scale[i] - self.less[i] for i in (0, 1))
        return rows, columns

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self.formula(bottoms, [])[0])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        values, mask = bottoms
        size = self._plane(tuple(values.shape))
        places = places_of(self, mask, size)
        top = scatter_last(values.flatten(2), places, size[0] * size[1])
        return [top.view(*values.shape[:2], *size)]
