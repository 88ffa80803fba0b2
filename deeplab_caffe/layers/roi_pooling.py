"""ROIPooling: the maxima of a grid of cells in each region of a map (Girshick, "Fast R-CNN", 2015)."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register, shapes_of


@register("ROIPooling")
class ROIPooling(Layer):
    """`roi_pooling_param { pooled_h, pooled_w, spatial_scale }`.

    Bottoms: maps (N, C, H, W), regions (R, 5): the image's number, x1, y1, x2, y2 in pixels, both ends in.
    Top: (R, C, pooled_h, pooled_w), the maximum of each cell, 0 of an empty one.
    """

    bottom_count = (2, 2)

    @override
    def setup(self) -> None:
        self.param = self.definition.param.roi_pooling_param
        for name in ("pooled_h", "pooled_w"):
            if getattr(self.param, name) < 1:
                raise self.error(name, "missing or 0")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        maps, regions = bottoms
        if len(maps) != 4 or len(regions) < 2 or regions[1] != 5:
            raise self.error("bottom", f"maps {maps}, regions {regions}: (N, C, H, W) and (R, 5) wanted")
        return [(regions[0], maps[1], self.param.pooled_h, self.param.pooled_w)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].copy_(self._pooled(bottoms))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [self._pooled([bottoms[0], bottoms[1].detach()])]

    def _pooled(self, bottoms: list[Tensor]) -> Tensor:
        maps, regions = bottoms
        count = len(maps)
        (shape,) = self.shape(shapes_of(bottoms))
        results = []
        for number, *corners in regions.flatten(1).tolist():
            if not 0 <= number < count:
                raise self.error("bottom", f"region of image {number:g}, there are {count}")
            results.append(self._region(maps[int(number)], corners))
        return torch.stack(results) if results else maps.new_zeros(shape)

    def _region(self, plane: Tensor, corners: list[float]) -> Tensor:
        """The cells of one region of a map (C, H, W)."""
        scale = self.param.spatial_scale
        left, top, right, bottom = (_rounded(corner * scale) for corner in corners)
        rows = _cells(top, bottom, self.param.pooled_h, plane.shape[1])
        columns = _cells(left, right, self.param.pooled_w, plane.shape[2])
        return torch.stack([torch.stack([_largest(plane[:, i, j]) for j in columns], -1) for i in rows], -2)


def _largest(cell: Tensor) -> Tensor:
    """The maximum of each channel of (C, h, w), 0 of an empty cell; the first maximum gets the gradient."""
    if not cell.numel():
        return cell.new_zeros(cell.shape[0])
    flat = cell.flatten(1)
    return flat.gather(1, flat.detach().argmax(1, keepdim=True)).squeeze(1)


def _rounded(value: float) -> int:
    """C's round: halves go away from 0. The product is one of float32's."""
    value = torch.tensor(value, dtype=torch.float32).item()
    return int(abs(value) + 0.5) * (1 if value >= 0 else -1)


def _cells(first: int, last: int, count: int, size: int) -> list[slice]:
    """Where the cells between two positions lie in an axis of that size."""
    length = max(last - first + 1, 1)
    step = torch.tensor(length, dtype=torch.float32) / count
    cells = []
    for cell in range(count):
        start = int(torch.floor(cell * step)) + first
        end = int(torch.ceil((cell + 1) * step)) + first
        start, end = (min(max(at, 0), size) for at in (start, end))
        cells.append(slice(start, max(start, end)))
    return cells
