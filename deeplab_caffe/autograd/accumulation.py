"""Gradients of several passes added up as the original adds them: image after image, into one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

_in_place = False


@contextmanager
def accumulating() -> Iterator[None]:
    """Within, `backward()` of exact convolutions adds to the parameters' `grad` itself, where there is one.

    Autograd is given zeros to add, so that its hooks (DistributedDataParallel's among them) work as ever. Not
    for torch.autograd.grad, which would find nothing else.
    """
    global _in_place
    before, _in_place = _in_place, True
    try:
        yield
    finally:
        _in_place = before


def place_to_add(parameter: Tensor) -> Tensor | None:
    """The `grad` that a backward shall add to itself; None where autograd does that."""
    grad = parameter.grad if _in_place and parameter.is_leaf else None
    return grad if grad is not None and grad.is_contiguous() else None
