"""Single convolutions: ours in each precision against torch (cuDNN, oneDNN) at its best in the same class."""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .. import ops
from ..errors import DeepLabError
from ..ops.devices import usable_device
from ..types import Pair
from .conv_shapes import ConvShape
from .measure import interleave, machine, median_ratio

# Of each of our precisions: the class of its peers, and what their operands are.
CLASSES = {"exact": "fp32", "fp32": "fp32", "tf32": "tf32", "bf16": "bf16", "fp16": "fp16"}
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Multiply-adds that a multiprocessor does in a cycle, without sparsity, where the datasheets tell.
RATES = {
    (8, 0): {"fp32": 64, "tf32": 512, "bf16": 1024, "fp16": 1024},
    (8, 6): {"fp32": 128},
    (8, 9): {"fp32": 128},
    (9, 0): {"fp32": 128, "tf32": 1024, "bf16": 2048, "fp16": 2048},
    (10, 0): {"fp32": 128},
    (12, 0): {"fp32": 128},
}
CHECKED_OUTPUTS = 16  # output channels, of the first image, whose error is measured
SAMPLE_SECONDS = 2e-3  # a GPU's measurement replays its graph for at least so long
INPUT_BYTES = 1 << 27  # inputs take turns until they are larger than the caches
MOST_INPUTS = 8


# Convolves, given the number of an input; the results are those of each rate.
Run = Callable[[int], list[Tensor]]


class Case:
    """One shape on a device: its tensors, and our and torch's way to convolve them."""

    def __init__(self, shape: ConvShape, device: torch.device) -> None:
        self.shape, self.device = shape, device
        generator = torch.Generator().manual_seed(0)

        def draw(*sizes: int) -> Tensor:
            return torch.randn(sizes, generator=generator).to(device)

        bytes_each = 4 * shape.batch * shape.inputs * prod(shape.map)
        copies = min(MOST_INPUTS, 1 + INPUT_BYTES // bytes_each) if device.type == "cuda" else 1
        try:
            first = draw(shape.batch, shape.inputs, *shape.map)
            self.inputs = [first, *(first.flip(3) + 0.01 * i for i in range(1, copies))]
            scale = (2 / prod(shape.weights[1:])) ** 0.5
            self.weights = [draw(*shape.weights) * scale for _ in shape.rates]
            self.bias = [draw(shape.outputs) for _ in shape.rates]
        except RuntimeError as error:
            raise DeepLabError(f"{shape.name}: {str(error).splitlines()[0]}") from None

    def _geometry(self, rate: int) -> tuple[Pair, Pair, Pair]:
        """Stride, padding and dilation."""
        stride = self.shape.stride
        return (stride, stride), self.shape.pad(rate), (rate, rate)

    def ours(self, precision: str) -> Run:
        """Our kernels, with weights packed beforehand."""
        if precision == "exact":
            groups, shape = self.shape.groups, self.shape.weights
            packed = [ops.pack_weights(w, groups) for w in self.weights]

            def exact(number: int) -> list[Tensor]:
                x = self.inputs[number]
                return [
                    ops.atrous_conv(
                        x,
                        w,
                        *self._geometry(rate),
                        groups=groups,
                        epilogue=[ops.epilogue.Bias(b)],
                        packed_shape=shape,
                    )
                    for w, b, rate in zip(packed, self.bias, self.shape.rates, strict=True)
                ]

            return exact
        branches = [
            ops.TensorCoreBranch(ops.pack_tensor_core(w, b, 1, precision), *self._geometry(rate))
            for w, b, rate in zip(self.weights, self.bias, self.shape.rates, strict=True)
        ]
        inputs = self._channels_last(ops.TENSOR_CORE_DTYPES[precision])
        return lambda number: ops.tensor_core_convs(inputs[number], branches)

    def torchs(self, kind: str, channels_last: bool) -> Run:
        """The same with torch's convolution."""
        dtype = DTYPES[kind]
        inputs, weights = [x.to(dtype) for x in self.inputs], [w.to(dtype) for w in self.weights]
        if channels_last:
            inputs = self._channels_last(dtype)
            weights = [w.contiguous(memory_format=torch.channels_last) for w in weights]
        bias = [b.to(dtype) for b in self.bias]
        given = [
            (self.shape.stride, self.shape.pad(rate), rate, self.shape.groups) for rate in self.shape.rates
        ]  # stride, padding, dilation, groups
        return lambda number: [
            functional.conv2d(inputs[number], w, b, *numbers)
            for w, b, numbers in zip(weights, bias, given, strict=True)
        ]

    def _channels_last(self, dtype: torch.dtype) -> list[Tensor]:
        return [x.to(dtype).contiguous(memory_format=torch.channels_last) for x in self.inputs]

    def error(self, results: list[Tensor]) -> float:
        """The norm of the difference to float64 over the norm, of a part of the outputs."""
        difference = norm = 0.0
        shape = self.shape
        group = shape.outputs // shape.groups
        groups = min(shape.groups, max(1, CHECKED_OUTPUTS // group))
        part = slice(0, min(CHECKED_OUTPUTS, group) if groups == 1 else groups * group)
        x = self.inputs[0][:1, : groups * shape.inputs // shape.groups]
        for y, w, b, rate in zip(results, self.weights, self.bias, shape.rates, strict=True):
            numbers = shape.stride, shape.pad(rate), rate, groups
            wanted = functional.conv2d(x.double(), w[part].double(), b[part].double(), *numbers)
            difference += (y[:1, part].double() - wanted).square().sum().item()
            norm += wanted.square().sum().item()
        return (difference / norm) ** 0.5


def seconds(run: Callable[[int], Any], inputs: int, rounds: int, device: torch.device) -> list[float]:
    """Of one call, `rounds` times; run takes the number of an input."""
    if device.type == "cuda":
        return _device_seconds(run, inputs, rounds, device)
    run(0)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(0)
        times.append(time.perf_counter() - start)
    return times


def _device_seconds(run: Callable[[int], Any], inputs: int, rounds: int, device: torch.device) -> list[float]:
    """By the device's own clock, over replays of a graph: what launching costs the host is left out."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for i in range(inputs + 2):
                run(i % inputs)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                for i in range(inputs):
                    run(i)

            def measure(replays: int) -> float:
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record(stream)
                for _ in range(replays):
                    graph.replay()
                end.record(stream)
                end.synchronize()
                return start.elapsed_time(end) / 1e3 / replays

            measure(1)
            replays = int(SAMPLE_SECONDS / measure(1)) + 1
            return [measure(replays) / inputs for _ in range(rounds)]


@contextmanager
def torch_flags(kind: str, deterministic: bool) -> Iterator[None]:
    """torch chooses its convolution by measuring all there are."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=deterministic, allow_tf32=kind == "tf32"
    ):
        yield


def _peers(device: torch.device, kind: str, repeatable: bool) -> Iterator[tuple[str, bool, bool]]:
    """Name, channels last, deterministic of each way to call torch."""
    both = device.type == "cuda" and repeatable
    for last, deterministic in product((False, True), (False, True) if both else (False,)):
        words = ["torch", kind, "NHWC" if last else "NCHW", *["deterministic"] * deterministic]
        yield " ".join(words), last, deterministic


def measure_case(
    case: Case, precisions: Sequence[str], rounds: int, peaks: dict[str, float], repeatable: bool = True
) -> list[dict]:
    """All candidates of one case; see `run`."""
    shape = case.shape
    flop = {name: 2.0 * shape.multiply_adds(name == "needed") for name in ("needed", "nominal")}
    # On tensor cores, too, a convolution of few channels a group is left to the exact kernel.
    precisions = [name for name in precisions if name == "exact" or shape.groups == 1]
    candidates = {
        name: (kind, deterministic, partial(case.torchs, kind, last))
        for kind in dict.fromkeys(CLASSES[precision] for precision in precisions)
        for name, last, deterministic in _peers(case.device, kind, repeatable)
    }
    for precision in precisions:
        candidates[f"ours {precision}"] = CLASSES[precision], False, partial(case.ours, precision)
    measured = _measured(case, candidates, rounds)
    entries: list[dict[str, Any]] = []
    for candidate, (times, error) in measured.items():
        kind, median = candidates[candidate][0], statistics.median(times)
        entry: dict[str, Any] = {
            "layer": shape.name,
            "size": shape.image,
            "map": list(shape.map),
            "batch": shape.batch,
            "class": kind,
            "candidate": candidate,
            "dilated": max(shape.rates) > 1,
            "seconds": times,
            "median": median,
            "error": error,
            "bytes_per_second": shape.bytes / median,
        }
        for name, count in flop.items():
            entry[f"{name}_tflops"] = 1e-12 * count / median
            entry[f"{name}_share"] = count / median / peaks[kind] if peaks.get(kind) else None
        entries.append(entry)
    for entry in entries:
        peers = [e for e in entries if e["class"] == entry["class"] and e["candidate"].startswith("torch")]
        best = min(peers, key=lambda peer: peer["median"])
        entry["ratio"] = median_ratio(best["seconds"], entry["seconds"])
    return entries


def _measured(
    case: Case, candidates: Mapping[str, tuple[str, bool, Callable[[], Run]]], rounds: int
) -> dict[str, tuple[list[float], float]]:
    """Seconds and error of each candidate (class, whether deterministic, what makes it).

    On the CPU in turn, as its speed drifts; on a GPU one after the other, which its memory may need.
    """
    if case.device.type == "cpu":
        runs = {name: partial(make(), 0) for name, (_, _, make) in candidates.items()}
        return {name: (times, case.error(runs[name]())) for name, times in interleave(runs, rounds).items()}
    measured = {}
    for name, (kind, deterministic, make) in candidates.items():
        with torch_flags(kind, deterministic):
            run = make()
            measured[name] = seconds(run, len(case.inputs), rounds, case.device), case.error(run(0))
    return measured


def device_peaks(device: torch.device) -> dict[str, float]:
    """FLOP/s of each class: a GPU's by its multiprocessors and highest clock, the CPU's as measured."""
    if device.type != "cuda":
        return {"fp32": ops.fma_peak(torch.get_num_threads())}
    card = torch.cuda.get_device_properties(device)
    command = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits"]
    try:
        clock = 1e6 * float(subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0])
    except (OSError, ValueError, IndexError):
        return {}
    rates = RATES.get((card.major, card.minor), {})
    return {kind: 2.0 * rate * clock * card.multi_processor_count for kind, rate in rates.items()}


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written per second by torch's copy of a large tensor."""
    x = torch.randn(1 << (28 if device.type == "cuda" else 24), device=device)
    y = torch.empty_like(x)
    times = seconds(lambda _: y.copy_(x), 1, 5, device)
    return 2 * x.numel() * x.element_size() / statistics.median(times)


def matrix_product_rates(device: torch.device, kinds: Sequence[str]) -> dict[str, float]:
    """FLOP/s of torch's product of large random matrices, what a library reaches of the peak."""
    side = 8192 if device.type == "cuda" else 1024
    found = {}
    for kind in kinds:
        a, b = (torch.randn(side, side, device=device, dtype=DTYPES[kind]) for _ in range(2))
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
        try:
            times = seconds(partial(_product, a, b), 1, 5, device)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
        found[kind] = 2 * side**3 / statistics.median(times)
    return found


def _product(a: Tensor, b: Tensor, number: int) -> Tensor:
    return a @ b


def run(
    shapes: Sequence[ConvShape],
    precisions: Sequence[str],
    rounds: int,
    device: str,
    limit: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
    save: Callable[[dict[str, Any]], None] = lambda _: None,
    repeatable: bool = True,
) -> dict[str, Any]:
    """Measures each shape, in that order; returns plain data, and gives it to `save` after each shape.

    Each entry: seconds of every round and their median, `ratio`: the time of the class's fastest torch over
    this one's (the median of the rounds), error against float64 (relative, in the norm), TFLOP/s and share of
    the device's peak, counting all taps (nominal) and those inside the image (needed); and bytes per second,
    each input read and each output written once, to compare with the copy bandwidth under "machine". limit:
    seconds after which no case is begun; those left out are listed under "left_out". repeatable: also measure
    those of cuDNN's convolutions that always give the same bits.
    """
    place = usable_device(device)
    kinds = list(dict.fromkeys(CLASSES[precision] for precision in precisions))
    peaks, end = device_peaks(place), time.monotonic() + (limit or float("inf"))
    about = {
        **machine(),
        "peak_flops": peaks,
        "matrix_product_flops": matrix_product_rates(place, kinds),
        "copy_bytes_per_second": copy_bandwidth(place),
    }
    if place.type == "cuda":
        about |= {
            "device": torch.cuda.get_device_name(place),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    else:
        about["threads"] = torch.get_num_threads()
    result: dict[str, Any] = {"machine": about, "results": [], "left_out": []}
    for shape in shapes:
        name = shape.name if shape.image is None else f"{shape.name}, size {shape.image}, batch {shape.batch}"
        if time.monotonic() > end:
            result["left_out"].append(name)
            continue
        progress(name)
        result["results"] += measure_case(Case(shape, place), precisions, rounds, peaks, repeatable)
        save(result)
        if place.type == "cuda":
            torch.cuda.empty_cache()
    return result
