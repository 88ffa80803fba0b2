"""Interp: bilinear interpolation."""

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..types import Pair, Shape, plane
from .abilities import Fused, Fusing, Windowed
from .argmax import ArgMax
from .base import Layer, register
from .parts.window import Window


@register("Interp")
class Interp(Windowed, Fusing):
    """`interp_param { height width | zoom_factor | shrink_factor, pad_beg, pad_end, align_corners }`.

    Corners coincide with the input's, unless align_corners is false: then pixel centres do (half-pixel). A
    second bottom, in place of the size, is a blob whose height and width the top gets.

    pad_beg, pad_end (at most 0) crop the input first. In v2 nets shrink_factor and zoom_factor may be given
    together: the size is first shrunk, then zoomed.
    """

    on_device = True
    bottom_count = (1, 2)

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.interp_param
        self.half_pixel = not param.align_corners
        self.like = len(self.definition.bottoms) > 1
        shrink, zoom = param.HasField("shrink_factor"), param.HasField("zoom_factor")
        sized = param.HasField("height") and param.HasField("width")
        if shrink + zoom + sized + self.like != 1 and not (
            shrink and zoom and not sized and not self.like and self.definition.dialect.shrinks_then_zooms
        ):
            raise self.error(
                "interp_param", "one of zoom_factor, shrink_factor, height and width, a second bottom wanted"
            )
        for name in ("zoom_factor", "shrink_factor"):
            if getattr(param, name) < 1:
                raise self.error(name, f"{getattr(param, name)} given, at least 1 wanted")
        for name in ("height", "width"):
            if sized and getattr(param, name) < 1:
                raise self.error(name, f"{getattr(param, name)} given, at least 1 wanted")
        for name in ("pad_beg", "pad_end"):
            if getattr(param, name) > 0:
                raise self.error(name, f"{getattr(param, name)} given, at most 0 wanted (cropping)")
        self.sized = sized
        self.crop = -param.pad_beg, -param.pad_end

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        if self.like:
            self.want_dims(bottoms[1], 4)
        sizes = [size - sum(self.crop) for size in bottoms[0][2:]]
        if min(sizes) < 1:
            raise self.error("pad_beg", f"nothing is left of {bottoms[0]}")
        if self.like:
            return [(*bottoms[0][:2], *bottoms[1][2:])]
        if self.sized:
            return [(*bottoms[0][:2], self.param.height, self.param.width)]
        shrunk = [(size - 1) // self.param.shrink_factor + 1 for size in sizes]
        zoomed = [size + (size - 1) * (self.param.zoom_factor - 1) for size in shrunk]
        return [(*bottoms[0][:2], *zoomed)]

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """One place where every position hits one, else two."""
        (top,) = self.shape(bottoms)
        windows = []
        for before, after in zip(bottoms[0][2:], top[2:], strict=True):
            ratio = (before - 1) / (after - 1) if after > 1 else 1.0
            windows.append(Window(1 if ratio.is_integer() else 2, ratio or 1))
        return windows

    @override
    def fuses(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """On a GPU the best label of each position, so that the scores are never in memory."""
        if fused or not ops.backend_of(self.context.device).is_gpu:
            return False
        return isinstance(following, ArgMax) and following.finds_best_channel

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor], fused: Fused = ()) -> None:
        self._interpolate(bottoms[0], plane(tops[0].shape), fused, tops[0])

    @override
    def forward_fast(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor] | None:
        if ops.backend_of(self.context.device).is_gpu and not fused:
            return super().forward_fast(bottoms)
        (top,) = self.shape([tuple(bottom.shape) for bottom in bottoms])
        # In float32: scores are not rounded again.
        return [self._interpolate(bottoms[0].float(), plane(top), fused)]

    def _interpolate(self, x: Tensor, size: Pair, fused: Fused, out: Tensor | None = None) -> Tensor:
        op = ops.interp_argmax if fused else ops.interp
        return op(x, size, self.crop, self.half_pixel, out=out, threads=self.context.threads)

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        size = self.shape([tuple(bottom.shape) for bottom in bottoms])[0][2:]
        begin, end = self.crop
        x = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]
        return [functional.interpolate(x, size, mode="bilinear", align_corners=not self.half_pixel)]
