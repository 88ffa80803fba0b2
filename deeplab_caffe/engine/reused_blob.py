"""A blob whose values are gone, for its memory was used again: it has a shape, and tells how to get more."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self, override

from ..errors import DeepLabError
from ..types import Shape

# What may be asked of it, as torch calls it.
_KNOWN = {
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "is_meta", "ndim", "layout")),
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.stride, Tensor.is_contiguous, Tensor.__len__),
}


class ReusedBlob(Tensor):
    """A tensor on torch's "meta" device; whatever needs values is a DeepLabError that names the blob."""

    blob_name: str

    @classmethod
    def of(cls, name: str, shape: Shape) -> Self:
        """In place of the blob of that name."""
        blob = torch.empty(shape, device="meta").as_subclass(cls)
        blob.blob_name = name
        return blob

    @override
    def __repr__(self) -> str:  # type: ignore[override]
        return f"ReusedBlob('{self.blob_name}', shape={tuple(self.shape)}, no values)"

    @classmethod
    @override
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _KNOWN:
            return super().__torch_function__(func, types, args, kwargs)
        given = [each for arg in args for each in (arg if isinstance(arg, tuple | list) else (arg,))]
        name = next((each.blob_name for each in given if isinstance(each, ReusedBlob)), "")
        raise DeepLabError(
            f"blob '{name}' has no values any more, for its memory was used again: ask for it, "
            f"net.forward(outputs=['{name}'], ...), or keep all: Net(..., keep_blobs=True)"
        )
