"""Lets layers do the work of those that alone read their top."""

from ..dag import Step, Value


def fuse(steps: list[Step], kept: set[Value], training: bool = False) -> list[Step]:
    """Lets layers absorb the ones that alone read their top; values in `kept` stay visible.

    Sets `absorbed` of every layer. A layer is absorbed only where its other bottoms are there in time.
    training: asks `absorbs_in_training`.
    """
    steps = unfuse(steps)
    readers = _readers(steps)
    fused, gone = [], set()
    for step in steps:
        if step in gone:
            continue
        merged = step
        while (following := _only_reader(merged, readers, kept)) and following not in gone:
            bottom = following.bottoms.index(merged.tops[0])
            others = following.bottoms[:bottom] + following.bottoms[bottom + 1 :]
            if any(value.producer >= step.index for value in others):
                break
            layer = step.layer
            absorbs = layer.absorbs_in_training if training else layer.absorbs
            if not absorbs(following.layer, bottom):
                break
            step.layer.absorbed.append(following.layer)
            gone.add(following)
            merged = Step(step.index, step.layer, merged.bottoms + others, following.tops)
        fused.append(merged)
    return fused


def unfuse(steps: list[Step]) -> list[Step]:
    """The steps as they are, each layer for itself."""
    for step in steps:
        step.layer.absorbed.clear()
    return steps


def _readers(steps: list[Step]) -> dict[Value, list[Step]]:
    readers: dict[Value, list[Step]] = {}
    for step in steps:
        for value in step.bottoms:
            readers.setdefault(value, []).append(step)
    return readers


def _only_reader(step: Step, readers: dict[Value, list[Step]], kept: set[Value]) -> Step | None:
    if len(step.tops) != 1 or step.tops[0] in kept:
        return None
    found = readers.get(step.tops[0], [])
    return found[0] if len(found) == 1 else None
