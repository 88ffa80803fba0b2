"""DomainTransform: edge-preserving smoothing by a recursive filter (Gastal and Oliveira 2011)."""

from math import sqrt

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Shape
from .base import Layer, register


@register("DomainTransform")
class DomainTransform(Layer):
    """`domain_transform_param { num_iter, spatial_sigma, range_sigma, min_weight }`.

    Bottoms: scores (num, channels, height, width); reference edges (num, 1, height, width); image sizes (num,
    ...), height and width first: only that part is filtered. Each iteration goes over rows from the left and
    from the right, then over columns from the top and from the bottom: y += weight * (previous y - y).
    """

    bottom_count = (3, 3)
    in_place = True

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.domain_transform_param
        for name in ("spatial_sigma", "range_sigma", "num_iter"):
            if not getattr(param, name) > 0:
                raise self.error(name, f"{getattr(param, name):g} given, a number above 0 wanted")
        if param.num_iter > 500:
            raise self.error("num_iter", f"{param.num_iter} given, at most 500 wanted")
        if not param.min_weight >= 0:
            raise self.error("min_weight", f"{param.min_weight:g} given, at least 0 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        scores, edges, sizes = bottoms
        if len(scores) != 4 or edges != (scores[0], 1, *scores[2:]):
            raise self.error("bottom", f"edges {edges} do not fit scores {scores}, one channel wanted")
        if not sizes or sizes[0] != scores[0] or torch.Size(sizes[1:]).numel() < 2:
            raise self.error(
                "bottom", f"image sizes {sizes} given, two numbers for each of {scores[0]} wanted"
            )
        return [scores]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        top = tops[0].copy_(bottoms[0])
        for y, edges, size in zip(top, bottoms[1], bottoms[2].flatten(1), strict=True):
            height, width = size[0].item(), size[1].item()
            if not (0 <= height <= y.shape[1] and 0 <= width <= y.shape[2]):
                raise self.error("bottom", f"image size {height:g}x{width:g} in scores {tuple(top.shape)}")
            part = y[:, : int(height), : int(width)]
            for iteration in range(self.param.num_iter):
                weight = self._weights(edges[0, : int(height), : int(width)], iteration)
                # Transposed, so that a step of the recursion is one operation over a contiguous row.
                across = part.permute(2, 0, 1).contiguous()
                self._smooth(across, weight.t().unsqueeze(1))
                down = across.permute(2, 1, 0).contiguous()
                self._smooth(down, weight.unsqueeze(1))
                part.copy_(down.permute(1, 0, 2))

    def _weights(self, edges: Tensor, iteration: int) -> Tensor:
        """How much of its neighbour each position (height, width) takes."""
        rate, ratio = self._rates(iteration)
        return self._bounded(ops.exp(rate * (1 + edges * ratio), threads=self.context.threads))

    def _bounded(self, weight: Tensor) -> Tensor:
        return weight.clamp(min=self.param.min_weight).clamp(max=1)

    def _rates(self, iteration: int) -> tuple[float, float]:
        """How fast the weights fall per step, and how much of a step an edge is."""
        param = self.param
        left = param.num_iter - (iteration + 1.0)
        sigma = param.spatial_sigma * sqrt(3) * 2.0**left / sqrt(4.0**param.num_iter - 1)
        rate = torch.tensor(-sqrt(2) / torch.tensor(sigma).item())
        return rate.item(), (torch.tensor(param.spatial_sigma) / param.range_sigma).item()

    @staticmethod
    def _smooth(y: Tensor, weight: Tensor) -> None:
        """Forwards, then backwards, along the first axis."""
        for i in range(1, len(y)):
            y[i] += weight[i] * (y[i - 1] - y[i])
        for i in range(len(y) - 2, -1, -1):
            y[i] += weight[i + 1] * (y[i + 1] - y[i])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor] | None:
        """Also differentiable in the edges."""
        tops = []
        for scores, edges, size in zip(*bottoms[:2], bottoms[2].flatten(1), strict=True):
            height, width = int(size[0].item()), int(size[1].item())
            part, edges = scores[:, :height, :width], edges[0, :height, :width]
            for iteration in range(self.param.num_iter):
                rate, ratio = self._rates(iteration)
                weight = (rate * (1 + edges * ratio)).exp().clamp(self.param.min_weight, 1)
                across = _smoothed(part.permute(2, 0, 1), weight.t().unsqueeze(1))
                part = _smoothed(across.permute(2, 1, 0), weight.unsqueeze(1)).permute(1, 0, 2)
            top = scores.clone()
            top[:, :height, :width] = part
            tops.append(top)
        return [torch.stack(tops)]


@register("DomainTransformForwardOnly")
class DomainTransformForwardOnly(DomainTransform):
    """The same without a gradient, and with the weights as they are: min_weight is not read."""

    @override
    def _bounded(self, weight: Tensor) -> Tensor:
        return weight

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor] | None:
        return None


def _smoothed(x: Tensor, weight: Tensor) -> Tensor:
    """DomainTransform._smooth with a result of its own."""
    rows = list(x)
    for i in range(1, len(rows)):
        rows[i] = rows[i] + weight[i] * (rows[i - 1] - rows[i])
    for i in range(len(rows) - 2, -1, -1):
        rows[i] = rows[i] + weight[i + 1] * (rows[i + 1] - rows[i])
    return torch.stack(rows)
