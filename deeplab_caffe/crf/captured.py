"""Inference on a GPU as a CUDA graph, for many energies over one image: one launch for all kernels."""

import torch
from torch import Tensor

from ..errors import DeepLabError
from . import gpu_ops as ops
from .dense_crf import DenseCRF
from .gpu_memory import padded
from .parameters import check_iterations


class CapturedCRF:
    """`infer` of a CRF on a GPU, captured once: `captured(energies)` gives the marginals.

    The CRF's kernels and lattices are those of the capture. Called on torch's current stream, one call at a
    time. Raises DeepLabError for a CRF on the CPU and iterations that cannot be.
    """

    def __init__(self, crf: DenseCRF, iterations: int = 10) -> None:
        if crf.device is None:
            raise DeepLabError("a CUDA graph needs a CRF on a GPU")
        check_iterations(iterations)
        self.crf, self.iterations = crf, iterations
        self._kernels = list(crf.kernels)
        zeros = torch.zeros(crf.points, crf.num_classes, device=crf.device)
        self._unary = padded(zeros)[:, : crf.num_classes]
        self._bad = ops.bad_point(zeros)
        self._graph: torch.cuda.CUDAGraph | None = None
        if crf.device.type == "cuda":
            self._capture(crf.device)
        else:  # emulated
            self._q = self._run()

    def __call__(self, energies: Tensor, check: bool = True) -> Tensor:
        """Marginals of energies (height, width, labels) or (points, labels), in that shape.

        The next call overwrites them. check: wait for the device and raise DeepLabError if an energy or a
        logit was not a number; else nothing waits.
        """
        if energies.numel() != self._unary.numel():
            raise DeepLabError(
                f"captured CRF: {tuple(energies.shape)} energies for {self.crf.points} points of "
                f"{self.crf.num_classes} labels"
            )
        self._unary.copy_(energies.reshape(self._unary.shape))
        if self._graph is None:
            self._q.copy_(self._run())
        else:
            self._graph.replay()
        if check:
            ops.check_points(self._bad, self._unary)
        return self._q.reshape(energies.shape)

    def _run(self) -> Tensor:
        self._bad.fill_(ops.NONE_BAD)
        return ops.mean_field(self._kernels, self._unary, self.iterations, self.crf.true_exp, bad=self._bad)

    def _capture(self, device: torch.device) -> None:
        with torch.cuda.device(device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # loads what is loaded once
                self._run()
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._q = self._run()
