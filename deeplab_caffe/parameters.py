"""A layer's parameters: plain tensors that a kernel may replace by its own packed form."""

from collections.abc import Callable, Hashable
from math import prod

import torch

Tensor = torch.Tensor


class Parameter:
    """One parameter blob, held once however many layers share it (Caffe's `param { name }`).

    The plain tensor is float32, contiguous, of `shape`. It is made by `make` when it is first needed, so that
    a net whose weights are about to be loaded never draws any. A kernel that wants another layout asks for
    `packed`; the plain copy is then dropped if it can be rebuilt, so that weights are in memory once.
    """

    def __init__(self, shape: tuple[int, ...], make: Callable[[], Tensor] | None = None) -> None:
        self.shape = tuple(shape)
        self.version = 0
        self._make = make or (lambda: torch.zeros(self.shape))
        self._plain: Tensor | None = None
        self._packed: dict[Hashable, tuple[Tensor, Callable[[Tensor], Tensor] | None]] = {}

    @property
    def count(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def made(self) -> bool:
        """Whether the values are in memory already, in whatever form."""
        return self._plain is not None or bool(self._packed)

    def values(self) -> Tensor:
        """The plain tensor, for reading only (rebuilt from a packed form if it was dropped)."""
        if self._plain is not None:
            return self._plain
        for packed, unpack in self._packed.values():
            if unpack is not None:
                return unpack(packed).view(self.shape)
        self._plain = self._make().view(self.shape)
        return self._plain

    @property
    def data(self) -> Tensor:
        """The plain tensor, which may be written to until the net runs again; forgets the packed forms."""
        self._plain = self.values()
        self._forget()
        return self._plain

    @data.setter
    def data(self, tensor: Tensor) -> None:
        if tensor.numel() != self.count:
            raise ValueError(f"{tuple(tensor.shape)} given, {self.shape} wanted")
        self._plain = tensor.detach().to(torch.float32).contiguous().view(self.shape)
        self._forget()

    def packed(
        self,
        key: Hashable,
        pack: Callable[[Tensor], Tensor],
        unpack: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """`pack(plain)`, made once per `key` (the layout) and shared by all layers that ask with that key.

        With `unpack`, its exact inverse, the plain tensor is dropped.
        """
        if key not in self._packed:
            self._packed[key] = (pack(self.values()), unpack)
        if unpack is not None:
            self._plain = None
        return self._packed[key][0]

    def _forget(self) -> None:
        self.version += 1
        self._packed.clear()
