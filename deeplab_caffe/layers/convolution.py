"""Convolution, with holes (v1 `hole`, v2 `dilation`)."""

from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import TypeVar

import torch

from .. import ops
from ..formats.file_blob import FileBlob
from ..types import Shape
from .abilities import Windowed
from .base import Layer, Rows, register
from .parameters.weight_memory import Allocate
from .parts import fast_convolution, fold
from .parts.same_padding import same_padding
from .parts.window import Window, taps_inside
from .relu import ReLU

Folded = TypeVar("Folded")


@register("Convolution")
class Convolution(Windowed, Layer):
    """`convolution_param { num_output kernel_size pad stride dilation group bias_term }`, also `_h` and `_w`.

    same_pad in place of pad: TensorFlow's SAME. Works on any number of bottoms, with the same weights.
    BatchNorm, Scale, a sum of two (Eltwise), ReLU and Clip right behind it are done in the same pass, with
    the same roundings.
    """

    on_device = True
    bottom_count = (1, None)
    top_count = (1, None)

    def setup(self) -> None:
        """See Layer."""
        param = self.definition.param.convolution_param
        if not param.HasField("num_output") or param.num_output < 1:
            raise self.error("num_output", "missing or 0")
        if len(self.definition.bottoms) != len(self.definition.tops):
            raise self.error("top", "as many tops as bottoms wanted")
        if param.axis != 1:
            raise self.error("axis", f"{param.axis} given, only 1 is supported")
        self.out_channels, self.groups = param.num_output, param.group
        if self.groups < 1 or self.out_channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide num_output {self.out_channels}")
        self.kernel = self._pair("kernel_size", "kernel_h", "kernel_w", None)
        self.stride = self._pair("stride", "stride_h", "stride_w", 1)
        self.pad = self._pair("pad", "pad_h", "pad_w", 0)
        self.dilation = self._pair("dilation", None, None, 1)
        self.same_pad: bool = param.same_pad
        if self.same_pad and any(self.pad):
            raise self.error("same_pad", "given together with pad")
        self._folded_state: Hashable = None
        self._merged_state: Hashable = None
        for field, pair in (
            ("kernel_size", self.kernel),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ):
            if min(pair) < 1:
                raise self.error(field, "0 given, at least 1 wanted")

    def _pair(self, field: str, high: str | None, wide: str | None, default: int | None) -> tuple[int, int]:
        """A (height, width) field: one number, one per axis, or the `_h` and `_w` fields."""
        param = self.definition.param.convolution_param
        numbers = list(getattr(param, field))
        if high and (param.HasField(high) or param.HasField(wide)):
            if numbers:
                raise self.error(field, f"given together with {high} and {wide}")
            return getattr(param, high), getattr(param, wide)
        if not numbers:
            if default is None:
                raise self.error(field, "missing")
            return default, default
        if len(numbers) > 2:
            raise self.error(field, f"{len(numbers)} numbers given, 1 or 2 wanted")
        return numbers[0], numbers[-1]

    def padding(self, size: tuple[int, ...]) -> list[tuple[int, int]]:
        """How much is added before and behind the rows, and the columns, of an input of `size`."""
        if not self.same_pad:
            return [(pad, pad) for pad in self.pad]
        return [same_padding(size[i], self.kernel[i], self.stride[i], self.dilation[i]) for i in range(2)]

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        return self.windowed(bottoms, self.out_channels)

    def windowed(self, bottoms: list[Shape], channels: int) -> list[Shape]:
        """Shapes with `channels` channels and one position for each window of each bottom."""
        tops = []
        for bottom in bottoms:
            if len(bottom) != 4:
                raise self.error("bottom", f"{len(bottom)} dimensions given, 4 wanted")
            if bottom[1] != bottoms[0][1]:
                raise self.error(
                    "bottom", f"{bottom[1]} channels given, the first bottom has {bottoms[0][1]}"
                )
            padding = self.padding(bottom[2:])
            padded = [bottom[2 + i] + sum(padding[i]) for i in range(2)]
            size = [
                ops.convolved_size(padded[i], self.kernel[i], self.stride[i], 0, self.dilation[i])
                for i in range(2)
            ]
            if min(size) < 1:
                reach = [self.dilation[i] * (self.kernel[i] - 1) + 1 for i in range(2)]
                raise self.error(
                    "kernel_size",
                    f"the kernel spans {reach[0]}x{reach[1]}, the padded input only {padded[0]}x{padded[1]}",
                )
            tops.append((bottom[0], channels, *size))
        return tops

    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """See Windowed."""
        padding = self.padding(bottoms[0][2:])
        return [Window(self.kernel[i], self.stride[i], padding[i][0], self.dilation[i]) for i in range(2)]

    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        """See Windowed."""
        counts = [
            self.taps(bottom, top, bottom[1] * top[1]) for bottom, top in zip(bottoms, tops, strict=True)
        ]
        return sum(every for every, _ in counts), sum(inside for _, inside in counts)

    def taps(self, image: Shape, positions: Shape, channel_pairs: int) -> tuple[int, int]:
        """Multiply-adds of windows over `image` at `positions`: all, and those inside the image."""
        pairs, windows = image[0] * channel_pairs // self.groups, Convolution.windows(self, [image])
        inside = (taps_inside(windows[i], image[2 + i], positions[2 + i]) for i in range(2))
        return pairs * prod(self.kernel) * prod(positions[2:]), pairs * prod(inside)

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        channels = bottoms[0][1]
        if channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide the {channels} channels of the bottom")
        weights = (self.out_channels, channels // self.groups, *self.kernel)
        if not self.definition.param.convolution_param.bias_term:
            return [weights]
        return [weights, self.definition.dialect.blob_shape(self.out_channels)]

    def fillers(self) -> list:
        """See Layer."""
        param = self.definition.param.convolution_param
        return [param.weight_filler, param.bias_filler]

    def absorbs(self, following: Layer, bottom: int) -> bool:
        """See Layer: whatever can be a step of the kernel's epilogue."""
        return len(self.definition.tops) == 1 and following.can_be_epilogue()

    def overwritable(self, bottoms: int) -> list[int]:
        """See Layer: what absorbed sums add is read where the result is written."""
        return list(range(1, bottoms)) if self.absorbed else []

    def absorbs_in_training(self, following: Layer, bottom: int) -> bool:
        """See Layer: a ReLU (whose outputs tell the signs of its inputs)."""
        able = self.context.precision != "exact" or self._own_gradients()
        alone = len(self.definition.tops) == 1 and not self.absorbed
        fits = isinstance(following, ReLU) and following.slope >= 0
        return able and alone and fits and not any(self.loss_weights + following.loss_weights)

    def _own_gradients(self) -> bool:
        return self.context.precision == "exact" and self.context.device.type == "cpu"

    def forward_train(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor]:
        """See Layer."""
        from ..autograd import ConvolutionFunction

        relu = next(iter(self.absorbed), None)
        blobs = [blob.tensor for blob in self.blobs]
        if self._own_gradients() and all(x.dtype == torch.float32 for x in (*bottoms, *blobs)):
            slope = relu.slope if relu else None
            weights, bias = (*blobs, None)[:2]
            return [ConvolutionFunction.apply(self, slope, x, weights, bias) for x in bottoms]
        tops = super().forward_train(bottoms)
        return [relu.rectify_(top) for top in tops] if relu else tops

    def _epilogue(self, others: list[torch.Tensor]) -> list[ops.EpilogueOp]:
        """The bias and the absorbed layers as ops; others: those layers' further bottoms, in order."""
        found: list[ops.EpilogueOp] = [ops.epilogue.Bias(blob.values()) for blob in self.blobs[1:]]
        top = self.definition.tops[0]
        for layer in self.absorbed:
            count = len(layer.definition.bottoms) - 1
            found += layer.epilogue(layer.definition.bottoms.index(top), others[:count])
            top, others = layer.definition.tops[0], others[count:]
        return found

    def _packed_weights(self) -> torch.Tensor:
        weights = self.blobs[0]
        shape, groups = weights.shape, self.groups

        def load(blob: FileBlob, allocate: Allocate) -> torch.Tensor:
            packed = allocate(ops.packed_weights_size(shape, groups))
            threads = self.context.threads
            blob.read_with(lambda *place: ops.read_packed_weights(*place, shape, packed, groups, threads))
            return packed

        return weights.packed(
            ("conv", groups),
            lambda plain: ops.pack_weights(plain, groups),
            lambda packed: ops.unpack_weights(packed, shape, groups),
            load,
        )

    def _weights_and_epilogue(self, others: list[torch.Tensor]) -> tuple[torch.Tensor, list[ops.EpilogueOp]]:
        """Packed weights and the epilogue; in fp32 its first ops are one scale and shift."""
        weights, epilogue = self._packed_weights(), self._epilogue(others)
        if self.context.precision == "exact":
            return weights, epilogue
        state = self._state()
        if self._merged_state != state:
            self._merged, self._merged_state = fold.merge(epilogue), state
        return weights, self._merged + fold.rest(epilogue)

    def rows_read(self, rows: tuple[int, int], height: int) -> tuple[int, int] | None:
        """See Layer."""
        if len(self.definition.bottoms) > 1:
            return None
        return ops.rows_read(
            rows,
            height,
            self.kernel[0],
            self.stride[0],
            self.padding((height, height))[0][0],
            self.dilation[0],
        )

    def forward_rows(
        self, bottom: Rows, rows: tuple[int, int], top: Rows, others: list[torch.Tensor]
    ) -> None:
        """See Layer."""
        padding = self.padding((bottom.height, bottom.values.shape[3]))
        packed, epilogue = self._weights_and_epilogue(others)
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
        )

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        packed, epilogue = self._weights_and_epilogue(bottoms[len(tops) :])
        for bottom, top in zip(bottoms, tops, strict=False):
            rows, columns = self.padding(bottom.shape[2:])
            ops.atrous_conv(
                bottom,
                packed,
                self.stride,
                (rows[0], columns[0]),
                self.dilation,
                self.groups,
                epilogue,
                packed_shape=self.blobs[0].shape,
                size=tuple(top.shape[2:]),
                out=top,
                threads=self.context.threads,
            )

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer: channels last, BatchNorm and Scale folded into the weights; a GPU's tensor cores."""
        count = len(self.definition.tops)
        if self.on_tensor_cores:
            return [self._branches([self], bottom, bottoms[count:])[0] for bottom in bottoms[:count]]
        shape = tuple(bottoms[0].shape)
        convolve = self._folded(bottoms[count:], lambda weights, bias: self._fast(weights, bias, shape))
        epilogue = fold.rest(self._epilogue(bottoms[count:]))
        return [convolve(bottom, self.padding(bottom.shape[2:]), epilogue) for bottom in bottoms[:count]]

    @property
    def on_tensor_cores(self) -> bool:
        """Whether our kernels for a GPU's tensor cores convolve: not where a group has few channels."""
        few = self.groups > 1 and self.blobs[0].shape[1] < 16
        return ops.backend_of(self.context.device).is_gpu and self.context.precision != "exact" and not few

    def together(self) -> Hashable:
        """See Layer: DeepLab's parallel branches, convolved in one launch that reads their input once."""
        return self.groups if self.on_tensor_cores else None

    def forward_together(self, others: Sequence[Layer], bottom: torch.Tensor) -> list[torch.Tensor]:
        """See Layer."""
        return self._branches([self, *others], bottom, [])

    @staticmethod
    def _branches(
        layers: list["Convolution"], bottom: torch.Tensor, others: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The layers' tops for one bottom; others: further bottoms, of a single layer only."""
        epilogues = [fold.rest(layer._epilogue(others)) for layer in layers]
        most = ops.TENSOR_CORE_STEPS
        branches = [
            layer._branch(bottom, others, own[:most]) for layer, own in zip(layers, epilogues, strict=True)
        ]
        tops = ops.tensor_core_convs(bottom, branches)
        return [fold.apply(top, own[most:]) for top, own in zip(tops, epilogues, strict=True)]

    def _branch(
        self, bottom: torch.Tensor, others: list[torch.Tensor], epilogue: list[ops.EpilogueOp]
    ) -> ops.TensorCoreBranch:
        rows, columns = self.padding(bottom.shape[2:])
        size = self.shape([tuple(bottom.shape)])[0][2:]
        packed = self._folded(others, self._packed)
        return ops.TensorCoreBranch(packed, self.stride, (rows[0], columns[0]), self.dilation, epilogue, size)

    def _fast(
        self, weights: torch.Tensor, bias: torch.Tensor | None, shape: Shape
    ) -> fast_convolution.FastConvolution:
        dtype, padding = self.working_dtype(weights), self.padding(shape[2:])
        bias = None if bias is None else bias.to(dtype)
        return fast_convolution.make(weights.to(dtype), bias, self._geometry, shape, padding)

    @property
    def _geometry(self) -> fast_convolution.Geometry:
        return fast_convolution.Geometry(self.stride, self.dilation, self.groups)

    def _packed(self, weights: torch.Tensor, bias: torch.Tensor | None) -> ops.TensorCoreWeights:
        return ops.pack_tensor_core(weights, bias, self.groups, self.context.precision)

    def _folded(self, others: list[torch.Tensor], finish: Callable[..., Folded]) -> Folded:
        """finish(weights, bias) of those that do the per-channel steps too, made anew when blobs change."""
        state = self._state()
        if self._folded_state != state:
            self._folded_weights = finish(*fold.fold(self.blobs[0].values(), self._epilogue(others)))
            self._folded_state = state
        return self._folded_weights

    def _state(self) -> Hashable:
        """What changes with the absorbed layers and with any parameter."""
        blobs = self.blobs + [blob for layer in self.absorbed for blob in layer.blobs]
        return tuple(layer.name for layer in self.absorbed), *(blob.version for blob in blobs)

    def formula(self, bottoms: list[torch.Tensor], blobs: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer: torch's convolution, channels last."""
        dtype = self.working_dtype(blobs[0])
        bias = blobs[1].to(dtype).view(-1) if len(blobs) > 1 else None
        convolve = fast_convolution.TorchConvolution(blobs[0].to(dtype), bias, self._geometry)
        return [convolve(bottom, self.padding(bottom.shape[2:]), []) for bottom in bottoms]
