"""Whole nets on a GPU: ours in each precision against torch (cuDNN) in the same class, by size and batch."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    variables: dict[str, str],
    device: str,
) -> dict[str, Any]:
    """Measures every precision of the device and its peers for each size and batch; the result as plain data.

    Each entry: seconds of every round, their median, images a second, `ratio`: the peer's best median over
    ours, `error`: the largest difference to `exact` over the largest value, TFLOP/s counting all taps
    (nominal) and those inside the image (done), and bytes of the device's memory.
    """
    place = usable_device(device)
    with TemporaryDirectory() as folder:
        weights = str(Path(folder) / "weights.caffemodel")
        net = Net(model, variables=variables)
        random_weights(net)
        net.save(weights)
        del net
        results = [
            entry
            for size in sizes
            for batch in batches
            for entry in _case(model, weights, size, batch, rounds, variables, place)
        ]
    about = {**machine(), "device": _name(place), "cuda": torch.version.cuda}
    return {"model": Path(model).parent.name, "machine": about, "results": results}


def _case(
    model: str,
    weights: str,
    size: Pair,
    batch: int,
    rounds: int,
    variables: dict[str, str],
    device: torch.device,
) -> list[dict[str, Any]]:
    image = 60 * torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))
    image = image.to(device)
    cost = analyse(read_model(model, variables), size)
    entries: list[dict[str, Any]] = []

    def measure(candidate: str, kind: str, forward: Callable[[Tensor], Any]) -> Tensor:
        device_peak(device)
        seconds = device_seconds(lambda: forward(image), rounds, device)
        median = statistics.median(seconds)
        entries.append(
            {
                "size": list(size),
                "batch": batch,
                "candidate": candidate,
                "class": kind,
                "seconds": seconds,
                "median": median,
                "images_per_second": batch / median,
                "nominal_tflops": 2e-12 * batch * cost.multiply_adds / median,
                "done_tflops": 2e-12 * batch * cost.effective_multiply_adds / median,
                "memory": device_peak(device),
            }
        )
        return forward(image).float()

    exact = None
    for precision in precisions(device):
        net = Net(model, weights, device=device, precision=precision, variables=variables)
        net.reshape(**{next(iter(net.inputs)): tuple(image.shape)})
        result = measure(f"ours {precision}", precision, net)
        exact = result if exact is None else exact
        entries[-1]["error"] = _error(result, exact)
        if precision == "exact":
            continue  # its class is that of fp32
        dtype, tf32 = PEERS[precision]
        for layout, last in LAYOUTS.items():
            peer = TorchNet(net, channels_last=last, dtype=dtype, fold=True)
            with _cudnn(tf32):
                result = measure(f"torch {precision} {layout}", precision, peer)
            entries[-1]["error"] = _error(result, exact)
        del net, peer
    for entry in entries:
        kind = "fp32" if entry["class"] == "exact" else entry["class"]
        peers = [e["median"] for e in entries if e["class"] == kind and e["candidate"].startswith("torch")]
        entry["ratio"] = min(peers) / entry["median"]
    return entries


def _error(result: Tensor, exact: Tensor) -> float:
    return ((result - exact).abs().max() / exact.abs().max()).item()
