"""Whole nets: ours in each precision against the same net in torch, by input size and number of threads."""

import json
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..engine.cost import analyse
from ..engine.net import Net
from ..engine.random_weights import random_weights
from ..engine.read_model import read_model
from ..types import Pair
from .measure import forget_peak_memory, interleave, machine, median_ratio, own_peak_memory, peak_memory
from .torch_net import TorchNet

STREAMED = "exact streamed"
OURS = ("exact", STREAMED, "fp32", "bf16")
# bf16 by kernels of our own, where the processor has the instructions.
OWN_BF16 = {f"bf16 {name}": name for name in ops.BF16_INSTRUCTIONS}
PEERS: dict[str, Callable[[Net], TorchNet]] = {
    "torch NCHW": partial(TorchNet, channels_last=False),
    "torch NHWC": TorchNet,
    "torch NHWC folded": partial(TorchNet, fold=True),
    "torch NHWC bf16": partial(TorchNet, dtype=torch.bfloat16),
}


def _image(size: Pair) -> Tensor:
    return 60 * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))


def candidate(
    name: str,
    model: str,
    weights: str,
    size: Pair,
    rules: dict[str, Any],
    training: bool = False,
    weight_memory: int = 16 << 20,
) -> Callable[[], object]:
    """The candidate `name` (one of OURS, OWN_BF16 or PEERS) as a function without arguments.

    training: it goes forwards and backwards, else only forwards. weight_memory: of the candidate STREAMED.
    """
    precision = "bf16" if name in OWN_BF16 else name if name in OURS and name != STREAMED else "exact"
    limit = weight_memory if name == STREAMED else None
    with ops.choose_bf16_kernels(OWN_BF16.get(name, "torch")):
        net = Net(model, weights, precision=precision, **rules, weight_memory=limit)
    image = _image(size)
    net.reshape(**{next(iter(net.inputs)): tuple(image.shape)})
    if name not in PEERS:
        if training:
            module = net.module()
            return lambda: _back(next(iter(module(image).outputs.values())), list(module.parameters()))
        return lambda: net(image)
    peer = PEERS[name](net)
    for layer in net.layers:
        layer.blobs.clear()  # the peer has its own
    if training:
        parameters = [parameter.requires_grad_() for parameter in peer.parameters()]
        return lambda: _back(peer.forward(image), parameters)
    return lambda: peer(image)


def _back(top: Tensor, parameters: list[Tensor]) -> None:
    """Differentiates the sum of `top`, then drops the gradients, as optimizers' zero_grad does."""
    top.sum().backward()
    for parameter in parameters:
        parameter.grad = None


def run(
    model: str,
    sizes: list[Pair],
    threads: list[int],
    rounds: int,
    rules: dict[str, Any],
    training: bool = False,
    weight_memory: int = 16 << 20,
) -> dict[str, Any]:
    """Measures all candidates for each size and thread count; the result as plain data.

    rules: arguments of Net: variables, level, stages, dialect. training: steps forwards and backwards,
    without dropout and with stored statistics (nothing is streamed then). weight_memory: bytes, of the
    candidate STREAMED.

    Each entry: seconds of every round, their median, `ratio` to torch's fastest float32 (NHWC), the share of
    the machine's fused-multiply-add peak counting all taps (nominal) and those inside the image (done), and
    peak memory of a process that does nothing else.
    """
    with TemporaryDirectory() as folder:
        weights = str(Path(folder) / "weights.caffemodel")
        net = Net(model, **rules)
        random_weights(net)
        net.save(weights)
        results = _measure(model, weights, sizes, threads, rounds, rules, training, weight_memory)
    return {"model": Path(model).parent.name, "machine": machine(), "results": results}


def _measure(
    model: str,
    weights: str,
    sizes: list[Pair],
    threads: list[int],
    rounds: int,
    rules: dict[str, Any],
    training: bool,
    weight_memory: int,
) -> list[dict[str, Any]]:
    before = torch.get_num_threads()
    results = []
    definition = read_model(model, **rules)
    folded = any(layer.type == "BatchNorm" for layer in definition.layers)
    ours = [name for name in OURS if not (training and name == STREAMED)]
    if not training:
        ours += [name for name, kernels in OWN_BF16.items() if ops.has_bf16_kernels(kernels)]
    names = [*ours, *(name for name in PEERS if "folded" not in name or (folded and not training))]
    passes = 3 if training else 1  # backwards: a product for the data and one for the weights
    try:
        for size in sizes:
            cost = analyse(definition, size)
            candidates = {
                name: candidate(name, model, weights, size, rules, training, weight_memory) for name in names
            }
            for count in threads:
                torch.set_num_threads(count)
                peak = _fma_peak(count)
                seconds = interleave(candidates, rounds)
                peak = max(peak, _fma_peak(count))
                for name in names:
                    median = statistics.median(seconds[name])
                    alone = {
                        "name": name,
                        "model": model,
                        "weights": weights,
                        "size": size,
                        "rules": rules,
                        "threads": count,
                        "training": training,
                        "weight_memory": weight_memory,
                    }
                    results.append(
                        {
                            "size": list(size),
                            "threads": count,
                            "candidate": name,
                            "seconds": seconds[name],
                            "median": median,
                            "ratio": median_ratio(seconds[name], seconds["torch NHWC"]),
                            "peak_flops": peak,
                            "nominal_share": 2 * passes * cost.multiply_adds / median / peak,
                            "done_share": 2 * passes * cost.effective_multiply_adds / median / peak,
                            "memory": peak_memory(__name__, alone),
                        }
                    )
    finally:
        torch.set_num_threads(before)
    return results


def _fma_peak(threads: int) -> float:
    """What the machine can do at all: the best of several measurements, since others may be at work on it."""
    return max(ops.fma_peak(threads) for _ in range(5))


def _alone(arguments: dict[str, Any]) -> None:
    """One candidate by itself: prints the most memory this process had once it was made."""
    torch.set_num_threads(arguments.pop("threads"))
    forward = candidate(**{**arguments, "size": tuple(arguments["size"])})
    forget_peak_memory()
    forward()
    forward()
    print(own_peak_memory())


if __name__ == "__main__":
    _alone(json.loads(sys.argv[1]))
