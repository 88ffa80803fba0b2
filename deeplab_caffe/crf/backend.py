"""Where a CRF computes: its arrays and its ops, behind one interface for numpy on the CPU and torch on a GPU.

`devices` chooses a backend once; nobody else asks what the device is.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..types import Floats, Pair, override
from . import cpu_ops
from .arrays import Array, as_array, is_tensor, to_numpy


class Backend(ABC):
    """Arrays and ops of one device."""

    # The CRF's ops, of one signature: cpu_ops or gpu_ops.
    ops: ModuleType
    # Whether one CRF takes several images, each inferred as if it were alone.
    takes_images: ClassVar[bool]
    # The torch.device of a GPU; None for the CPU.
    device: Any = None

    @override
    def __str__(self) -> str:
        return str(self.device or "cpu")

    @abstractmethod
    def array(self, name: str, x: Array) -> Array:
        """Numbers of any kind as float32 on the device; DeepLabError names those that are no numbers."""

    @abstractmethod
    def of_tensor(self, x: Array) -> Array:
        """A tensor of any device, as the ops take it, in its own type."""

    @abstractmethod
    def result(self, x: Array, as_numpy: bool) -> Array:
        """What an op gave, as a numpy array or as a tensor of the device."""

    @abstractmethod
    def copy(self, x: Array) -> Array:
        """A copy."""

    @abstractmethod
    def contiguous(self, x: Array) -> Array:
        """The same values, contiguous in memory."""

    @abstractmethod
    def rows(self, x: Array) -> Array:
        """Rows (points, labels), laid out as the ops take them without a copy."""

    @abstractmethod
    def joined(self, rows: Sequence[Array]) -> Array:
        """`rows` of several arrays, one after the other."""

    @abstractmethod
    def image_features(self, sizes: Sequence[Pair], stds: Sequence[float], images: Sequence[Array]) -> Array:
        """Feature planes (2 + channels, points) of the pixels of images of (height, width), one by one.

        They are the column and the row over stds[0] and stds[1], then the channels of `images` (height,
        width, channels) over the others of `stds`; without images, the first two only.
        """


class CPUBackend(Backend):
    """numpy's arrays and the CPU's ops."""

    ops = cpu_ops
    takes_images = False

    @override
    def array(self, name: str, x: Array) -> Floats:
        return to_numpy(name, x)

    @override
    def of_tensor(self, x: Array) -> Array:
        return x.detach().cpu().numpy()

    @override
    def result(self, x: Array, as_numpy: bool) -> Array:
        return x if as_numpy or is_tensor(x) else sys.modules["torch"].from_numpy(x)

    @override
    def copy(self, x: Floats) -> Floats:
        return x.copy()

    @override
    def contiguous(self, x: Floats) -> Floats:
        return np.ascontiguousarray(x)

    @override
    def rows(self, x: Floats) -> Floats:
        return x

    @override
    def joined(self, rows: Sequence[Floats]) -> Floats:
        return np.concatenate(rows)

    @override
    def image_features(self, sizes: Sequence[Pair], stds: Sequence[float], images: Sequence[Array]) -> Floats:
        planes = np.empty((len(stds), sum(height * width for height, width in sizes)), np.float32)
        first = 0
        for number, (height, width) in enumerate(sizes):
            inside = slice(first, first := first + height * width)
            column, row, *channels = (plane[inside].reshape(height, width) for plane in planes)
            with np.errstate(over="ignore"):  # The lattice tells what is too large.
                column[...] = np.arange(width, dtype=np.float32) / np.float32(stds[0])
                row[...] = (np.arange(height, dtype=np.float32) / np.float32(stds[1]))[:, None]
                for channel, plane in enumerate(channels):
                    plane[...] = as_array("image", images[number])[:, :, channel]
                    plane /= np.float32(stds[2 + channel])
        return planes
