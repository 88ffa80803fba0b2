"""What the CRF's ops on a GPU share: rows of labels in its memory, addresses, errors of the device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import DeepLabError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A device's limits (labels, kernels, memory) as the user's errors."""
    try:
        yield
    except ValueError as error:
        raise DeepLabError(f"mean field: {error}") from None
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).split(". ")[0]
        raise DeepLabError(f"the CRF does not fit in the GPU's memory: {reason}") from None


def padded(x: Tensor) -> Tensor:
    """Rows (n, labels) as rows (n, labels rounded up to four); no copy where x is a view of such rows."""
    if x.dtype != torch.float32 or x.dim() != 2:
        raise DeepLabError(f"{x.dim()} dimensions of {x.dtype} given, rows of float32 wanted")
    count, labels = x.shape
    row = -(-labels // 4) * 4
    size = x.untyped_storage().nbytes() // 4 - x.storage_offset()
    fits = x.stride() == (row, 1) and size >= count * row and x.data_ptr() % 16 == 0
    if fits:
        return x.as_strided((count, row), (row, 1))
    return torch.nn.functional.pad(x, (0, row - labels)).contiguous()


def joined(rows: Sequence[Tensor]) -> Tensor:
    """Rows (n, labels) of several tensors one after the other, padded to four in memory."""
    if len(rows) == 1:
        return padded(rows[0])[:, : rows[0].shape[1]]
    labels = rows[0].shape[1]
    result = torch.zeros(sum(map(len, rows)), -(-labels // 4) * 4, device=rows[0].device)
    first = 0
    for one in rows:
        result[first : first + len(one), :labels] = one
        first += len(one)
    return result[:, :labels]


def address(x: Tensor | None) -> int:
    """Where the numbers of `x` begin; 0 without any."""
    return 0 if x is None else x.data_ptr()
