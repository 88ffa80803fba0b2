"""Pooling: the maximum, average or self-weighted mean of a window around each position."""

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..types import Pair, Shape, plane
from .abilities import Fused, Rows, RowWise, Windowed
from .base import Layer, register, shapes_of
from .parts.fields import pair
from .parts.same_padding import same_padding
from .parts.window import Window


@register("Pooling")
class Pooling(Windowed, RowWise, Layer):
    """`pooling_param { pool: MAX|AVE|STOCHASTIC, kernel_size, stride, pad (or _h, _w), global_pooling }`.

    A second top of MAX is the mask: where in the plane (row * width + column) each maximum was first found.
    round_mode: FLOOR leaves out windows that reach over the end; ceil_mode: false is another name.
    same_pad in place of pad: TensorFlow's SAME, for MAX. STOCHASTIC (test phase only, no padding): the mean
    of the window's values, each weighted by itself; the original has it on GPUs only.
    """

    on_device = True
    top_count = (1, 2)

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.pooling_param
        self.method = param.PoolMethod.Name(param.pool)
        self.floor = param.round_mode == param.FLOOR or not param.ceil_mode
        if param.HasField("round_mode") and param.HasField("ceil_mode"):
            raise self.error("ceil_mode", "given beside round_mode, which says the same")
        self.mask = len(self.definition.tops) > 1
        if self.mask and self.method != "MAX":
            raise self.error("top", f"2 given, {self.method} has 1; the mask is MAX's")
        self.stride = pair(self, param, "stride", least=1, default=1)
        self.pad = pair(self, param, "pad", default=0)
        if param.same_pad and (self.method != "MAX" or any(self.pad) or param.global_pooling):
            raise self.error("same_pad", "for MAX only, and without pad and global_pooling")
        if param.global_pooling:
            for name in ("kernel_size", "kernel_h", "kernel_w"):
                if param.HasField(name):
                    raise self.error(name, "global_pooling takes its window from the bottom")
            if self.stride != (1, 1) or self.pad != (0, 0):
                raise self.error("global_pooling", "stride must be 1 and pad 0")
            return
        self.kernel = pair(self, param, "kernel_size", least=1)
        if self.method == "STOCHASTIC" and any(self.pad):
            raise self.error("pad", f"{self.pad} given, STOCHASTIC takes none")
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            raise self.error("pad", f"{self.pad} given, less than the kernel {self.kernel} wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        if self.method == "STOCHASTIC" and self.context.phase == "train":
            raise self.error("pool", "STOCHASTIC is implemented in the test phase only")
        size = bottoms[0][2:]
        kernel, pad = self._window(size)
        if self.param.same_pad:
            top = (*bottoms[0][:2], *(-(-size[axis] // self.stride[axis]) for axis in (0, 1)))
            return [top] * len(self.definition.tops)
        out = []
        for axis in (0, 1):
            room = size[axis] + 2 * pad[axis] - kernel[axis]
            count = (room // self.stride[axis] if self.floor else -(-room // self.stride[axis])) + 1
            # With padding, the last window may not lie wholly beyond the input's end.
            if max(pad) and (count - 1) * self.stride[axis] >= size[axis] + pad[axis]:
                count -= 1
            if count < 1:
                raise self.error("kernel_size", f"{kernel} does not fit the bottom {bottoms[0]}")
            out.append(count)
        return [(*bottoms[0][:2], *out)] * len(self.definition.tops)

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        kernel, pad = self._window(bottoms[0][2:])
        return [Window(kernel[i], self.stride[i], pad[i]) for i in (0, 1)]

    def _window(self, size: Shape) -> tuple[Pair, Pair]:
        """The kernel, and the padding above and to the left, for a plane of this (height, width)."""
        if self.param.global_pooling:
            return (size[0], size[1]), self.pad
        if not self.param.same_pad:
            return self.kernel, self.pad
        rows, columns = (same_padding(size[i], self.kernel[i], self.stride[i])[0] for i in (0, 1))
        return self.kernel, (rows, columns)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        if self.method == "STOCHASTIC":
            tops[0].copy_(self.formula(bottoms, [])[0])
            return
        pool = ops.max_pool if self.method == "MAX" else ops.average_pool
        size = plane(tops[0].shape)
        kernel, pad = self._window(bottoms[0].shape[2:])
        pool(bottoms[0], size, kernel, self.stride, pad, out=tops[0], threads=self.context.threads)
        if self.mask:
            tops[1].copy_(self._with_mask(bottoms[0], size)[1])

    def _with_mask(self, x: Tensor, size: Shape) -> tuple[Tensor, Tensor]:
        """The maxima, and their places as floats."""
        kernel, pad = self._window(x.shape[2:])
        return max_and_place(x, size, kernel, self.stride, pad)

    @override
    def rows_read(self, rows: Pair, height: int) -> Pair | None:
        """For MAX, where windows are simply clipped."""
        if self.method != "MAX" or self.param.global_pooling or self.mask:
            return None
        _, pad = self._window((height, height))
        return ops.rows_read(rows, height, self.kernel[0], self.stride[0], pad[0])

    @override
    def forward_rows(
        self, bottom: Rows, rows: Pair, top: Rows, others: list[Tensor], fused: Fused = ()
    ) -> None:
        _, whole = self._window((bottom.height, bottom.values.shape[3]))
        first, end = ops.rows_read(rows, bottom.height, self.kernel[0], self.stride[0], whole[0])
        pad = first - (rows[0] * self.stride[0] - whole[0]), whole[1]
        size = rows[1] - rows[0], top.values.shape[3]
        x = bottom.values[:, :, first - bottom.first : end - bottom.first]
        pooled = ops.max_pool(x, size, self.kernel, self.stride, pad, threads=self.context.threads)
        top.values[:, :, rows[0] - top.first : rows[1] - top.first] = pooled

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        size = self.shape(shapes_of(bottoms))[0][2:]
        kernel, pad = self._window(bottoms[0].shape[2:])
        if self.method == "STOCHASTIC":
            return [weighted_pool(bottoms[0], size, kernel, self.stride)]
        if self.mask:
            return list(self._with_mask(bottoms[0], size))
        return [torch_pool(self.method, bottoms[0], size, kernel, self.stride, pad)]


def weighted_pool(x: Tensor, size: Shape, kernel: Pair, stride: Pair) -> Tensor:
    """sum(x^2) / sum(x) over each window, added row by row; windows end where the input does.

    Zeiler and Fergus, "Stochastic pooling" (2013), equation 6, for values of 0 and more.
    """
    kernel = min(kernel[0], x.shape[2]), min(kernel[1], x.shape[3])
    missing = [(size[i] - 1) * stride[i] + kernel[i] - x.shape[2 + i] for i in (0, 1)]
    x = functional.pad(x, (0, max(0, missing[1]), 0, max(0, missing[0])))
    total = x.new_full((*x.shape[:2], *size), torch.finfo(torch.float32).tiny)  # so that it is never 0
    squares = torch.zeros_like(total)
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            ends = [at + (size[i] - 1) * stride[i] + 1 for i, at in enumerate((row, column))]
            values = x[:, :, row : ends[0] : stride[0], column : ends[1] : stride[1]]
            total = total + values
            squares = squares + values * values
    return squares / total


def max_and_place(x: Tensor, size: Shape, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Tensor, Tensor]:
    """The maximum of each window and where it is first found in its plane, row * width + column.

    x: (N, C, height, width), any floating point type. Both results: (N, C, *size), windows clipped; the
    places in float32 at least, for a 16-bit type has too few numbers. A place of -1 tells that a window holds
    nothing larger than -FLT_MAX.
    """
    lowest = -torch.finfo(torch.float32).max
    width = x.shape[3]
    ends = [(size[i] - 1) * stride[i] + kernel[i] - pad[i] - x.shape[2 + i] for i in (0, 1)]
    x = functional.pad(x, (pad[1], max(0, ends[1]), pad[0], max(0, ends[0])), value=lowest)
    best = x.new_full((*x.shape[:2], *size), lowest)
    place = torch.full_like(best, -1, dtype=torch.promote_types(x.dtype, torch.float32))
    rows, columns = (torch.arange(size[i], device=x.device) * stride[i] - pad[i] for i in (0, 1))
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            to = [at + (size[i] - 1) * stride[i] + 1 for i, at in enumerate((row, column))]
            values = x[:, :, row : to[0] : stride[0], column : to[1] : stride[1]]
            larger = values > best
            index = (rows + row).unsqueeze(1) * width + (columns + column)
            place = torch.where(larger, index.to(place.dtype), place)
            best = torch.where(larger, values, best)
    return best, place


def torch_pool(method: str, x: Tensor, size: Shape, kernel: Pair, stride: Pair, pad: Pair) -> Tensor:
    """ops.max_pool (method "MAX") or ops.average_pool ("AVE") with torch's operators, of any dtype."""
    # How far the windows reach over the end of each axis; torch's own padding is the same at both.
    behind = [(size[i] - 1) * stride[i] + kernel[i] - x.shape[2 + i] - pad[i] for i in (0, 1)]
    symmetric = all(behind[i] <= pad[i] and 2 * pad[i] <= kernel[i] for i in (0, 1))
    own = all(size[i] == (x.shape[2 + i] + 2 * pad[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    if symmetric and own:
        if method == "MAX":
            return functional.max_pool2d(x, kernel, stride, pad)
        return functional.avg_pool2d(x, kernel, stride, pad)
    around = (pad[1], max(0, behind[1]), pad[0], max(0, behind[0]))
    if method == "MAX":
        x = functional.pad(x, around, value=torch.finfo(x.dtype).min)
        return functional.max_pool2d(x, kernel, stride)[:, :, : size[0], : size[1]]
    sums = functional.avg_pool2d(functional.pad(x, around), kernel, stride, divisor_override=1)
    areas = [_window_lengths(x.shape[2 + i], size[i], kernel[i], stride[i], pad[i], x.device) for i in (0, 1)]
    return sums[:, :, : size[0], : size[1]] / (areas[0].unsqueeze(1) * areas[1]).to(x.dtype)


def _window_lengths(
    length: int, count: int, kernel: int, stride: int, pad: int, device: torch.device
) -> Tensor:
    """How much of each window lies within the axis and its padding."""
    starts = torch.arange(count, device=device) * stride - pad
    return (starts + kernel).clamp(max=length + pad) - starts
