"""A layer's parameter as a blob, whose arrays write through to what the kernels read."""

import weakref

import numpy as np
from torch import Tensor
from typing_extensions import override

from ..layers.parameters.parameter import Parameter
from ..layers.parts.caffe_blob import Blob, Memory

# The arrays of each parameter's values that somebody may hold.
_lent: "weakref.WeakKeyDictionary[Parameter, list[weakref.ref[np.ndarray]]]" = weakref.WeakKeyDictionary()


class ParameterBlob(Blob):
    """One Parameter of a net; several blobs may have one (shared weights).

    Kernels keep weights in layouts of their own, which have to be made anew after each change. Who holds an
    array of the values may change them at any time: `refresh` forgets those layouts as long as anybody does.
    """

    def __init__(self, parameter: Parameter, diff: Memory | None = None) -> None:
        super().__init__(parameter.shape, diff=diff)
        self.parameter = parameter

    @property
    @override
    def data_tensor(self) -> Tensor:
        return self.parameter.tensor.detach().view(self.shape)

    @property
    @override
    def data(self) -> np.ndarray:
        array = self.data_tensor.numpy()
        _lent.setdefault(self.parameter, []).append(weakref.ref(array))
        return array

    def refresh(self) -> None:
        """Before the kernels run: what they have packed is out of date if somebody can have written."""
        if lent := _lent.pop(self.parameter, None):
            _ = self.parameter.data  # being asked for it, the parameter forgets what is packed
            if alive := [array for array in lent if array() is not None]:
                _lent[self.parameter] = alive

    def show_gradient(self) -> None:
        """Before a backward pass, which adds to what `diff` holds."""
        self.parameter.tensor.grad = self.diff_tensor.view(self.parameter.shape)
