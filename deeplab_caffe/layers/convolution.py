"""Convolution, with holes (v1 `hole`, v2 `dilation`)."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..autograd import ConvolutionFunction
from ..types import Pair, Shape, plane
from .abilities import Branches, Epilogue, Fused, Fusing, Rows, RowWise
from .base import Layer, register
from .parts import fast_convolution, fold, packed_weights
from .parts.any_fields import AnyFields
from .relu import ReLU

Folded = TypeVar("Folded")


@register("Convolution")
class Convolution(AnyFields, RowWise, Branches, Fusing):
    """`convolution_param { num_output kernel_size pad stride dilation group bias_term }`, also `_h` and `_w`.

    same_pad in place of pad: TensorFlow's SAME. Works on any number of bottoms, with the same weights.
    BatchNorm, Scale, a sum of two (Eltwise), ReLU and Clip right behind it are done in the same pass, with
    the same roundings. Blobs of any number of axes, and another `axis`, go another way, without these passes:
    see AnyConvolution; their gradients are torch's.
    """

    on_device = True
    overwrites_operands = True

    @override
    def setup(self) -> None:
        super().setup()
        self.same_pad = self.definition.param.convolution_param.same_pad
        if self.same_pad and self.any_only:
            raise self.error("same_pad", "for images only")
        if self.same_pad and any(self.pad):
            raise self.error("same_pad", "given together with pad")
        self._folded_state: Hashable = None
        self._merged_state: Hashable = None

    @override
    def fuses(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """Whatever can be in the kernel's epilogue."""
        alone = len(self.definition.tops) == 1 and not self.is_any
        return alone and isinstance(following, Epilogue) and following.can_be_epilogue()

    @override
    def fuses_in_training(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """A ReLU (whose outputs tell the signs of its inputs)."""
        able = self.context.precision != "exact" or self._own_gradients()
        alone = len(self.definition.tops) == 1 and not fused and not self.is_any
        fits = isinstance(following, ReLU) and following.slope >= 0
        return able and alone and fits and not any(self.loss_weights + following.loss_weights)

    def _own_gradients(self) -> bool:
        return self.context.precision == "exact" and self.context.device.type == "cpu" and not self.is_any

    @override
    def forward_train(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor]:
        relu = next((layer for layer in fused if isinstance(layer, ReLU)), None)
        blobs = [blob.tensor for blob in self.blobs]
        if self._own_gradients() and all(x.dtype == torch.float32 for x in (*bottoms, *blobs)):
            weights, bias = (*blobs, None)[:2]
            slope = None if relu is None else relu.slope
            return [
                ConvolutionFunction.apply(
                    lambda x: self._top(x, fused),
                    self.geometry(tuple(x.shape)),
                    slope,
                    self.context.threads,
                    x,
                    weights,
                    bias,
                )
                for x in bottoms
            ]
        tops = super().forward_train(bottoms)
        return [relu.rectify_(top) for top in tops] if relu else tops

    def _top(self, x: Tensor, fused: Fused) -> Tensor:
        """`forward` of one bottom, in new memory."""
        (shape,) = self.shape([tuple(x.shape)])
        y = torch.empty(shape, device=x.device)
        self.forward([x], [y], fused)
        return y

    def geometry(self, shape: Shape) -> ops.ConvGeometry:
        """That of an input of `shape`."""
        rows, columns = self.padding(shape[2:])
        weights, size = self.blobs[0].shape, plane(self.shape([shape])[0])
        pad = rows[0], columns[0]
        return ops.ConvGeometry.of(shape, weights, self.stride, pad, self.dilation, self.groups, size)

    def _epilogue(self, fused: Fused, others: list[Tensor]) -> list[ops.EpilogueOp]:
        """The bias and the layers `fused` as ops; others: their further bottoms, in order."""
        found: list[ops.EpilogueOp] = [ops.epilogue.Bias(blob.values()) for blob in self.blobs[1:]]
        top = self.definition.tops[0]
        for layer in fused:
            assert isinstance(layer, Epilogue)  # see fuses
            count = len(layer.definition.bottoms) - 1
            found += layer.epilogue(layer.definition.bottoms.index(top), others[:count])
            top, others = layer.definition.tops[0], others[count:]
        return found

    @property
    def _bf16(self) -> str:
        """Our own kernels that convolve in bf16, if any: several groups are convolved in float32."""
        own = self.context.precision == "bf16" and self.context.runs_forward and self.groups == 1
        return self.context.bf16_kernels if own else ""

    def _packed_weights(self) -> Tensor:
        return packed_weights.of(self.blobs[0], self.groups, self._bf16, self.context.threads)

    @override
    def prepare(self) -> None:
        if not (self.is_any or self.blobs[0].streamed or self.context.device.type != "cpu"):
            self._packed_weights()

    def _weights_and_epilogue(
        self, fused: Fused, others: list[Tensor]
    ) -> tuple[Tensor, list[ops.EpilogueOp]]:
        """Packed weights and the epilogue; but for exact its first ops are one scale and shift."""
        weights, epilogue = self._packed_weights(), self._epilogue(fused, others)
        if self.context.precision == "exact":
            return weights, epilogue
        state = self._state(fused)
        if self._merged_state != state:
            self._merged, self._merged_state = fold.merge(epilogue), state
        return weights, self._merged + fold.rest(epilogue)

    @override
    def rows_read(self, rows: Pair, height: int) -> Pair | None:
        if len(self.definition.bottoms) > 1 or self.is_any:
            return None
        return ops.rows_read(
            rows,
            height,
            self.kernel[0],
            self.stride[0],
            self.padding((height, height))[0][0],
            self.dilation[0],
        )

    @override
    def forward_rows(
        self, bottom: Rows, rows: Pair, top: Rows, others: list[Tensor], fused: Fused = ()
    ) -> None:
        padding = self.padding((bottom.height, bottom.values.shape[3]))
        packed, epilogue = self._weights_and_epilogue(fused, others)
        ops.atrous_conv_rows(
            bottom.values,
            packed,
            self.blobs[0].shape,
            rows,
            bottom.height,
            bottom.first,
            top.values,
            top.first,
            self.stride,
            (padding[0][0], padding[1][0]),
            self.dilation,
            self.groups,
            epilogue,
            threads=self.context.threads,
            bf16=self._bf16,
        )

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor], fused: Fused = ()) -> None:
        if self.is_any:
            weights, *bias = (blob.values() for blob in self.blobs)
            for bottom, top in zip(bottoms, tops, strict=True):
                top.copy_(self.any.convolve(bottom, weights, *bias, threads=self.context.threads))
            return
        packed, epilogue = self._weights_and_epilogue(fused, bottoms[len(tops) :])
        for bottom, top in zip(bottoms, tops, strict=False):
            geometry = self.geometry(tuple(bottom.shape))
            ops.atrous_conv(
                bottom,
                packed,
                geometry.stride,
                geometry.pad,
                geometry.dilation,
                geometry.groups,
                epilogue,
                packed_shape=self.blobs[0].shape,
                size=geometry.out_size,
                out=top,
                threads=self.context.threads,
                bf16=self._bf16,
            )

    @override
    def forward_fast(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor] | None:
        """Channels last, BatchNorm and Scale folded into the weights; a GPU's tensor cores."""
        if self.is_any:
            return None
        count = len(self.definition.tops)
        if self.on_tensor_cores:
            return [self._branches([(self, fused)], bottom, bottoms[count:])[0] for bottom in bottoms[:count]]
        shape = tuple(bottoms[0].shape)
        others = bottoms[count:]
        convolve = self._folded(fused, others, lambda weights, bias: self._fast(weights, bias, shape))
        epilogue = fold.rest(self._epilogue(fused, others))
        return [convolve(bottom, self.padding(bottom.shape[2:]), epilogue) for bottom in bottoms[:count]]

    @property
    def on_tensor_cores(self) -> bool:
        """Whether our kernels for a GPU's tensor cores convolve: not where a group has few channels."""
        if not ops.backend_of(self.context.device).is_gpu or self.context.precision == "exact":
            return False
        if self.is_any:
            return False
        return self.groups == 1 or self.blobs[0].shape[1] >= 16

    @override
    def branch_key(self) -> Hashable:
        """DeepLab's parallel branches, convolved in one launch that reads their input once."""
        return self.groups if self.on_tensor_cores else None

    @override
    def forward_branches(self, branches: Sequence[tuple[Layer, Fused]], bottom: Tensor) -> list[Tensor]:
        own = [(layer, fused) for layer, fused in branches if isinstance(layer, Convolution)]
        return self._branches(own, bottom, [])

    @staticmethod
    def _branches(
        layers: list[tuple["Convolution", Fused]], bottom: Tensor, others: list[Tensor]
    ) -> list[Tensor]:
        """The layers' tops for one bottom; others: further bottoms, of a single layer only."""
        epilogues = [fold.rest(layer._epilogue(fused, others)) for layer, fused in layers]
        counts = [ops.tensor_core_steps(own) for own in epilogues]
        branches = [
            layer._branch(bottom, fused, others, own[:count])
            for (layer, fused), own, count in zip(layers, epilogues, counts, strict=True)
        ]
        tops = ops.tensor_core_convs(bottom, branches)
        return [fold.apply(top, own[count:]) for top, own, count in zip(tops, epilogues, counts, strict=True)]

    def _branch(
        self,
        bottom: Tensor,
        fused: Fused,
        others: list[Tensor],
        epilogue: list[ops.EpilogueOp],
    ) -> ops.TensorCoreBranch:
        g, packed = self.geometry(tuple(bottom.shape)), self._folded(fused, others, self._packed)
        return ops.TensorCoreBranch(packed, g.stride, g.pad, g.dilation, epilogue, g.out_size)

    def _fast(self, weights: Tensor, bias: Tensor | None, shape: Shape) -> fast_convolution.FastConvolution:
        dtype, padding = self.working_dtype(weights), self.padding(shape[2:])
        bias = None if bias is None else bias.to(dtype)
        return fast_convolution.make(weights.to(dtype), bias, self._geometry, shape, padding)

    @property
    def _geometry(self) -> fast_convolution.Geometry:
        return fast_convolution.Geometry(self.stride, self.dilation, self.groups)

    def _packed(self, weights: Tensor, bias: Tensor | None) -> ops.TensorCoreWeights:
        return ops.pack_tensor_core(weights, bias, self.groups, self.context.precision)

    def _folded(self, fused: Fused, others: list[Tensor], finish: Callable[..., Folded]) -> Folded:
        """finish(weights, bias) of those that do the per-channel steps too, made anew when blobs change."""
        state = self._state(fused)
        if self._folded_state != state:
            self._folded_weights = finish(*fold.fold(self.blobs[0].values(), self._epilogue(fused, others)))
            self._folded_state = state
        return self._folded_weights

    def _state(self, fused: Fused) -> Hashable:
        """What changes with the fused layers and with any parameter."""
        blobs = self.blobs + [blob for layer in fused for blob in layer.blobs]
        return tuple(layer.name for layer in fused), *(blob.version for blob in blobs)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        """Torch's convolution, channels last."""
        if self.is_any:
            return [self.any.formula(bottom, *blobs) for bottom in bottoms]
        dtype = self.working_dtype(blobs[0])
        bias = blobs[1].to(dtype).view(-1) if len(blobs) > 1 else None
        convolve = fast_convolution.TorchConvolution(blobs[0].to(dtype), bias, self._geometry)
        return [convolve(bottom, self.padding(bottom.shape[2:]), []) for bottom in bottoms]
