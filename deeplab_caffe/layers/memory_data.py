"""MemoryData: batches from arrays that the caller has given, or blobs that he gives with each forward."""

import torch
from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import register
from .input import FedByCaller


@register("MemoryData")
class MemoryData(FedByCaller):
    """`memory_data_param { batch_size channels height width }`: tops data and, if named, label.

    After `reset` the net takes batch after batch of those arrays, over and over; without, the caller of the
    net gives the tops as he does those of Input.
    """

    top_count = (1, 2)

    @override
    def setup(self) -> None:
        """Reads the fields."""
        self.param = self.definition.param.memory_data_param
        for field in ("batch_size", "channels", "height", "width"):
            if getattr(self.param, field) < 1:
                raise self.error(f"memory_data_param.{field}", "missing, 1 or more wanted")
        self._arrays: list[Tensor] = []

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """The batch size, then the shape in memory_data_param."""
        param = self.param
        data = (param.batch_size, param.channels, param.height, param.width)
        label = self.definition.dialect.top_shape(param.batch_size)
        return [data, label][: len(self.definition.tops)]

    def reset(self, data: Tensor, labels: Tensor) -> None:
        """Takes arrays to read from: data (n, channels, height, width), n labels in any shape.

        They are not copied: who writes to them changes the following batches. transform_param does nothing to
        them, as in Caffe. Raises DeepLabError unless the shapes fit and n is a multiple of batch_size.
        """
        rows, wanted = data.shape[0] if data.dim() else 0, self.shape([])[0][1:]
        if tuple(data.shape[1:]) != wanted:
            given = "x".join(map(str, data.shape))
            raise self.error("top", f"data {given} given, Nx{'x'.join(map(str, wanted))} wanted")
        if not rows or rows % self.param.batch_size:
            message = f"{rows} rows given, a multiple of batch_size {self.param.batch_size} wanted"
            raise self.error("top", message)
        if labels.numel() != rows:
            raise self.error("top", f"{labels.numel()} labels given for {rows} rows")
        for array in (data, labels):
            if array.dtype != torch.float32 or not array.is_contiguous():
                raise self.error("top", "contiguous float32 arrays wanted")
        self._arrays = [data, labels.view(-1)]
        self.seek(0)

    def next_batch(self) -> dict[str, Tensor]:
        """The tops of the next forward by blob name, views of the arrays; empty without arrays."""
        if not self._arrays:
            return {}
        n = self.param.batch_size
        first = self.passes * n % len(self._arrays[0])
        self.passes += 1
        return {
            name: array[first : first + n].view(shape)
            for name, array, shape in zip(self.definition.tops, self._arrays, self.shape([]), strict=False)
        }
