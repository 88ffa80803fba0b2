"""What snapshots hold, in whatever format: the parameters of layers, the state of a solver."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from .file_blob import FileBlob


@dataclass
class LayerBlobs:
    """The parameters of one layer: float32 tensors on the CPU, or FileBlobs where those were asked for.

    `type` is the V2 name, "" if the file has none. Blobs of files that say num, channels, height and width
    always have four axes, a bias (1, 1, 1, n).
    """

    name: str
    type: str = ""
    blobs: Sequence[Tensor | FileBlob] = ()


@dataclass(frozen=True)
class SolverState:
    """Iterations done, the path of the caffemodel, the update rule's memory, steps of the learning rate."""

    iteration: int
    learned_net: str
    history: list[Tensor]
    current_step: int = 0
