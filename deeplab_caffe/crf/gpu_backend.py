"""The CRF's backend of a GPU, or of the emulated one: torch's tensors there. See backend.Backend."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from ..types import Pair
from . import gpu_lattice, gpu_memory, gpu_ops
from .arrays import Array, is_tensor
from .backend import Backend


class GPUBackend(Backend):
    """Tensors on `device`, and the GPU's ops."""

    ops = gpu_ops
    takes_images = True

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @override
    def array(self, name: str, x: Array) -> Tensor:
        if not is_tensor(x):
            x = np.asarray(x)
            if x.dtype.kind not in "fiub":
                raise DeepLabError(f"{name}: numbers wanted: {x.dtype} given")
            if x.dtype != np.uint8:  # bytes are fewer to send
                with np.errstate(over="ignore"):
                    x = x.astype(np.float32, copy=False)
            x = torch.from_numpy(np.require(x, requirements=["C", "W"]))
        return x.detach().to(self.device).to(torch.float32)

    @override
    def of_tensor(self, x: Tensor) -> Tensor:
        return x.detach().to(self.device)

    @override
    def result(self, x: Array, as_numpy: bool) -> Array:
        if as_numpy:
            return x.cpu().numpy() if is_tensor(x) else x
        return x if is_tensor(x) else torch.from_numpy(x).to(self.device)

    @override
    def copy(self, x: Tensor) -> Tensor:
        return x.clone()

    @override
    def contiguous(self, x: Tensor) -> Tensor:
        return x.contiguous()

    @override
    def rows(self, x: Tensor) -> Tensor:
        return gpu_memory.padded(x)[:, : x.shape[1]]

    @override
    def joined(self, rows: Sequence[Tensor]) -> Tensor:
        return gpu_memory.joined(rows)

    @override
    def image_features(self, sizes: Sequence[Pair], stds: Sequence[float], images: Sequence[Array]) -> Tensor:
        tensors = [self.array("image", image) for image in images]
        return gpu_lattice.image_features(sizes, stds, tensors, self.device)
