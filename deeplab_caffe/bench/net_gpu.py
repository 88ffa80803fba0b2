"""Whole nets on a GPU: ours in each precision against torch (cuDNN) in the same class, by size and batch."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ..engine.context import precisions
from ..engine.cost import analyse
from ..engine.net import Net
from ..engine.random_weights import random_weights
from ..engine.read_model import read_model
from ..errors import DeepLabError
from ..ops.devices import usable_device
from ..types import Pair
from .measure import machine
from .measure_device import device_peak, device_seconds
from .torch_net import TorchNet

# For each of our precisions the class of its peers: their dtype, and whether TF32 is allowed.
PEERS = {
    "exact": (torch.float32, False),
    "fp32": (torch.float32, False),
    "tf32": (torch.float32, True),
    "bf16": (torch.bfloat16, False),
    "fp16": (torch.float16, False),
}
LAYOUTS = {"NCHW": False, "NHWC": True}


@contextmanager
def _cudnn(tf32: bool) -> Iterator[None]:
    """cuDNN at its best: it measures its algorithms first."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=tf32):
        yield


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else machine()["cpu"]


def run(
    model: str,
    sizes: list[Pair],
    batches: list[int],
    rounds: int,
    rules: dict[str, Any],
    device: str,
    wanted: Sequence[str] = (),
    limit: float | None = None,
    save: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Measures precisions of the device and their peers for each size and batch; the result as plain data.

    Each entry: seconds of every round, their median, images a second, `ratio`: the peer's best median over
    ours, `error`: the largest difference to `exact` over the largest value, TFLOP/s counting all taps
    (nominal) and those inside the image (done), and bytes of the device's memory.

    rules: arguments of Net: variables, level, stages, dialect. wanted: precisions beside exact, all if none
    are given. `save` gets what there is after each precision. limit: seconds after which none is begun, but
    for the first. Raises DeepLabError for unknown precisions.
    """
    place = usable_device(device)
    known = precisions(place)
    if unknown := [name for name in wanted if name not in known]:
        raise DeepLabError(f"precision: {unknown[0]} given, of {', '.join(known)} wanted")
    chosen = [name for name in known if name == "exact" or name in (wanted or known)]
    about = {**machine(), "device": _name(place), "cuda": torch.version.cuda}
    result: dict[str, Any] = {"model": Path(model).parent.name, "machine": about, "results": []}
    end = time.monotonic() + (limit or float("inf"))
    with TemporaryDirectory() as folder:
        weights = str(Path(folder) / "weights.caffemodel")
        net = Net(model, **rules)
        random_weights(net)
        net.save(weights)
        del net
        for size, batch in product(sizes, batches):
            case = _Case(model, weights, size, batch, rounds, rules, place)
            before = list(result["results"])
            for precision in chosen:
                if result["results"] and time.monotonic() > end:
                    break
                result["results"] = before + case.add(precision)
                save(result)
    return result


class _Case:
    """One size and batch: entries of the candidates measured so far."""

    def __init__(
        self,
        model: str,
        weights: str,
        size: Pair,
        batch: int,
        rounds: int,
        rules: dict[str, Any],
        device: torch.device,
    ) -> None:
        self.model, self.weights, self.rounds, self.rules = model, weights, rounds, rules
        self.size, self.device = size, device
        image = 60 * torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))
        self.image = image.to(device)
        self.cost = analyse(read_model(model, **rules), size)
        self.entries: list[dict[str, Any]] = []
        self.exact: Tensor | None = None

    def add(self, precision: str) -> list[dict[str, Any]]:
        """Measures a precision, and torch in its class unless that has been; all entries so far."""
        net = Net(self.model, self.weights, device=self.device, precision=precision, **self.rules)
        net.reshape(**{next(iter(net.inputs)): tuple(self.image.shape)})
        kind = "fp32" if precision == "exact" else precision
        measured = {entry["class"] for entry in self.entries}
        self._measure(f"ours {precision}", kind, net)
        if kind not in measured:
            dtype, tf32 = PEERS[precision]
            for layout, last in LAYOUTS.items():
                peer = TorchNet(net, channels_last=last, dtype=dtype, fold=True)
                with _cudnn(tf32):
                    self._measure(f"torch {kind} {layout}", kind, peer)
                del peer
        for entry in self.entries:
            peers = [
                e["median"]
                for e in self.entries
                if e["class"] == entry["class"] and e["candidate"].startswith("torch")
            ]
            entry["ratio"] = min(peers) / entry["median"]
        return self.entries

    def _measure(self, candidate: str, kind: str, forward: Callable[[Tensor], Any]) -> None:
        device_peak(self.device)
        seconds = device_seconds(lambda: forward(self.image), self.rounds, self.device)
        median, batch = statistics.median(seconds), len(self.image)
        memory = device_peak(self.device)
        result = forward(self.image).float()
        self.exact = result if self.exact is None else self.exact
        self.entries.append(
            {
                "size": list(self.size),
                "batch": batch,
                "candidate": candidate,
                "class": kind,
                "seconds": seconds,
                "median": median,
                "images_per_second": batch / median,
                "nominal_tflops": 2e-12 * batch * self.cost.multiply_adds / median,
                "done_tflops": 2e-12 * batch * self.cost.effective_multiply_adds / median,
                "memory": memory,
                "error": _error(result, self.exact),
            }
        )


def _error(result: Tensor, exact: Tensor) -> float:
    return ((result - exact).abs().max() / exact.abs().max()).item()
