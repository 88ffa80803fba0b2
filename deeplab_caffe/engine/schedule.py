"""One way of running a net: the steps for given outputs, their memory, and the loops over them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch

from .. import ops
from ..errors import DeepLabError
from ..layers import Layer
from . import dag, memory
from .cuda_graph import Runner
from .dag import Graph, Step, Value
from .passes import depth_first, fuse, lockstep, needed, row_bands

Shape = tuple[int, ...]
Tensor = torch.Tensor
Fused = Literal["no", "forward", "training"]  # which layers do the work of those behind them, too
_MORE_FOR_LOCKSTEP = 1.04  # times the arena without it
OnLayer = Callable[[int, Layer, dict[str, Tensor]], None]


@dataclass
class Schedule:
    """Steps with their memory plan, for one set of shapes.

    `inputs`: what the caller must give. `held`: values still there after a run, the outputs among them.
    """

    steps: list[Step]
    shapes: dict[Value, Shape]
    outputs: dict[str, Value]
    inputs: set[Value]
    held: set[Value]
    plan: memory.Plan
    absorbed: dict[Layer, list[Layer]]
    dead: list[list[Value]]  # for each step, the values it is the last to read
    runner: Runner
    siblings: dict[Step, list[Step]]  # later steps with the same single bottom, one top each

    def run_forward(self, values: dict[Value, Tensor], arena: Tensor, on_layer: OnLayer | None) -> None:
        """Runs all steps in float32, `values` starting with the inputs and ending with every value's tensor.

        arena: flat float32 of at least `plan.arena` bytes. A tensor is overwritten once its last reader ran,
        unless it is in `held`.
        """
        self._activate()
        plan, roots = self.plan, {value: tensor.view(-1) for value, tensor in values.items()}
        for root in plan.fresh:
            roots[root] = torch.empty(plan.size[root] // memory.FLOAT, device=arena.device)
        for root, offset in plan.offsets.items():
            roots[root] = arena[offset // memory.FLOAT :]
        for step in self.steps:
            for value in step.tops:
                if value not in values:
                    shape = self.shapes[value]
                    values[value] = roots[plan.root[value]][: prod(shape)].view(shape)
            tops = [values[value] for value in step.tops]
            if not step.layer.fed and step not in plan.repeats:
                step.layer.compute([values[value] for value in step.bottoms], tops)
            if on_layer is not None:
                on_layer(step.index, step.layer, {v.name: t for v, t in zip(step.tops, tops, strict=True)})

    def run_fast(self, values: dict[Value, Tensor], device: torch.device, on_layer: OnLayer | None) -> None:
        """The same with torch's operators where layers have them, tensors in any memory format and dtype."""
        self._activate()
        for step, dead in zip(self.steps, self.dead, strict=True):
            layer, bottoms = step.layer, [values[value] for value in step.bottoms]
            if not layer.fed and not all(value in values for value in step.tops):
                tops = None
                if step in self.plan.repeats:
                    sources = [layer.view_of(i) for i in range(len(step.tops))]
                    tops = [
                        bottoms[source].reshape(self.shapes[value])
                        for value, source in zip(step.tops, sources, strict=True)
                    ]
                elif branches := self._branches(step):
                    tops, *more = layer.forward_together([other.layer for other in branches], bottoms[0])
                    tops = [tops]
                    values.update((other.tops[0], top) for other, top in zip(branches, more, strict=True))
                else:
                    tops = layer.forward_fast(bottoms)
                if tops is None:
                    tops = [torch.empty(self.shapes[value], device=device) for value in step.tops]
                    layer.compute([plain(bottom) for bottom in bottoms], tops)
                values.update(zip(step.tops, tops, strict=True))
            if on_layer is not None:
                on_layer(step.index, layer, {value.name: plain(values[value]) for value in step.tops})
            for value in dead:
                values.pop(value, None)

    def _branches(self, step: Step) -> list[Step]:
        """The later steps that the layer of `step` computes in one go with its own."""
        if step not in self.siblings or (kind := step.layer.together()) is None:
            return []
        same = [other for other in self.siblings[step] if other.layer.together() == kind]
        return same[: ops.TENSOR_CORE_BRANCHES - 1]

    def run_train(self, values: dict[Value, Tensor], on_layer: OnLayer | None) -> None:
        """The same for autograd: nothing is overwritten, what no gradient needs goes with its last reader."""
        self._activate()
        for step, dead in zip(self.steps, self.dead, strict=True):
            layer, bottoms = step.layer, [values[value] for value in step.bottoms]
            if not layer.fed:
                if step in self.plan.repeats:
                    sources = [layer.view_of(i) for i in range(len(step.tops))]
                    tops = [
                        bottoms[i].reshape(self.shapes[v]) for i, v in zip(sources, step.tops, strict=True)
                    ]
                else:
                    tops = layer.forward_train(bottoms)
                values.update(zip(step.tops, tops, strict=True))
            if on_layer is not None:
                on_layer(step.index, layer, {value.name: values[value] for value in step.tops})
            for value in dead:
                values.pop(value, None)

    def check_memory(self, extra: int, held: int, device: torch.device) -> None:
        """Raises DeepLabError if the plan and `extra` bytes do not fit; `held` bytes are ours already."""
        need, free = self.plan.total + extra, memory.available(device) + held
        if need <= free:
            return
        need, free = memory.readable(need), memory.readable(free)
        sizes = {value: memory.FLOAT * prod(self.shapes[value]) for step in self.steps for value in step.tops}
        value = max(sizes, key=lambda v: sizes[v], default=None)
        if value is None or sizes[value] < extra:
            raise DeepLabError(f"the net needs {need}, mostly for parameters; {free} are available")
        layer = next(step.layer for step in self.steps if value in step.tops)
        shape = f"{dag.text(self.shapes[value])} ({memory.readable(sizes[value])})"
        raise layer.error(
            "top", f"blob '{value.name}' is {shape}, the net needs {need}; {free} are available"
        )

    def _activate(self) -> None:
        for layer, absorbed in self.absorbed.items():
            layer.absorbed[:] = absorbed


def make_schedule(
    net: Graph,
    shapes: dict[Value, Shape],
    outputs: dict[str, Value],
    fused: Fused,
    keep: bool,
    captures: bool = False,
    threads: int | None = None,
    streamed: bool = False,
) -> Schedule:
    """Plans a run that gives `outputs`.

    keep: the last value of every blob stays readable after it. captures: repeated runs become CUDA graphs, if
    all layers have kernels for the device. threads: chains of layers run in row bands that keep so many
    threads busy; None: no such chains. streamed: steps that share weights come together where that is cheap.
    """
    wanted = set(outputs.values())
    steps = net.steps if outputs == net.outputs() else needed.needed(net.steps, wanted)
    tops = {value for step in steps for value in step.tops}
    kept = tops.intersection(net.blobs.values()) if keep else set()
    if fused == "no":
        steps = fuse.unfuse(steps)
    else:
        steps = fuse.fuse(steps, wanted | kept, training=fused == "training")
    if threads is not None:
        shapes = dict(shapes)
        steps = row_bands.chain(steps, shapes, wanted | kept, threads)
    used = wanted.union(*(step.bottoms + step.tops for step in steps))
    inputs = used.intersection(net.inputs.values())
    plan = memory.make_plan(steps, shapes, inputs, wanted, kept)
    if fused == "forward":
        other = depth_first.depth_first(steps)
        other_plan = memory.make_plan(other, shapes, inputs, wanted, kept)
        if other_plan.arena < plan.arena:
            steps, plan = other, other_plan
        if streamed:

            def arena(order: list[Step]) -> int:
                return memory.make_plan(order, shapes, inputs, wanted, kept).arena

            steps = lockstep.in_step(steps, arena, round(_MORE_FOR_LOCKSTEP * plan.arena))
            plan = memory.make_plan(steps, shapes, inputs, wanted, kept)
    last = {value: time for time, step in enumerate(steps) for value in step.bottoms + step.tops}
    dead: list[list[Value]] = [[] for _ in steps]
    for value, time in last.items():
        if value not in wanted | kept | inputs:
            dead[time].append(value)
    on_device = all(step.layer.fed or (step.layer.on_device and not step.layer.waits) for step in steps)
    return Schedule(
        steps=steps,
        shapes=shapes,
        outputs=outputs,
        inputs=inputs,
        held=wanted | kept | inputs,
        plan=plan,
        absorbed={step.layer: list(step.layer.absorbed) for step in net.steps},
        dead=dead,
        runner=Runner(captures and on_device),
        siblings=_siblings(steps),
    )


def _siblings(steps: list[Step]) -> dict[Step, list[Step]]:
    """For each step with one bottom and one top the later ones of its type with the same bottom."""
    found: dict[Step, list[Step]] = {}
    for time, step in enumerate(steps):
        if len(step.bottoms) == len(step.tops) == 1:
            found[step] = [
                other
                for other in steps[time + 1 :]
                if other.bottoms == step.bottoms
                and len(other.tops) == 1
                and other.layer.type == step.layer.type
            ]
    return {step: others for step, others in found.items() if others}


def plain(tensor: Tensor) -> Tensor:
    """The tensor as contiguous float32."""
    return tensor.to(torch.float32).contiguous()
