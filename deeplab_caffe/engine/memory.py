"""Where each value of a net lives: in one arena, whose memory is used again once the last reader has run.

The arena stays allocated from one forward to the next: the system maps its pages once only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import ops
from ..ops.devices import free_memory
from ..threads.room import available_memory
from ..types import Shape
from .dag import Node, Value

ALIGNMENT = 128  # bytes: a cache line, which is two of a CPU's
FLOAT = 4
_MOST_LENDERS = 4  # outputs, the largest ones


@dataclass
class Plan:
    """`root[v]` is the value whose memory v shares; offsets and sizes are in bytes.

    Roots are in exactly one of `offsets` (in the arena), `fresh` (allocated anew in each forward, because the
    caller gets them), `lent` (in the memory of a fresh one, before that is made, and where) and `given` (the
    caller's own memory). `inside[r]`: the root of which r is a part, and where in it; that is how what is
    concatenated gets written to its place at once.
    """

    root: dict[Value, Value] = field(default_factory=dict)
    size: dict[Value, int] = field(default_factory=dict)
    offsets: dict[Value, int] = field(default_factory=dict)
    fresh: set[Value] = field(default_factory=set)
    lent: dict[Value, tuple[Value, int]] = field(default_factory=dict)
    given: set[Value] = field(default_factory=set)
    repeats: set[Node] = field(default_factory=set)
    inside: dict[Value, tuple[Value, int]] = field(default_factory=dict)
    arena: int = 0

    @property
    def total(self) -> int:
        """Bytes that a forward needs, without the inputs and parameters."""
        return self.arena + sum(self.size[value] for value in self.fresh)


def make_plan(
    nodes: list[Node],
    shapes: Mapping[Value, Shape],
    inputs: set[Value],
    outputs: set[Value],
    kept: set[Value],
) -> Plan:
    """Plans the memory of `nodes`: `outputs` get fresh memory, `kept` values are not overwritten."""
    planner = _Planner(nodes, shapes, inputs, outputs | kept)
    planner.choose_roots()
    plan = planner.plan
    plan.fresh = {plan.root[value] for value in outputs if value in plan.root} - plan.given
    spans = planner.spans()
    planner.nest(spans)
    _pack(plan, spans, planner.made)
    for root, (whole, offset) in plan.inside.items():
        if whole in plan.lent:
            lender, first = plan.lent[whole]
            plan.lent[root] = lender, first + offset
        else:
            plan.offsets[root] = plan.offsets[whole] + offset
    return plan


class _Planner:
    """Fills a Plan. `members[r]`: the values in the memory of root r, in the order in which they are made."""

    def __init__(
        self, nodes: list[Node], shapes: Mapping[Value, Shape], inputs: set[Value], forever: set[Value]
    ) -> None:
        self.nodes, self.shapes = nodes, shapes
        self.plan = Plan(given=set(inputs))
        self.members: dict[Value, list[Value]] = {}
        self.made: dict[Value, int] = {}  # by root: when the first of its values is
        self.needed: dict[Value, int] = {}  # by root: when the last of its values is read
        self.wholes: set[Value] = set()  # roots that have parts
        self.last_use = {value: time for time, node in enumerate(nodes) for value in node.bottoms}
        self.last_use |= dict.fromkeys(forever, len(nodes))

    def choose_roots(self) -> None:
        """Says for each value whose memory it shares."""
        for value in self.plan.given:
            self._put(value, value, -1)
        for time, node in enumerate(self.nodes):
            if node.repeated is not None and not node.layer.fed_by_caller:
                self.plan.repeats.add(node)
                for value, source in zip(node.tops, node.repeated, strict=True):
                    self._put(value, self.plan.root[source], time)
                continue
            for i, value in enumerate(node.tops):
                if value not in self.plan.root:  # else the caller gives it
                    root = self._overwritten(node, time) if i == 0 else None
                    self._put(value, root or value, time)

    def spans(self) -> dict[Value, tuple[int, int]]:
        """For each root in the arena the first and the last time that its memory is needed."""
        outside = self.plan.fresh | self.plan.given
        ends = {
            root: max(self.last_use.get(value, self.made[root]) for value in values)
            for root, values in self.members.items()
        }
        return {root: (self.made[root], end) for root, end in ends.items() if root not in outside}

    def nest(self, spans: dict[Value, tuple[int, int]]) -> None:
        """Puts bottoms of nodes that append them where they belong in the top; `spans` follows."""
        for time, node in enumerate(self.nodes):
            if node in self.plan.repeats or not node.appends(self.shapes):
                continue
            top = self.plan.root[node.tops[0]]
            if top in spans and top is node.tops[0] and len(set(node.bottoms)) == len(node.bottoms):
                self._nest_bottoms(node, time, spans)

    def _nest_bottoms(self, node: Node, time: int, spans: dict[Value, tuple[int, int]]) -> None:
        top, offset = node.tops[0], 0
        for bottom in node.bottoms:
            root, size = self.plan.root[bottom], self._bytes(bottom)
            if self._is_all_of(bottom, root) and root in spans and self.needed[root] <= time:
                self.plan.inside[root] = top, offset
                self.wholes.add(top)
                start, end = spans.pop(root)
                spans[top] = min(start, spans[top][0]), max(end, spans[top][1])
            offset += size

    def _is_all_of(self, value: Value, root: Value) -> bool:
        """Whether `value` is what stands last, and alone, in the memory of `root`, which has no parts."""
        whole = self.plan.size[root] == self._bytes(value) and self.members[root][-1] is value
        return whole and root not in self.wholes

    def _put(self, value: Value, root: Value, time: int) -> None:
        self.plan.root[value] = root
        self.made.setdefault(root, time)
        self.needed[root] = max(self.needed.get(root, -1), self.last_use.get(value, -1))
        self.members.setdefault(root, []).append(value)
        self.plan.size[root] = max(self.plan.size.get(root, 0), self._bytes(value))

    def _bytes(self, value: Value) -> int:
        return FLOAT * prod(self.shapes[value])

    def _overwritten(self, node: Node, time: int) -> Value | None:
        """The memory of a bottom that the first top may take, or None."""
        roots = [self.plan.root[bottom] for bottom in node.bottoms]
        for bottom in node.overwritable():
            root = self.plan.root[bottom]
            same = self._bytes(bottom) == self._bytes(node.tops[0])
            alone = roots.count(root) == 1 and root not in self.plan.given
            if same and alone and self.needed[root] <= time:
                return root
        return None


class _Region:
    """Memory in which values find places, at most `count` of them; limit: its bytes, None for what they take.

    until: from that time on it holds something else. kind: of numbers, large enough for offsets.
    """

    def __init__(self, kind: type, count: int, limit: int | None = None, until: int | None = None) -> None:
        self.limit, self.until = limit, until
        self.end = 0
        # Of those placed: first and last time, first byte, and where the next one may begin.
        self._placed: NDArray[Any] = np.empty((4, count), kind)
        self._count = 0

    def place(self, span: tuple[int, int], size: int) -> int | None:
        """The lowest offset free while the value lives; None: there is no room."""
        start, stop = span
        if (self.until is not None and stop >= self.until) or (self.limit is not None and size > self.limit):
            return None
        before = self._placed[:, : self._count]
        alive = before[:, (before[0] <= stop) & (start <= before[1])]
        alive = alive[:, alive[2].argsort()]
        free = np.concatenate([[0], np.maximum.accumulate(alive[3])])
        fits = free[:-1] + size <= alive[2]
        offset = int(free[fits.argmax() if fits.any() else -1])
        if self.limit is not None and offset + size > self.limit:
            return None
        self.end = max(self.end, offset + size)
        following = -(-(offset + size) // ALIGNMENT) * ALIGNMENT
        self._placed[:, self._count] = start, stop, offset, following
        self._count += 1
        return offset


def _pack(plan: Plan, spans: dict[Value, tuple[int, int]], made: Mapping[Value, int]) -> None:
    """Places the values, largest first: in the memory of an output until that is made, or in the arena."""
    # Python's numbers for sizes that no machine has: who asks for them is told so afterwards.
    total = sum(plan.size.values()) + ALIGNMENT * len(plan.size)
    kind = np.int64 if total < 2**63 else object
    outputs = sorted(plan.fresh, key=lambda root: (-plan.size[root], made[root]))[:_MOST_LENDERS]
    lenders = {root: _Region(kind, len(spans), plan.size[root], made[root]) for root in outputs}
    arena = _Region(kind, len(spans))
    for value in sorted(spans, key=lambda v: -plan.size[v]):
        for lender, region in lenders.items():
            if (offset := region.place(spans[value], plan.size[value])) is not None:
                plan.lent[value] = lender, offset
                break
        else:
            offset = arena.place(spans[value], plan.size[value])
            assert offset is not None
            plan.offsets[value] = offset
    plan.arena = arena.end


class Arena:
    """Memory that the runs of a net share, as large as the largest needs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.values = allocate(0, device)

    @property
    def size(self) -> int:
        """Bytes."""
        return FLOAT * self.values.numel()

    def grow(self, size: int) -> None:
        """Makes it at least so many bytes; what it held is gone then."""
        if self.size < size:
            self.values = allocate(0, self.device)  # the old memory goes before the new comes
            self.values = allocate(size, self.device)


def allocate(size: int, device: torch.device) -> Tensor:
    """`size` bytes as float32, aligned to ALIGNMENT."""
    raw = ops.empty(size // FLOAT + ALIGNMENT // FLOAT, device)
    skip = -raw.data_ptr() % ALIGNMENT // FLOAT
    return raw[skip : skip + size // FLOAT]


def available(device: torch.device) -> int:
    """Bytes that this process can hope for: of a GPU's memory, or of main memory within its cgroup."""
    if device.type == "cuda":
        return free_memory(device)
    return available_memory()


def readable(size: int) -> str:
    """A number of bytes as people write it."""
    for unit, scale in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
