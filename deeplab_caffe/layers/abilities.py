"""What some layers can do besides Caffe's contract; whoever needs it asks with isinstance."""

from ..types import Shape
from .parts.window import Window


class Windowed:
    """A layer whose top positions read more of a 4-dimensional bottom than their own position."""

    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """What a position reads of the rows and of the columns of the first bottom; empty: only its own."""
        return []

    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        """Multiply-adds of a forward: all, and those that lie inside the image."""
        return 0, 0
