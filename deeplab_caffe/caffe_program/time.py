"""`caffe time`: times each layer of a net, forwards and backwards."""

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ..engine.execution import torch_threads
from ..engine.inputs import from_memory
from ..engine.net import Net
from ..errors import DeepLabError
from ..layers import Layer
from ..solver.distributed import layers_before_losses
from .gpus import CPU, choose
from .made_net import make_net
from .programs import Call

CAFFE = "caffe.cpp"
_MS = 1e3


def main(call: Call) -> int:
    """Runs the net layer by layer; prints each layer's mean times, and the net's."""
    flags, log = call.flags, call.log
    iterations, phase = flags.number("iterations"), flags.text("phase") or "TRAIN"
    if iterations < 1:
        raise DeepLabError(f"--iterations={iterations}: 1 or more wanted")
    if phase not in ("TRAIN", "TEST"):
        raise DeepLabError(f"--phase={phase}: TRAIN or TEST wanted")
    device = choose(flags.text("gpu"), log)[0]
    stopwatch = Stopwatch(make_net(call, phase.lower(), device, needs_weights=False))
    log.info(CAFFE, "Performing Forward")
    stopwatch.forward()
    log.info(CAFFE, f"Initial loss: {stopwatch.loss():.6g}")
    log.info(CAFFE, "Performing Backward")
    stopwatch.backward()
    log.info(CAFFE, "*** Benchmark begins ***")
    log.info(CAFFE, f"Testing for {iterations} iterations.")
    stopwatch.clear()
    for number in range(iterations):
        once = stopwatch.forward() + stopwatch.backward()
        log.info(CAFFE, f"Iteration: {number + 1} forward-backward time: {once * _MS:.6g} ms.")
    log.info(CAFFE, "Average time per layer: ")
    for timed in stopwatch.timed:
        for way, seconds in (("forward", timed.forward), ("backward", timed.backward)):
            log.info(CAFFE, f"{timed.layer.name:>10}\t{way}: {seconds / iterations * _MS:.6g} ms.")
    forward, backward = stopwatch.total("forward"), stopwatch.total("backward")
    log.info(CAFFE, f"Average Forward pass: {forward / iterations * _MS:.6g} ms.")
    log.info(CAFFE, f"Average Backward pass: {backward / iterations * _MS:.6g} ms.")
    log.info(CAFFE, f"Average Forward-Backward: {(forward + backward) / iterations * _MS:.6g} ms.")
    log.info(CAFFE, f"Total Time: {(forward + backward) * _MS:.6g} ms.")
    log.info(CAFFE, "*** Benchmark ends ***")
    return 0


@dataclass
class Timed:
    """A layer, the seconds it took so far, and the last forward's bottoms and tops."""

    layer: Layer
    forward: float = 0.0
    backward: float = 0.0
    bottoms: tuple[Tensor, ...] = ()
    tops: tuple[Tensor, ...] = ()


class Stopwatch:
    """Runs the layers of a net one by one, as training does, and takes their times.

    Nothing is fused across layers, so that each has a time of its own; a gradient of ones goes backwards
    through each layer that a loss depends on, to what depends on parameters.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.timed = [Timed(layer) for layer in net.layers]
        self._before_losses = layers_before_losses(net.layers)

    def clear(self) -> None:
        """Forgets the times."""
        for timed in self.timed:
            timed.forward = timed.backward = 0.0

    def total(self, way: str) -> float:
        """The seconds of all layers, "forward" or "backward"."""
        return sum(getattr(timed, way) for timed in self.timed)

    def forward(self) -> float:
        """A forward pass; its seconds."""
        net, device = self.net, self.net.device
        given = from_memory(net.layers, {})
        blobs = {name: torch.zeros(shape, device=device) for name, shape in net.inputs.items()} | given
        before, differentiable = self.total("forward"), set[str]()
        with torch_threads(net.context.threads):
            for timed in self.timed:
                definition = timed.layer.definition
                if timed.layer.fed_by_caller:
                    continue
                learns = definition.name in self._before_losses
                timed.bottoms = tuple(
                    blobs[name].detach().requires_grad_(learns and name in differentiable)
                    for name in definition.bottoms
                )
                start = self._now()
                with torch.set_grad_enabled(learns):
                    timed.tops = tuple(timed.layer.forward_train(list(timed.bottoms)))
                timed.forward += self._now() - start
                if any(top.requires_grad for top in timed.tops):
                    differentiable.update(definition.tops)
                blobs.update(zip(definition.tops, timed.tops, strict=True))
        return self.total("forward") - before

    def backward(self) -> float:
        """Each layer's gradient, the last layer's first; the seconds."""
        before = self.total("backward")
        with torch_threads(self.net.context.threads):
            for timed in reversed(self.timed):
                tops = [top for top in timed.tops if top.requires_grad]
                if tops and timed.layer.definition.bottoms:
                    start = self._now()
                    torch.autograd.backward(tops, [torch.ones_like(top) for top in tops])
                    timed.backward += self._now() - start
                timed.bottoms = timed.tops = ()
        return self.total("backward") - before

    def loss(self) -> float:
        """The loss of the last forward."""
        total = 0.0
        for timed in self.timed:
            for weight, top in zip(timed.layer.loss_weights, timed.tops, strict=False):
                if weight:
                    total += weight * float(top.detach().sum())
        return total

    def _now(self) -> float:
        if self.net.device.type != CPU:
            torch.cuda.synchronize(self.net.device)
        return perf_counter()
