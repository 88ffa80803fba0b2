"""What running a net on a GPU takes besides kernels: a usable device, order between streams, CUDA graphs."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

import torch

from . import ops
from .errors import DeepLabError
from .graph import Value

Tensor = torch.Tensor
Values = dict[Value, Tensor]


def usable_device(device: str | torch.device) -> torch.device:
    """The device by its name ("cpu", "cuda", "cuda:1"), with its number if it is a GPU.

    Raises DeepLabError if there is no such device, or no kernels for it.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise DeepLabError(f"device: {device} given, cpu, cuda or cuda:NUMBER wanted") from None
    if found.type == "cpu":
        return torch.device("cpu")
    if found.type != "cuda":
        raise DeepLabError(f"device: {device} given, cpu, cuda or cuda:NUMBER wanted")
    if not torch.cuda.is_available():
        raise DeepLabError(f"device: {device} given, but torch {torch.__version__} finds no GPU here")
    number = torch.cuda.current_device() if found.index is None else found.index
    if number >= torch.cuda.device_count():
        raise DeepLabError(f"device: {device} given, but there are only {torch.cuda.device_count()} GPUs")
    capability = torch.cuda.get_device_capability(number)
    targets = ops.cuda_targets()
    if not any(runs_on(target, capability) for target in targets):
        name = f"{torch.cuda.get_device_name(number)} (sm_{capability[0]}{capability[1]})"
        raise DeepLabError(f"device: this installation has kernels for {', '.join(targets)}, not for {name}")
    return torch.device("cuda", number)


def runs_on(target: str, capability: tuple[int, int]) -> bool:
    """Whether code for `target` ("80", "90a", "120+PTX") runs on a GPU of that compute capability."""
    code, _, ptx = target.partition("+")
    number = int(code.rstrip("af"))
    major, minor = divmod(number, 10)
    if code.endswith("a"):
        return (major, minor) == capability
    return (major == capability[0] and minor <= capability[1]) or (bool(ptx) and (major, minor) <= capability)


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU's memory that torch can still give out."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextmanager
def torch_precision(precision: str) -> Iterator[None]:
    """Within, torch's convolutions on a GPU use TF32 only if that is the precision; always the same bits."""
    allow = precision == "tf32"
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=allow):
        yield


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

    The first run makes what is made once (packed weights, tables). A graph holds addresses, so `state` must
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
            try:
                self._graph = CapturedRun(run, values)
            except RuntimeError:  # something waits for the device, or another stream is at work
                self.captures = False
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
            except torch.cuda.OutOfMemoryError as error:
                reason = str(error).split(". ")[0]
                raise DeepLabError(
                    f"the net does not fit in the memory of {self._device}: {reason}"
                ) from None
            self._done = self._done or torch.cuda.Event()
            self._done.record(stream)
