"""What a net tells all of its layers."""

from dataclasses import dataclass

import torch

from .. import ops


@dataclass(frozen=True)
class Context:
    """What a net tells all of its layers.

    phase: "train" or "test"; device: where blobs live; precision: see net.PRECISIONS;
    threads: CPU threads for our kernels, None for torch's own setting; seed: of whatever is random in TRAIN
    phase; rank, ranks: this process's number among those that train together, and how many they are;
    python_layers: whether layers of type Python may run their code; shapes_only: nothing will run, so that no
    layer needs the files that only `forward` takes values from.
    """

    phase: str = "test"
    device: torch.device = torch.device("cpu")
    precision: str = "exact"
    threads: int | None = None
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    python_layers: bool = False
    shapes_only: bool = False

    @property
    def runs_forward(self) -> bool:
        """Whether layers run `forward` (exact, and fp32 on the CPU), not `forward_fast`."""
        if self.precision == "fp32":
            return not ops.backend_of(self.device).is_gpu
        return self.precision == "exact"

    def batch(self, passes: int, size: int) -> range:
        """Numbers of the samples that forward number `passes` takes: of the batches every `ranks`-th."""
        first = (passes * self.ranks + self.rank) * size
        return range(first, first + size)
