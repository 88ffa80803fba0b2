"""A blob as Caffe's Python interface shows it: numpy views of values and gradients that write through."""

from math import prod

import numpy as np
import torch
from torch import Tensor

from ...errors import DeepLabError
from ...types import Shape

MAIN = torch.device("cpu")


class Memory:
    """Flat float32 values; several blobs may have one. They move only when they have to grow.

    device: where the net computes. They are there or in main memory, wherever they were asked for last; an
    array that was taken before shows what they were then, as in Caffe.
    """

    def __init__(self, values: Tensor | None = None, device: torch.device = MAIN) -> None:
        self.device = device
        self._values = torch.zeros(0) if values is None else values
        self._there: Tensor | None = None  # None: they are in main memory

    @property
    def values(self) -> Tensor:
        """In main memory."""
        if self._there is not None:
            self._values.copy_(self._there)
            self._there = None
        return self._values

    @values.setter
    def values(self, values: Tensor) -> None:
        self._values, self._there = values, None

    @property
    def there(self) -> Tensor:
        """On the device."""
        if self.device == MAIN:
            return self.values
        if self._there is None:
            self._there = self._values.to(self.device, copy=True)
        return self._there

    def grow(self, count: int) -> None:
        """Makes room for `count` values; new memory starts with zeros."""
        if count > self._values.numel():
            self.values = torch.zeros(count)


class Blob:
    """Values (`data`) and gradients (`diff`) of one shape.

    As in Caffe an array that was taken from `data` stays a view of the values for as long as the blob does
    not grow beyond the largest size it has had.
    """

    def __init__(self, shape: Shape = (0,), data: Memory | None = None, diff: Memory | None = None) -> None:
        self._shape: Shape = tuple(shape)
        self.data_memory, self.diff_memory = data or Memory(), diff or Memory()

    @property
    def shape(self) -> Shape:
        """The sizes of all axes."""
        return self._shape

    @property
    def count(self) -> int:
        """The number of values."""
        return prod(self._shape)

    @property
    def num(self) -> int:
        """The first of four axes; 1 where there is none."""
        return self._axis(0)

    @property
    def channels(self) -> int:
        """The second of four axes; 1 where there is none."""
        return self._axis(1)

    @property
    def height(self) -> int:
        """The third of four axes; 1 where there is none."""
        return self._axis(2)

    @property
    def width(self) -> int:
        """The fourth of four axes; 1 where there is none."""
        return self._axis(3)

    def _axis(self, number: int) -> int:
        if len(self._shape) > 4:
            raise DeepLabError(f"a blob of {len(self._shape)} axes has no num, channels, height and width")
        return self._shape[number] if number < len(self._shape) else 1

    def reshape(self, *shape: int) -> None:
        """Another shape; the values stay as long as there is room."""
        sizes = tuple(int(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise DeepLabError(f"reshape: {sizes} given, no size below 0 wanted")
        self._shape = sizes

    @property
    def data(self) -> np.ndarray:
        """The values: writing to the array writes to the blob."""
        return self.data_tensor.numpy()

    @property
    def diff(self) -> np.ndarray:
        """The gradients: writing to the array writes to the blob."""
        return self.diff_tensor.numpy()

    @property
    def data_tensor(self) -> Tensor:
        """The values in main memory, as a tensor that shares it."""
        self.data_memory.grow(self.count)
        return self._view(self.data_memory.values)

    @property
    def diff_tensor(self) -> Tensor:
        """The gradients in main memory, as a tensor that shares it."""
        self.diff_memory.grow(self.count)
        return self._view(self.diff_memory.values)

    @property
    def data_there(self) -> Tensor:
        """The values where the net computes, to read or to write."""
        self.data_memory.grow(self.count)
        return self._view(self.data_memory.there)

    @property
    def diff_there(self) -> Tensor:
        """The gradients where the net computes, to read or to write."""
        self.diff_memory.grow(self.count)
        return self._view(self.diff_memory.there)

    def _view(self, values: Tensor) -> Tensor:
        return values[: self.count].view(self._shape)

    def put(self, data: Tensor, diff: Tensor | None = None) -> None:
        """Takes the memory, and the shape, of contiguous float32 tensors."""
        self._shape = tuple(data.shape)
        self.data_memory.values = data.detach().view(-1)
        if diff is not None:
            self.diff_memory.values = diff.detach().view(-1)


class BlobVec(list[Blob]):
    """The parameters of a layer."""

    def add_blob(self, *shape: int) -> None:
        """Appends a blob of this shape, filled with zeros."""
        self.append(Blob(tuple(int(size) for size in shape)))
