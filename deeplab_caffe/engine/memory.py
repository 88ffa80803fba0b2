"""Where each value of a net lives: one arena, in which memory is reused once its last reader ran.

The arena stays allocated from one forward to the next, so that its pages are faulted in once.
"""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch

from .. import ops
from ..ops.devices import free_memory
from .dag import Step, Value

Shape = tuple[int, ...]
ALIGNMENT = 128  # bytes: a cache line, which is two of a CPU's
FLOAT = 4


@dataclass
class Plan:
    """`root[v]` is the value whose memory v shares; offsets and sizes are in bytes.

    Roots are in exactly one of `offsets` (in the arena), `fresh` (allocated anew in each forward, because the
    caller gets them) and `given` (the caller's own memory). `inside[r]`: the root of which r is a part, and
    where in it; that is how what is concatenated gets written to its place at once.
    """

    root: dict[Value, Value] = field(default_factory=dict)
    size: dict[Value, int] = field(default_factory=dict)
    offsets: dict[Value, int] = field(default_factory=dict)
    fresh: set[Value] = field(default_factory=set)
    given: set[Value] = field(default_factory=set)
    repeats: set[Step] = field(default_factory=set)
    inside: dict[Value, tuple[Value, int]] = field(default_factory=dict)
    arena: int = 0

    @property
    def total(self) -> int:
        """Bytes that a forward needs, without the inputs and parameters."""
        return self.arena + sum(self.size[value] for value in self.fresh)


def make_plan(
    steps: list[Step], shapes: dict[Value, Shape], inputs: set[Value], outputs: set[Value], kept: set[Value]
) -> Plan:
    """Plans the memory of `steps`: `outputs` get fresh memory, `kept` values are not overwritten."""
    plan = Plan(given=set(inputs))
    last = _last_use(steps, outputs | kept)
    first: dict[Value, int] = {}
    group: dict[Value, list[Value]] = {}

    def place(value: Value, root: Value, time: int) -> None:
        plan.root[value] = root
        first.setdefault(root, time)
        group.setdefault(root, []).append(value)
        plan.size[root] = max(plan.size.get(root, 0), FLOAT * prod(shapes[value]))

    def free_after(root: Value, time: int) -> bool:
        return root not in plan.given and all(last.get(value, -1) <= time for value in group[root])

    for value in inputs:
        place(value, value, -1)
    for time, step in enumerate(steps):
        sources = [step.layer.view_of(i) for i in range(len(step.tops))]
        if not step.layer.fed and not step.layer.absorbed and step.tops and None not in sources:
            plan.repeats.add(step)
            for value, source in zip(step.tops, sources, strict=True):
                place(value, plan.root[step.bottoms[source]], time)
            continue
        for i, value in enumerate(step.tops):
            if value in plan.root:
                continue  # the caller gives it
            root = value
            for number in step.layer.overwritable(len(step.bottoms)) if i == 0 else ():
                roots = [plan.root[bottom] for bottom in step.bottoms]
                same = prod(shapes[value]) == prod(shapes[step.bottoms[number]])
                if same and roots.count(roots[number]) == 1 and free_after(roots[number], time):
                    root = roots[number]
                    break
            place(value, root, time)
    plan.fresh = {plan.root[value] for value in outputs if value in plan.root} - plan.given
    ends = {root: max(last.get(value, first[root]) for value in members) for root, members in group.items()}
    spans = {root: (first[root], ends[root]) for root in group if root not in plan.fresh | plan.given}
    for time, step in enumerate(steps):
        if step.layer.appends([shapes[value] for value in step.bottoms]) and step not in plan.repeats:
            _place_inside(plan, step, time, shapes, last, group, spans)
    plan.offsets, plan.arena = _pack(spans, plan.size)
    for root, (whole, offset) in plan.inside.items():
        plan.offsets[root] = plan.offsets[whole] + offset
    return plan


def _place_inside(
    plan: Plan,
    step: Step,
    time: int,
    shapes: dict[Value, Shape],
    last: dict[Value, int],
    group: dict[Value, list[Value]],
    spans: dict[Value, tuple[int, int]],
) -> None:
    """Puts bottoms of `step`, whose top is one behind the other, where they belong in the top."""
    top, offset = plan.root[step.tops[0]], 0
    if top not in spans or top is not step.tops[0] or len(set(step.bottoms)) < len(step.bottoms):
        return
    for bottom in step.bottoms:
        root, size = plan.root[bottom], FLOAT * prod(shapes[bottom])
        own = root in spans and root not in {whole for whole, _ in plan.inside.values()}
        dead = all(last.get(value, -1) <= time for value in group.get(root, ()))
        if own and dead and plan.size[root] == size and group[root][-1] is bottom:
            plan.inside[root] = top, offset
            start, end = spans.pop(root)
            spans[top] = min(start, spans[top][0]), max(end, spans[top][1])
        offset += size


def _last_use(steps: list[Step], forever: set[Value]) -> dict[Value, int]:
    """When each value is last needed."""
    last = {value: time for time, step in enumerate(steps) for value in step.bottoms}
    return last | dict.fromkeys(forever, len(steps))


def _pack(spans: dict[Value, tuple[int, int]], size: dict[Value, int]) -> tuple[dict[Value, int], int]:
    """Offsets, largest first, each at the lowest place free while it lives; and the size of the arena."""
    offsets: dict[Value, int] = {}
    end = 0
    for value in sorted(spans, key=lambda v: -size[v]):
        start, stop = spans[value]
        taken = sorted(
            (offsets[v], offsets[v] + size[v])
            for v in offsets
            if spans[v][0] <= stop and start <= spans[v][1]
        )
        offset = 0
        for low, high in taken:
            if offset + size[value] <= low:
                break
            offset = max(offset, -(-high // ALIGNMENT) * ALIGNMENT)
        offsets[value] = offset
        end = max(end, offset + size[value])
    return offsets, end


def allocate(size: int, device: torch.device) -> torch.Tensor:
    """`size` bytes as float32, aligned to ALIGNMENT."""
    raw = ops.empty(size // FLOAT + ALIGNMENT // FLOAT, device)
    skip = -raw.data_ptr() % ALIGNMENT // FLOAT
    return raw[skip : skip + size // FLOAT]


def available(device: torch.device) -> int:
    """Bytes that this process can hope for: of a GPU's memory, or of main memory within its cgroup."""
    if device.type == "cuda":
        return free_memory(device)
    found = [1 << 46]
    try:
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(limit).read_text()))
        except (OSError, ValueError):
            pass
    return min(found)


def readable(size: int) -> str:
    """A number of bytes as people write it."""
    for unit, scale in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
