"""Runs a schedule: the loops over its nodes."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor

from ..errors import OutOfMemoryError, is_out_of_memory
from ..layers import Context, Layer
from ..layers.abilities import Branches
from ..ops.devices import torch_precision
from ..threads import own_share
from ..threads.side_by_side import check_stopped
from . import memory
from .cuda_graph import Runner
from .dag import Node, Values
from .inputs import plain
from .schedule import Schedule

# Called as on_layer(index, layer, {top: tensor}).
OnLayer = Callable[[int, Layer, dict[str, Tensor]], None]


class Execution:
    """A schedule with what it takes to run it forwards, again and again: arena, precision, CUDA graph."""

    def __init__(self, schedule: Schedule, context: Context, arena: memory.Arena, captures: bool) -> None:
        self.schedule, self.context, self.arena = schedule, context, arena
        self._runner = Runner(captures and schedule.stays_on_device)
        self._prepared = False

    def __call__(
        self, values: Values, versions: Hashable, on_layer: OnLayer | None = None
    ) -> dict[str, Tensor]:
        """The outputs; `values` starts with the inputs and ends with all that is there after the run.

        versions: changes whenever a parameter does.
        """
        if self.context.runs_forward:
            if not self._prepared:  # before the arena is there: what is made on the way needs memory, too
                for node in self.schedule.nodes:
                    node.prepare()
                self._prepared = True
            try:
                self.arena.grow(self.schedule.plan.arena)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                size = memory.readable(self.schedule.plan.arena)
                raise OutOfMemoryError(f"out of memory: the blobs of the net need {size}") from None
        if on_layer is not None:
            return self._run(values, on_layer)
        return self._runner(self._run, values, (self.arena.values.data_ptr(), versions))

    def _run(self, values: Values, on_layer: OnLayer | None = None) -> dict[str, Tensor]:
        if self.context.runs_forward:
            run_in_arena(self.schedule, values, self.arena.values, on_layer)
        else:
            with torch_precision(self.context.precision):
                run_fast(self.schedule, values, self.context.device, on_layer)
        return {name: plain(values[value]) for name, value in self.schedule.outputs.items()}


def run_in_arena(schedule: Schedule, values: Values, arena: Tensor, on_layer: OnLayer | None) -> None:
    """Runs all nodes in float32, `values` starting with the inputs and ending with every value's tensor.

    arena: flat float32 of at least `plan.arena` bytes. A tensor is overwritten once its last reader has run,
    unless the schedule keeps it.
    """
    plan, roots = schedule.plan, {value: tensor.view(-1) for value, tensor in values.items()}
    for root in plan.fresh:
        roots[root] = torch.empty(plan.size[root] // memory.FLOAT, device=arena.device)
    for root, offset in plan.offsets.items():
        roots[root] = arena[offset // memory.FLOAT :]
    for root, (lender, offset) in plan.lent.items():
        roots[root] = roots[lender][offset // memory.FLOAT :]
    for node in schedule.nodes:
        check_stopped()
        for value in node.tops:
            if value not in values:
                shape = schedule.shapes[value]
                values[value] = roots[plan.root[value]][: prod(shape)].view(shape)
        tops = [values[value] for value in node.tops]
        if not node.layer.fed_by_caller and node not in plan.repeats:
            node.forward([values[value] for value in node.bottoms], tops)
        if on_layer is not None:
            on_layer(*node.last, {v.name: t for v, t in zip(node.tops, tops, strict=True)})


def run_fast(schedule: Schedule, values: Values, device: torch.device, on_layer: OnLayer | None) -> None:
    """The same with torch's operators where layers have them, tensors in any memory format and dtype."""
    for node, dead in zip(schedule.nodes, schedule.dead, strict=True):
        check_stopped()
        if not node.layer.fed_by_caller and not all(value in values for value in node.tops):
            bottoms = [values[value] for value in node.bottoms]
            layer, branches = node.layer, schedule.branches.get(node)
            tops: list[Tensor] | None
            if node in schedule.plan.repeats:
                tops = _repeated(schedule, node, values)
            elif branches and isinstance(layer, Branches):
                own, *others = layer.forward_branches(
                    [(b.layer, b.fused) for b in (node, *branches)], bottoms[0]
                )
                values.update((branch.tops[0], top) for branch, top in zip(branches, others, strict=True))
                tops = [own]
            else:
                tops = node.forward_fast(bottoms)
            if tops is None:
                tops = [torch.empty(schedule.shapes[value], device=device) for value in node.tops]
                node.forward([plain(bottom) for bottom in bottoms], tops)
            values.update(zip(node.tops, tops, strict=True))
        if on_layer is not None:
            on_layer(*node.last, {value.name: plain(values[value]) for value in node.tops})
        for value in dead:
            values.pop(value, None)


def run_train(schedule: Schedule, values: Values, device: torch.device, on_layer: OnLayer | None) -> Tensor:
    """The same for autograd: nothing is overwritten, what no gradient needs goes with its last reader.

    Returns the loss, the sum of all tops by their loss_weight.
    """
    losses: list[Tensor] = []
    for node, dead in zip(schedule.nodes, schedule.dead, strict=True):
        if not node.layer.fed_by_caller:
            if node in schedule.plan.repeats:
                tops = _repeated(schedule, node, values)
            else:
                tops = node.forward_train([values[value] for value in node.bottoms])
            values.update(zip(node.tops, tops, strict=True))
        (index, layer), named = node.last, {value.name: values[value] for value in node.tops}
        for weight, top in zip(layer.loss_weights, named.values(), strict=True):
            if weight:
                losses.append(top.sum() if weight == 1 else weight * top.sum())
        if on_layer is not None:
            on_layer(index, layer, named)
        for value in dead:
            values.pop(value, None)
    return sum(losses[1:], losses[0]) if losses else torch.zeros((), device=device)


def _repeated(schedule: Schedule, node: Node, values: Values) -> list[Tensor]:
    pairs = zip(node.repeated or (), node.tops, strict=True)
    return [values[source].reshape(schedule.shapes[value]) for source, value in pairs]


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Gives torch's own operators the net's number of threads, too."""
    threads = own_share() if threads is None else threads
    if threads is None:  # nothing to set, nor to take back from other Python threads
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
