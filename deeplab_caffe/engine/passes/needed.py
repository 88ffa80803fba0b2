"""Leaves out the steps whose results nobody wants."""

from collections.abc import Iterable

from ..dag import Step, Value


def needed(steps: list[Step], wanted: Iterable[Value]) -> list[Step]:
    """The steps without which the wanted values cannot be computed."""
    values, chosen = set(wanted), []
    for step in reversed(steps):
        if values.intersection(step.tops):
            values.update(step.bottoms)
            chosen.append(step)
    return chosen[::-1]
