"""Another valid order of the steps: one branch after the other."""

from ..dag import Step


def depth_first(steps: list[Step]) -> list[Step]:
    """The steps in another valid order: each branch to its end before the next one is begun."""
    producers = {value: step for step in steps for value in step.tops}
    read = {value for step in steps for value in step.bottoms}
    ordered: dict[Step, None] = {}
    pending = [step for step in reversed(steps) if read.isdisjoint(step.tops)]
    while pending:
        before = [producers[value] for value in pending[-1].bottoms if value in producers]
        before = [step for step in before if step not in ordered]
        if before:
            pending += before[::-1]
        else:
            ordered[pending.pop()] = None
    return list(ordered)
