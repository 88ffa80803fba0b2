"""What a net tells all of its layers."""

from dataclasses import dataclass

import torch

from .. import ops


@dataclass(frozen=True)
class Context:
    """What a net tells all of its layers.

    phase: "train" or "test"; device: where blobs live; precision: see net.PRECISIONS; bf16_kernels: what
    convolves in bf16 on the CPU, of ops.BF16_KERNELS; threads: CPU threads for our kernels, None for
    torch's own setting; seed: of whatever is random in TRAIN phase; rank, ranks: this process's number
    among those that train together, and how many they are; python_layers: whether layers of type Python
    may run their code; shapes_only: nothing will run, so that no layer needs the files that only
    `forward` takes values from.
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
    bf16_kernels: str = "torch"

    @property
    def runs_forward(self) -> bool:
        """Whether layers run `forward`, not `forward_fast`.

        They do in exact and, on the CPU, in fp32, and in bf16 unless its kernels are torch's.
        """
        on_cpu = not ops.backend_of(self.device).is_gpu
        own = {"exact": True, "fp32": on_cpu, "bf16": on_cpu and self.bf16_kernels != "torch"}
        return own.get(self.precision, False)

    def batch(self, passes: int, size: int) -> range:
        """Numbers of the samples that forward number `passes` takes: of the batches every `ranks`-th."""
        first = (passes * self.ranks + self.rank) * size
        return range(first, first + size)
