"""A layer's parameter as a blob, whose arrays write through to what the kernels read."""

import weakref
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..layers.parameters.parameter import Parameter
from ..layers.parts.caffe_blob import MAIN, Blob, Memory


@dataclass
class _Lent:
    """Of one parameter the arrays that somebody may hold; copy: with a device, what they are views of."""

    arrays: list[weakref.ref[np.ndarray]] = field(default_factory=list)
    copy: Tensor | None = None

    @property
    def held(self) -> bool:
        self.arrays = [array for array in self.arrays if array() is not None]
        return bool(self.arrays)


_lent: "weakref.WeakKeyDictionary[Parameter, _Lent]" = weakref.WeakKeyDictionary()


class ParameterBlob(Blob):
    """One Parameter of a net; several blobs may have one (shared weights).

    Kernels keep weights in layouts of their own, which have to be made anew after each change. Who holds an
    array of the values may change them at any time: `refresh` forgets those layouts as long as anybody does.
    device: where the net computes; elsewhere than in main memory the arrays are views of a copy, which
    `refresh` and `renew` keep up.
    """

    def __init__(self, parameter: Parameter, diff: Memory | None = None, device: torch.device = MAIN) -> None:
        super().__init__(parameter.shape, diff=diff)
        self.parameter, self.device = parameter, device

    @property
    @override
    def data_there(self) -> Tensor:
        return self.parameter.tensor.detach().view(self.shape)

    @property
    @override
    def data_tensor(self) -> Tensor:
        if self.device == MAIN:
            return self.data_there
        lent = _lent.setdefault(self.parameter, _Lent())
        if lent.copy is None:
            lent.copy = self.data_there.to(MAIN, copy=True)
        return lent.copy.view(self.shape)

    @property
    @override
    def data(self) -> np.ndarray:
        array = self.data_tensor.numpy()
        lent = _lent.setdefault(self.parameter, _Lent())
        lent.arrays = [held for held in lent.arrays if held() is not None] + [weakref.ref(array)]
        return array

    def refresh(self) -> None:
        """Before the kernels run: what they have packed is out of date if somebody can have written."""
        lent = _lent.get(self.parameter)
        if lent is None:
            return
        if lent.copy is not None:
            self.data_there.copy_(lent.copy.view(self.shape))
        _ = self.parameter.data  # being asked for it, the parameter forgets what is packed
        if not lent.held:
            del _lent[self.parameter]

    def renew(self) -> None:
        """After somebody else than the holders of arrays has changed the values."""
        _ = self.parameter.data
        lent = _lent.get(self.parameter)
        if lent is not None and lent.copy is not None:
            lent.copy.copy_(self.data_there.view(lent.copy.shape))

    def show_gradient(self) -> None:
        """Before a backward pass, which adds to what `diff` holds."""
        self.parameter.tensor.grad = self.diff_there.view(self.parameter.shape)
