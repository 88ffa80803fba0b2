"""A parameter's values as callers see them: a tensor that numpy arrays may be assigned to."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self, override


class Values(Tensor):
    """A tensor that numpy arrays may be assigned to, too: `values[...] = array`, `values *= array`.

    What is computed from it is a plain tensor.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @override
    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, _tensor(value))

    @override
    def __iadd__(self, other: Any) -> Self:
        self.add_(_tensor(other))
        return self

    @override
    def __isub__(self, other: Any) -> Self:
        self.sub_(_tensor(other))
        return self

    @override
    def __imul__(self, other: Any) -> Self:
        self.mul_(_tensor(other))
        return self

    @override
    def __itruediv__(self, other: Any) -> Self:
        self.div_(_tensor(other))
        return self

    @override
    def __reduce_ex__(self, protocol: Any) -> Any:
        """Files hold a plain tensor, which anybody can load."""
        return self.as_subclass(Tensor).__reduce_ex__(protocol)


def _tensor(value: Any) -> Any:
    """Arrays as tensors; anything else as it is."""
    return torch.as_tensor(value) if isinstance(value, np.ndarray | np.generic) else value
