"""Running a net on a GPU again and again: order between streams, CUDA graphs."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import OutOfMemoryError
from .dag import Values


class CapturedRun:
    """A net's run as a CUDA graph: its kernels are launched all at once, on inputs that are copied in.

    Everything a run touches has its own place: graph, inputs and results keep theirs until this object goes.
    """

    def __init__(self, run: Callable[[Values], dict[str, Tensor]], inputs: Values) -> None:
        self.inputs = {value: tensor.clone() for value, tensor in inputs.items()}
        self.values = dict(self.inputs)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.results = run(self.values)

    def __call__(self, inputs: Values) -> dict[str, Tensor]:
        """The results for `inputs`, in memory of their own."""
        for value, tensor in inputs.items():
            self.inputs[value].copy_(tensor)
        self.graph.replay()
        return {name: result.clone() for name, result in self.results.items()}


class Runner:
    """Runs a schedule again and again; from the second time on as a CUDA graph, if it can be one.

    The first run makes what lasts (packed weights, tables). A graph holds addresses, so `state` must
    tell whenever anything it was captured with has moved or changed; then it starts afresh.
    """

    def __init__(self, captures: bool) -> None:
        self.captures = captures
        self._state: Hashable = None
        self._graph: CapturedRun | None = None

    def __call__(
        self, run: Callable[[Values], dict[str, Tensor]], values: Values, state: Hashable
    ) -> dict[str, Tensor]:
        """The results of `run`, which fills `values`."""
        if not self.captures:
            return run(values)
        if state != self._state:
            self._graph, self._state = None, state
            return run(values)
        if self._graph is None:
            stream = torch.cuda.current_stream()
            try:
                self._graph = CapturedRun(run, values)
            except RuntimeError:  # something synchronises with the device, or another stream is at work
                self.captures = False
                torch.cuda.set_stream(stream)  # torch stays on the capture's
                return run(values)
        results = self._graph(values)
        values.update(self._graph.values)
        return results


class StreamOrder:
    """Makes forwards on different streams, which share the net's memory, follow each other."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._done: torch.cuda.Event | None = None

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Around a forward: it waits for the one before; running out of memory is a DeepLabError."""
        if self._device.type != "cuda":
            yield
            return
        with torch.cuda.device(self._device):
            stream = torch.cuda.current_stream()
            if self._done is not None:
                stream.wait_event(self._done)
            try:
                yield
            except (MemoryError, torch.cuda.OutOfMemoryError) as error:
                reason = str(error).split(". ")[0]
                raise OutOfMemoryError(
                    f"the net does not fit in the memory of {self._device}: {reason}"
                ) from None
            self._done = self._done or torch.cuda.Event()
            self._done.record(stream)
