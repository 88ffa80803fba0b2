"""A layer's parameters: plain tensors that a kernel may replace by its own packed form."""

import threading
from collections.abc import Callable, Hashable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...errors import DeepLabError
from ...types import Shape
from .values import Values

if TYPE_CHECKING:
    from ...formats.file_blob import FileBlob
    from .weight_memory import Allocate, WeightMemory

_packing_lock = threading.Lock()


class Parameter:
    """One parameter blob, held once however many layers share it (Caffe's `param { name }`).

    The plain tensor is float32, contiguous, of `shape`, on `device`. It is made by `make` when it is first
    needed, so that a net whose weights are about to be loaded never draws any. A kernel that wants another
    layout asks for `packed`; the plain copy is then dropped if it can be rebuilt, so that weights are in
    memory once.

    Streamed (`stream`), it stays in its file: what kernels ask for is then read anew, into a limited memory.

    `tensor` turns it into a torch.nn.Parameter for an optimizer to update; packed forms are then made anew
    after each change. lr_mult, decay_mult: Caffe's multipliers; with a rate of 0 nothing is learned.
    """

    def __init__(
        self,
        shape: Shape,
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
        self._stored: tuple[FileBlob, WeightMemory] | None = None

    @property
    def count(self) -> int:
        """The number of values."""
        return prod(self.shape)

    @property
    def made(self) -> bool:
        """Whether the values exist already, in whatever form: making them takes no more memory."""
        return self._plain is not None or bool(self._packed) or self.streamed

    @property
    def streamed(self) -> bool:
        """Whether the values are in a file and read when they are needed; writing or training ends that."""
        return self._stored is not None

    @property
    def trained(self) -> bool:
        """Whether `tensor` has been asked for."""
        return type(self._plain) is torch.nn.Parameter  # isinstance would take a microsecond

    @property
    def version(self) -> Hashable:
        """Something that differs after every change of the values."""
        plain = self._plain
        if plain is None or not self.trained:
            return self._writes
        return self._writes, plain._version, plain.data_ptr(), plain.dtype

    @property
    def tensor(self) -> torch.nn.Parameter:
        """The values as one torch.nn.Parameter, from the first call on their only home.

        Whoever writes to it does so in place, under torch.no_grad() and not through `.data`, which would hide
        the change.
        """
        if isinstance(self._plain, torch.nn.Parameter):
            return self._plain
        self._plain = torch.nn.Parameter(self.values(), requires_grad=self.lr_mult != 0)
        self._forget()
        return self._plain

    def values(self) -> Tensor:
        """The plain tensor, for reading only (rebuilt from a packed form, or read anew, if dropped).

        float32 also of a torch.nn.Parameter of another type, which is then a copy.
        """
        if (plain := self._plain) is not None:
            return plain.detach().to(torch.float32)
        if self._stored is not None:
            return self._stored[0].read()
        for packed, unpack in self._packed.values():
            if unpack is not None:
                return unpack(packed).view(self.shape)
        self._plain = self._make().view(self.shape).to(self.device)
        return self._plain

    @property
    def data(self) -> Tensor:
        """The plain tensor, which may be written to until the net runs again; forgets the packed forms.

        Numpy arrays may be assigned to it, and to its elements, too.
        """
        if self._plain is None or not self.trained:
            self._plain = self.values()
        self._forget()
        return self._plain.detach().as_subclass(Values)

    @data.setter
    def data(self, values: Tensor | np.ndarray) -> None:
        tensor = torch.as_tensor(values)
        if tensor.numel() != self.count:
            raise DeepLabError(f"parameter: {tuple(tensor.shape)} given, {self.shape} wanted")
        tensor = (
            tensor.detach().as_subclass(Tensor).to(self.device, torch.float32).contiguous().view(self.shape)
        )
        if self._plain is not None and self.trained:
            with torch.no_grad():
                self._plain.copy_(tensor)
        else:
            self._plain = tensor
        self._forget()

    @property
    def diff(self) -> Tensor:
        """The gradient of the last backward pass through `Net.forward_train`; zeros where there was none."""
        gradient = self._plain.grad if self._plain is not None and self.trained else None
        return torch.zeros(self.shape) if gradient is None else gradient.view(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The values, for numpy: `np.array(parameter)`."""
        array = self.values().cpu().numpy()
        return array.astype(dtype or array.dtype, copy=bool(copy))

    def state(self) -> Tensor | None:
        """What `restore` makes a copy of: a torch.nn.Parameter itself; None where nothing was drawn yet."""
        if isinstance(self._plain, torch.nn.Parameter):
            return self._plain
        return self.values() if self.made else None

    def restore(self, state: Tensor | None) -> None:
        """Takes the values, or the torch.nn.Parameter, that `state` of an equal parameter gave."""
        self._forget()
        self._plain = state

    def stream(self, blob: "FileBlob", memory: "WeightMemory") -> None:
        """Leaves the values in `blob`'s file; packed forms are made in `memory` when a layer needs them.

        On the CPU only. A parameter that is being trained takes the values at once.
        """
        if self.trained:
            self.data = blob.read()
            return
        self._plain = None
        self._forget()
        self._stored = blob.reshape(self.shape), memory
        memory.expect(self.count)

    def packed(
        self,
        key: Hashable,
        pack: Callable[[Tensor], Tensor],
        unpack: Callable[[Tensor], Tensor] | None = None,
        load: "Callable[[FileBlob, Allocate], Tensor] | None" = None,
    ) -> Tensor:
        """`pack(plain)`, made once per `key` (the layout) and shared by all layers that ask with that key.

        With `unpack`, its exact inverse, the plain tensor is dropped, unless it is being trained. `load`: a
        way around the plain tensor for streamed values, which are valid only until the next call of any
        parameter: it reads them from the file and packs them into memory it is given.
        """
        if self._stored is not None:
            blob, memory = self._stored
            return memory.get((self, key), lambda allocate: (load or _packing(pack))(blob, allocate))
        if self.trained and self.version != self._packed_version:
            self._packed.clear()
            self._packed_version = self.version
        if key not in self._packed:
            with _packing_lock:  # copies of a net in several threads pack once
                if key not in self._packed:
                    self._packed[key] = (pack(self.values()), unpack)
                if unpack is not None and not self.trained:
                    self._plain = None
        return self._packed[key][0]

    def _forget(self) -> None:
        self._writes += 1
        self._packed.clear()
        if self._stored is not None:
            self._stored[1].clear()
            self._stored = None


def _packing(pack: Callable[[Tensor], Tensor]) -> "Callable[[FileBlob, Allocate], Tensor]":
    """A way to load by way of the plain tensor."""

    def load(blob: "FileBlob", allocate: "Allocate") -> Tensor:
        packed = pack(blob.read())
        return allocate(packed.numel()).view(packed.shape).copy_(packed)

    return load
