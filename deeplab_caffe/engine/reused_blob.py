"""A blob without values, mostly for its memory was used again: it has a shape, and tells how to get more."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self, override

from ..errors import DeepLabError
from ..types import Shape
from .dag import Graph, Value, Values

# What may be asked of it, as torch calls it.
_KNOWN = {
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "is_meta", "ndim", "layout")),
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.stride, Tensor.is_contiguous, Tensor.__len__),
}


class ReusedBlob(Tensor):
    """A tensor on torch's "meta" device; whatever needs values is a DeepLabError that names the blob."""

    blob_name: str
    reason: str

    @classmethod
    def of(cls, name: str, shape: Shape, ran: bool, kept: bool, precision: str) -> Self:
        """In place of the blob of that name. ran: whether there was a forward; kept: with keep_blobs."""
        blob = torch.empty(shape, device="meta").as_subclass(cls)
        blob.blob_name = name
        if not ran:
            blob.reason = "there was no forward yet (forward_train keeps none)"
        elif kept:
            blob.reason = f"{precision} computes several layers in one pass, with one result; exact has all"
        else:
            blob.reason = (
                f"its memory was used again; ask for it, net.forward(outputs=['{name}'], ...), or keep all, "
                "Net(..., keep_blobs=True)"
            )
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
        blob = next(each for each in given if isinstance(each, ReusedBlob))
        raise DeepLabError(f"blob '{blob.blob_name}' has no values: {blob.reason}")


def blobs_of(
    graph: Graph, values: Values, shapes: Mapping[Value, Shape], kept: bool, precision: str
) -> dict[str, Tensor]:
    """A net's blobs by name: of those in `values`, which a forward left, the tensors; else ReusedBlobs."""
    return {
        name: values[value]
        if value in values
        else ReusedBlob.of(name, shapes[value], bool(values), kept, precision)
        for name, value in graph.blobs.items()
    }
