"""One way of running a net: the nodes for given outputs after all passes, and their memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch

from ..errors import DeepLabError
from ..types import Shape
from . import dag, memory
from .dag import Graph, Node, Value
from .passes.branches import branches
from .passes.depth_first import depth_first
from .passes.fuse import fuse
from .passes.lockstep import lockstep
from .passes.needed import needed
from .passes.repeats import without_repeats
from .passes.row_bands import row_bands, scratch_shapes

Fused = Literal["no", "forward", "training"]  # which layers do the work of those behind them, too
# How large the arena may become for lockstep, times the one without. First layers of several scales fit in
# hardly more, for it is the largest scale that needs most; further on, more and more blobs of the others have
# to wait. A few percent take the cheap part and leave the rest.
_MORE_FOR_LOCKSTEP = 1.04


@dataclass(frozen=True)
class Schedule:
    """Nodes with their memory plan, for one set of shapes.

    inputs: what the caller must give. kept: values still there after a run, the outputs among them. dead: for
    each node the values that nobody needs after it. branches: the later nodes that a node computes, too.
    """

    nodes: list[Node]
    shapes: Mapping[Value, Shape]
    outputs: dict[str, Value]
    inputs: set[Value]
    kept: set[Value]
    plan: memory.Plan
    dead: list[list[Value]]
    branches: dict[Node, list[Node]]

    @property
    def stays_on_device(self) -> bool:
        """Whether no node needs main memory or waits for the device, as a CUDA graph must not."""
        layers = [node.layer for node in self.nodes if not node.layer.fed_by_caller]
        return all(layer.on_device and not layer.synchronises for layer in layers)

    def check_memory(self, extra: int, ours: int, device: torch.device) -> None:
        """Raises DeepLabError if the plan and `extra` bytes do not fit; `ours`: bytes we have already."""
        need, free = self.plan.total + extra, memory.available(device) + ours
        if need <= free:
            return
        texts = f"needs {memory.readable(need)}", f"{memory.readable(free)} are available"
        sizes = {value: memory.FLOAT * prod(self.shapes[value]) for node in self.nodes for value in node.tops}
        value = max(sizes, key=lambda v: sizes[v], default=None)
        if value is None or sizes[value] < extra:
            raise DeepLabError(f"the net {texts[0]}, mostly for parameters; {texts[1]}")
        layer = next(node.layer for node in self.nodes if value in node.tops)
        shape = f"{dag.text(self.shapes[value])} ({memory.readable(sizes[value])})"
        raise layer.error("top", f"blob '{value.name}' is {shape}, the net {texts[0]}; {texts[1]}")


def make_schedule(
    net: Graph,
    shapes: Mapping[Value, Shape],
    outputs: dict[str, Value],
    fused: Fused = "forward",
    keep: bool = False,
    fuses_kept: bool = False,
    threads: int | None = None,
    streamed: bool = False,
) -> Schedule:
    """Plans a run that gives `outputs`.

    keep: the last value of every blob stays readable after it. fuses_kept: but for those that fusing makes
    away with; for precisions in which fusing changes values. threads: chains of layers run in row bands
    that keep so many threads busy; None: no such chains. streamed: nodes that share weights come together
    where that is cheap.
    """
    wanted = set(outputs.values())
    nodes = net.nodes if outputs == net.outputs() else needed(net.nodes, wanted)
    tops = {value for node in nodes for value in node.tops}
    kept = tops.intersection(net.blobs.values()) if keep else set()
    visible = wanted | kept
    if fused != "no":
        nodes = fuse(nodes, wanted if fuses_kept else visible, training=fused == "training")
        kept &= {value for node in nodes for value in node.tops}
        visible = wanted | kept
    if threads is not None:
        nodes = without_repeats(nodes, shapes, visible)
        nodes = row_bands(nodes, shapes, visible, threads, streamed)
        shapes = {**shapes, **scratch_shapes(nodes)}
    used = wanted.union(*(node.bottoms + node.tops for node in nodes))
    inputs = used.intersection(net.inputs.values())

    def arena(order: list[Node]) -> int:
        return memory.make_plan(order, shapes, inputs, wanted, kept).arena

    if fused == "forward":
        nodes = depth_first(nodes, arena)
        if streamed:
            nodes = lockstep(nodes, arena, round(_MORE_FOR_LOCKSTEP * arena(nodes)))
    return Schedule(
        nodes=nodes,
        shapes=shapes,
        outputs=outputs,
        inputs=inputs,
        kept=visible | inputs,
        plan=memory.make_plan(nodes, shapes, inputs, wanted, kept),
        dead=_dead(nodes, visible | inputs),
        branches=branches(nodes),
    )


def _dead(nodes: list[Node], kept: set[Value]) -> list[list[Value]]:
    last = {value: time for time, node in enumerate(nodes) for value in node.bottoms + node.tops}
    dead: list[list[Value]] = [[] for _ in nodes]
    for value, time in last.items():
        if value not in kept:
            dead[time].append(value)
    return dead
