"""InnerProduct: every output is a weighted sum of all inputs of an image."""

from math import prod

import torch
from torch.nn import functional

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("InnerProduct")
class InnerProduct(Layer):
    """`inner_product_param { num_output, bias_term, axis, transpose }`.

    The axes before `axis` (1) number the images, the others are summed over in the canonical reduction order.
    transpose: the weights are (inputs, outputs).
    """

    on_device = True

    def setup(self) -> None:
        """See Layer."""
        self.param = self.definition.param.inner_product_param
        if not 1 <= self.param.num_output < 2**31:
            raise self.error("num_output", f"{self.param.num_output} given, at least 1 wanted")

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        self.along = self.axis("axis", self.param.axis, len(bottoms[0]))
        self.inputs = prod(bottoms[0][self.along :])
        if self.inputs < 1:
            raise self.error("bottom", f"{bottoms[0]} has no values")
        legacy = (1, 1) if self.definition.dialect.four_axes else ()
        return [(*bottoms[0][: self.along], self.param.num_output, *legacy)]

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        self.shape(bottoms)
        blob_shape = self.definition.dialect.blob_shape
        sides = (self.inputs, self.param.num_output)
        weights = sides if self.param.transpose else sides[::-1]
        return [blob_shape(*weights), blob_shape(self.param.num_output)][: 1 + self.param.bias_term]

    def fillers(self) -> list[object]:
        """See Layer."""
        return [self.param.weight_filler, self.param.bias_filler]

    def _matrix(self, weights: torch.Tensor) -> torch.Tensor:
        """The weights as (outputs, inputs)."""
        if self.param.transpose:
            return weights.reshape(self.inputs, -1).t()
        return weights.reshape(-1, self.inputs)

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer: a 1x1 convolution over as many positions as there are images."""
        weights = self.blobs[0]
        shape = (self.param.num_output, self.inputs, 1, 1)

        def unpack(packed: torch.Tensor) -> torch.Tensor:
            matrix = ops.unpack_weights(packed, shape).view(shape[:2])
            return (matrix.t() if self.param.transpose else matrix).contiguous()

        packed = weights.packed(
            ("inner product", self.param.transpose),
            lambda plain: ops.pack_weights(self._matrix(plain).contiguous().view(shape)),
            unpack,
        )
        bias = [("bias", blob.values()) for blob in self.blobs[1:]]
        x = bottoms[0].reshape(-1, self.inputs).t().contiguous().view(1, self.inputs, 1, -1)
        y = ops.atrous_conv(x, packed, epilogue=bias, packed_shape=shape, threads=self.context.threads)
        tops[0].view(-1, self.param.num_output).copy_(y.view(self.param.num_output, -1).t())

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer."""
        dtype = self.working_dtype(blobs[0])
        weights, *bias = (blob.to(dtype) for blob in blobs)
        x = bottoms[0].to(dtype)
        y = functional.linear(
            x.reshape(-1, self.inputs), self._matrix(weights), bias[0].view(-1) if bias else None
        )
        return [y.view(self.shape([tuple(x.shape)])[0])]
