"""InnerProduct: every output is a weighted sum of all inputs of an image."""

from math import prod

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..types import Shape
from .abilities import Windowed
from .base import Layer, register
from .parts.window import Window


@register("InnerProduct")
class InnerProduct(Windowed, Layer):
    """`inner_product_param { num_output, bias_term, axis, transpose }`.

    The axes before `axis` (1) number the images, the others are summed over in the canonical reduction order.
    transpose: the weights are (inputs, outputs).
    """

    on_device = True

    @override
    def setup(self) -> None:
        self.param = self.definition.param.inner_product_param
        if not 1 <= self.param.num_output < 2**31:
            raise self.error("num_output", f"{self.param.num_output} given, at least 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        along = self.axis("axis", self.param.axis, len(bottoms[0]))
        if prod(bottoms[0][along:]) < 1:
            raise self.error("bottom", f"{bottoms[0]} has no values")
        legacy = (1, 1) if self.definition.dialect.four_axes else ()
        return [(*bottoms[0][:along], self.param.num_output, *legacy)]

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """The axes that are summed over."""
        shape = bottoms[0]
        along = self.axis("axis", self.param.axis, len(shape))
        return [Window(shape[i] if along <= i else 1) for i in (2, 3)] if len(shape) == 4 else []

    @override
    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        count = prod(bottoms[0]) * self.param.num_output
        return count, count

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        blob_shape = self.definition.dialect.blob_shape
        inputs = prod(bottoms[0][self.axis("axis", self.param.axis, len(bottoms[0])) :])
        sides = (inputs, self.param.num_output)
        weights = sides if self.param.transpose else sides[::-1]
        return [blob_shape(*weights), blob_shape(self.param.num_output)][: 1 + self.param.bias_term]

    @override
    def fillers(self) -> list[object]:
        return [self.param.weight_filler, self.param.bias_filler]

    def _matrix(self, weights: Tensor) -> Tensor:
        """The weights as (outputs, inputs)."""
        if self.param.transpose:
            return weights.reshape(-1, self.param.num_output).t()
        return weights.reshape(self.param.num_output, -1)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """A 1x1 convolution over as many positions as there are images."""
        weights = self.blobs[0]
        inputs = weights.count // self.param.num_output
        shape = (self.param.num_output, inputs, 1, 1)

        def unpack(packed: Tensor) -> Tensor:
            matrix = ops.unpack_weights(packed, shape).view(shape[:2])
            return (matrix.t() if self.param.transpose else matrix).contiguous()

        packed = weights.packed(
            ("inner product", self.param.transpose),
            lambda plain: ops.pack_weights(self._matrix(plain).contiguous().view(shape)),
            unpack,
        )
        bias = [ops.epilogue.Bias(blob.values()) for blob in self.blobs[1:]]
        x = bottoms[0].reshape(-1, inputs).t().contiguous().view(1, inputs, 1, -1)
        y = ops.atrous_conv(x, packed, epilogue=bias, packed_shape=shape, threads=self.context.threads)
        tops[0].view(-1, self.param.num_output).copy_(y.view(self.param.num_output, -1).t())

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        dtype = self.working_dtype(blobs[0])
        weights, *bias = (blob.to(dtype) for blob in blobs)
        x, matrix = bottoms[0].to(dtype), self._matrix(weights)
        y = functional.linear(x.reshape(-1, matrix.shape[1]), matrix, bias[0].view(-1) if bias else None)
        return [y.view(self.shape([tuple(x.shape)])[0])]
