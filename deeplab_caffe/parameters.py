"""A layer's parameters: plain tensors that a kernel may replace by its own packed form."""

from collections.abc import Callable, Hashable
from math import prod

import torch

Tensor = torch.Tensor


class Parameter:
    """One parameter blob, held once however many layers share it (Caffe's `param { name }`).

    The plain tensor is float32, contiguous, of `shape`, on `device`. It is made by `make` when it is first
    needed, so that a net whose weights are about to be loaded never draws any. A kernel that wants another
    layout asks for `packed`; the plain copy is then dropped if it can be rebuilt, so that weights are in
    memory once.

    `tensor` turns it into a torch.nn.Parameter for an optimizer to update; packed forms are then made anew
    after each change. lr_mult, decay_mult: Caffe's multipliers; with a rate of 0 nothing is learned.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        make: Callable[[], Tensor] | None = None,
        lr_mult: float = 1.0,
        decay_mult: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.shape = tuple(shape)
        self.lr_mult, self.decay_mult = lr_mult, decay_mult
        self.device = torch.device(device)
        self._writes = 0
        self._make = make or (lambda: torch.zeros(self.shape))
        self._plain: Tensor | None = None
        self._packed: dict[Hashable, tuple[Tensor, Callable[[Tensor], Tensor] | None]] = {}
        self._packed_version: Hashable = None

    @property
    def count(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def made(self) -> bool:
        """Whether the values are in memory already, in whatever form."""
        return self._plain is not None or bool(self._packed)

    @property
    def trained(self) -> bool:
        """Whether `tensor` has been asked for."""
        return isinstance(self._plain, torch.nn.Parameter)

    @property
    def version(self) -> Hashable:
        """Something that differs after every change of the values."""
        if not self.trained:
            return self._writes
        return self._writes, self._plain._version, self._plain.data_ptr(), self._plain.dtype

    @property
    def tensor(self) -> torch.nn.Parameter:
        """The values as one torch.nn.Parameter, from the first call on their only home.

        Whoever writes to it does so in place, under torch.no_grad() and not through `.data`, which would hide
        the change.
        """
        if not self.trained:
            self._plain = torch.nn.Parameter(self.values(), requires_grad=self.lr_mult != 0)
            self._forget()
        return self._plain

    def values(self) -> Tensor:
        """The plain tensor, for reading only (rebuilt from a packed form if it was dropped)."""
        if self._plain is not None:
            return self._plain.detach()
        for packed, unpack in self._packed.values():
            if unpack is not None:
                return unpack(packed).view(self.shape)
        self._plain = self._make().view(self.shape).to(self.device)
        return self._plain

    @property
    def data(self) -> Tensor:
        """The plain tensor, which may be written to until the net runs again; forgets the packed forms."""
        values = self.values()
        if not self.trained:
            self._plain = values
        self._forget()
        return values

    @data.setter
    def data(self, tensor: Tensor) -> None:
        if tensor.numel() != self.count:
            raise ValueError(f"{tuple(tensor.shape)} given, {self.shape} wanted")
        tensor = tensor.detach().to(self.device, torch.float32).contiguous().view(self.shape)
        if self.trained:
            with torch.no_grad():
                self._plain.copy_(tensor)
        else:
            self._plain = tensor
        self._forget()

    def packed(
        self,
        key: Hashable,
        pack: Callable[[Tensor], Tensor],
        unpack: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """`pack(plain)`, made once per `key` (the layout) and shared by all layers that ask with that key.

        With `unpack`, its exact inverse, the plain tensor is dropped, unless it is being trained.
        """
        if self.trained and self.version != self._packed_version:
            self._packed.clear()
            self._packed_version = self.version
        if key not in self._packed:
            self._packed[key] = (pack(self.values()), unpack)
        if unpack is not None and not self.trained:
            self._plain = None
        return self._packed[key][0]

    def _forget(self) -> None:
        self._writes += 1
        self._packed.clear()
