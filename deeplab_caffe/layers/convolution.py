"""Convolution, with holes (v1 `hole`, v2 `dilation`)."""

import torch
from torch.nn import functional

from .. import ops
from .base import Layer, Shape, register


@register("Convolution")
class Convolution(Layer):
    """`convolution_param { num_output kernel_size pad stride dilation group bias_term }`, also `_h` and `_w`.

    Works on any number of bottoms, with the same weights. A ReLU right behind it is done in the same pass.
    """

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

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        tops = []
        for bottom in bottoms:
            if len(bottom) != 4:
                raise self.error("bottom", f"{len(bottom)} dimensions given, 4 wanted")
            if bottom[1] != bottoms[0][1]:
                raise self.error(
                    "bottom", f"{bottom[1]} channels given, the first bottom has {bottoms[0][1]}"
                )
            size = [
                ops.convolved_size(
                    bottom[2 + i], self.kernel[i], self.stride[i], self.pad[i], self.dilation[i]
                )
                for i in range(2)
            ]
            if min(size) < 1:
                reach = [self.dilation[i] * (self.kernel[i] - 1) + 1 for i in range(2)]
                raise self.error(
                    "kernel_size",
                    f"the kernel spans {reach[0]}x{reach[1]}, the padded input only "
                    f"{bottom[2] + 2 * self.pad[0]}x{bottom[3] + 2 * self.pad[1]}",
                )
            tops.append((bottom[0], self.out_channels, *size))
        return tops

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        channels = bottoms[0][1]
        if channels % self.groups:
            raise self.error("group", f"{self.groups} does not divide the {channels} channels of the bottom")
        weights = (self.out_channels, channels // self.groups, *self.kernel)
        if not self.definition.param.convolution_param.bias_term:
            return [weights]
        legacy = self.definition.dialect == "v1"
        return [weights, (1, 1, 1, self.out_channels) if legacy else (self.out_channels,)]

    def fillers(self) -> list:
        """See Layer."""
        param = self.definition.param.convolution_param
        return [param.weight_filler, param.bias_filler]

    def absorbs(self, following: Layer, bottom: int) -> bool:
        """See Layer: one ReLU, whose slope the kernel applies after the bias."""
        return len(self.definition.tops) == 1 and not self.absorbed and following.type == "ReLU"

    def _relu_slope(self) -> float | None:
        return self.absorbed[0].slope if self.absorbed else None

    def forward(self, bottoms: list[torch.Tensor], tops: list[torch.Tensor]) -> None:
        """See Layer."""
        weights = self.blobs[0]
        shape, groups = weights.shape, self.groups
        packed = weights.packed(
            ("conv", groups),
            lambda plain: ops.pack_weights(plain, groups),
            lambda packed: ops.unpack_weights(packed, shape, groups),
        )
        bias = self.blobs[1].values() if len(self.blobs) > 1 else None
        for bottom, top in zip(bottoms, tops, strict=True):
            ops.atrous_conv(
                bottom,
                packed,
                bias,
                self.stride,
                self.pad,
                self.dilation,
                groups,
                self._relu_slope(),
                packed_shape=shape,
                out=top,
                threads=self.context.threads,
            )

    def forward_fast(self, bottoms: list[torch.Tensor]) -> list[torch.Tensor] | None:
        """See Layer: torch's convolution, channels last, in the bottom's dtype (bfloat16 in bf16)."""
        dtype = torch.bfloat16 if self.context.precision == "bf16" else torch.float32
        weights = self.blobs[0].packed(
            ("channels_last", dtype),
            lambda plain: plain.to(dtype).contiguous(memory_format=torch.channels_last),
            None if dtype != torch.float32 else lambda packed: packed.contiguous(),
        )
        bias = self.blobs[1].values().reshape(-1).to(dtype) if len(self.blobs) > 1 else None
        tops = []
        for bottom in bottoms:
            x = bottom.to(dtype).contiguous(memory_format=torch.channels_last)
            y = functional.conv2d(x, weights, bias, self.stride, self.pad, self.dilation, self.groups)
            if self.absorbed:
                y = functional.leaky_relu_(y, self._relu_slope()) if self._relu_slope() else y.relu_()
            tops.append(y)
        return tops
