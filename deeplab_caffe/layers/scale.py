"""Scale: a scale, and an optional shift, per channel."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .abilities import Epilogue
from .base import Layer, register, shapes_of


def operand_place(layer: Layer, bottoms: list[Shape], axis: int, num_axes: int) -> tuple[int, Shape]:
    """From which axis of the first bottom on the second operand lies, and its shape.

    num_axes: how many axes it has, -1 for all from `axis` on; a second bottom is the operand itself.
    """
    bottom = bottoms[0]
    if len(bottoms) > 1 and not bottoms[1]:
        return 0, ()
    along = layer.axis("axis", axis, len(bottom))
    if num_axes < -1:
        raise layer.error("num_axes", f"{num_axes} given, at least -1 wanted")
    count = len(bottoms[1]) if len(bottoms) > 1 else num_axes
    end = len(bottom) if count == -1 else along + count
    if end > len(bottom):
        raise layer.error("num_axes", f"{count} axes from {along} on, but the bottom is {bottom}")
    if len(bottoms) > 1 and bottoms[1] != bottom[along:end]:
        raise layer.error("bottom", f"{bottoms[1]} does not fit {bottom} from axis {along} on")
    return along, bottom[along:end]


@register("Scale")
class Scale(Epilogue, Layer):
    """`scale_param { axis, num_axes, bias_term }`: the factor has the axes of the bottom from `axis` on.

    num_axes: how many of them, -1 for all, 0 for a single number. A second bottom is the factor itself;
    `axis` tells where its shape lies in the first one's.
    """

    on_device = True
    bottom_count = (1, 2)
    in_place = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.scale_param

    def _place(self, bottoms: list[Shape]) -> tuple[int, Shape]:
        return operand_place(self, bottoms, self.param.axis, self.param.num_axes)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self._place(bottoms)
        return [bottoms[0]]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        return [self._place(bottoms)[1]] * ((len(bottoms) == 1) + self.param.bias_term)

    @override
    def fillers(self) -> list[object]:
        factor = (
            []
            if len(self.definition.bottoms) > 1
            else [self.param.filler if self.param.HasField("filler") else 1]
        )
        return [*factor, self.param.bias_filler] if self.param.bias_term else factor

    def operands(self, bottoms: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Scale and shift, of one shape."""
        blobs = [blob.values() for blob in self.blobs]
        factor = bottoms[1] if len(bottoms) > 1 else blobs[0]
        return factor, blobs[-1] if self.param.bias_term else None

    @override
    def can_be_epilogue(self) -> bool:
        """With one factor per channel of an image plane."""
        channels = self.param.axis in (1, -3) and self.param.num_axes == 1
        return channels and len(self.definition.bottoms) == 1

    @override
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        factor, bias = self.operands([])
        return [ops.epilogue.Scale(factor), *([] if bias is None else [ops.epilogue.Bias(bias)])]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        factor, bias = self.operands(bottoms)
        along, _ = self._place(shapes_of(bottoms))
        ops.scale(bottoms[0], factor, bias, along, out=tops[0], threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        along, shape = self._place(shapes_of(bottoms))
        shape = (*shape, *[1] * (x.dim() - along - len(shape)))
        factor = (bottoms[1] if len(bottoms) > 1 else blobs[0]).to(x.dtype).view(shape)
        if not self.param.bias_term:
            return [x * factor]
        return [torch.addcmul(blobs[-1].to(x.dtype).view(shape), x, factor)]
