"""How a net runs for each choice of outputs: planned when it is first wanted, once per set of shapes."""

from collections.abc import Mapping
from typing import Literal

from .. import ops
from ..errors import DeepLabError
from ..layers import Context
from ..threads import thread_count
from ..types import Shape
from . import memory
from .dag import Graph, Value
from .execution import Execution
from .schedule import Fused, Schedule, make_schedule

# "watched": the caller is shown every blob that a forward computes.
Run = Literal["forward", "watched", "training", "watched training"]


class Plans:
    """A net's executions, which share one arena.

    keep_blobs, streamed, captures: whether all blobs can be read afterwards, weights are streamed, runs may
    become CUDA graphs. source: names the net in errors.
    """

    def __init__(
        self, graph: Graph, context: Context, source: str, keep_blobs: bool, streamed: bool, captures: bool
    ) -> None:
        self.arena = memory.Arena(context.device)
        self._graph, self._context, self._source = graph, context, source
        self._keep_blobs, self._streamed, self._captures = keep_blobs, streamed, captures
        self._shapes: Mapping[Value, Shape] = {}
        self._executions: dict[tuple[tuple[str, ...] | None, Run], Execution] = {}

    def start(self, shapes: Mapping[Value, Shape], context: Context) -> None:
        """Forgets all plans: from now on blobs have these shapes. Raises DeepLabError if memory is short."""
        self._shapes, self._context = shapes, context
        self._executions.clear()
        self.execution(None, "forward")

    def execution(self, outputs: tuple[str, ...] | None, run: Run) -> Execution:
        """What gives these outputs (None: the net's own); DeepLabError for unknown ones, or short memory."""
        if (outputs, run) not in self._executions:
            schedule = self.schedule(outputs, run)
            blobs = {id(blob): blob for node in self._graph.nodes for blob in node.layer.blobs}.values()
            unmade = sum(memory.FLOAT * blob.count for blob in blobs if not blob.made)
            schedule.check_memory(unmade, self.arena.size, self._context.device)
            self._executions[outputs, run] = Execution(schedule, self._context, self.arena, self._captures)
        return self._executions[outputs, run]

    def schedule(self, outputs: tuple[str, ...] | None, run: Run) -> Schedule:
        """The order for it. In the exact precision fusing changes no bit, so watching may undo it."""
        wanted = self._graph.outputs() if outputs is None else self.find(outputs)
        exact = self._context.precision == "exact"
        fused: Fused = "no" if run == "watched training" or (run == "watched" and exact) else "forward"
        on_cpu = self._context.runs_forward and not ops.backend_of(self._context.device).is_gpu
        in_bands = run == "forward" and on_cpu and not self._keep_blobs
        return make_schedule(
            self._graph,
            self._shapes,
            wanted,
            "training" if run == "training" else fused,
            self._keep_blobs,
            fuses_kept=not exact,
            threads=thread_count(self._context.threads) if in_bands else None,
            streamed=self._streamed,
        )

    def find(self, names: tuple[str, ...]) -> dict[str, Value]:
        """The blobs of these names, each with its last value; DeepLabError names one that there is not."""
        for name in names:
            if name not in self._graph.blobs:
                raise DeepLabError(f"{self._source}: no blob is named '{name}'")
        return {name: self._graph.blobs[name] for name in names}
