"""Branches that share weights, as those of a net for several scales do, run in step: a weight is read once.

That matters where weights are streamed (weight_memory.py). But what one branch has computed waits for the
others, so they are in step only as far into the net as it takes hardly any memory; behind that point one
branch runs after the other.
"""

from collections.abc import Callable

from ...layers.parameters.parameter import Parameter
from ..dag import Step, Value


def in_step(steps: list[Step], arena: Callable[[list[Step]], int], limit: int) -> list[Step]:
    """The steps in another valid order: as many of those that share weights together as `arena` allows.

    arena: the bytes that an order of the steps needs, at most `limit`, which those of `steps` may exceed.
    """
    groups = _groups(steps)
    if len(set(map(tuple, groups.values()))) == len(steps):
        return steps
    producers = {value: step for step in steps for value in step.tops}
    branch: dict[Step, int] = {}
    for step in steps:
        inherited = min((branch[producers[v]] for v in step.bottoms if v in producers), default=0)
        branch[step] = groups[step].index(step) if len(groups[step]) > 1 else inherited
    together = _ordered([mate for step in steps for mate in groups[step]], producers)
    # The last scales are the smallest, and leave the least behind; where branches join is number 0.
    apart = sorted(steps, key=lambda step: -branch[step])
    best, least, most = steps, 0, len(steps)
    while least < most:
        middle = (least + most + 1) // 2
        order = _ordered(together[:middle] + apart, producers)
        if arena(order) <= limit:
            best, least = order, middle
        else:
            most = middle - 1
    return best


def _groups(steps: list[Step]) -> dict[Step, list[Step]]:
    """For each step those with the same parameters, itself included."""
    groups: dict[tuple[Parameter, ...] | Step, list[Step]] = {}
    for step in steps:
        groups.setdefault(tuple(step.layer.blobs) or step, []).append(step)
    return {step: groups[tuple(step.layer.blobs) or step] for step in steps}


def _ordered(wanted: list[Step], producers: dict[Value, Step]) -> list[Step]:
    """The steps in that order, each once, but what they read is computed before."""
    done: dict[Step, None] = {}
    for step in wanted:
        pending = [step]
        while pending:
            before = [producers[v] for v in pending[-1].bottoms if v in producers]
            before = [other for other in before if other not in done]
            if before and pending[-1] not in done:
                pending += before[::-1]
            else:
                done[pending.pop()] = None
    return list(done)
