"""What some layers can do besides Caffe's contract; whoever needs it asks with isinstance."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from typing_extensions import override

from .. import ops
from ..types import Pair, Shape
from .base import Layer
from .parts.window import Window

# Layers whose work another one does in the same pass, in order.
Fused = tuple[Layer, ...]


class Fusing(Layer):
    """A layer that can do the work of layers behind it in the same pass, with the same roundings.

    On every device: `on_device` must be True.
    """

    # Whether the first top may be the memory of a bottom that a fused layer reads besides.
    overwrites_operands: ClassVar[bool] = False

    def fuses(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """Whether `forward` can do the work of `following`, too, after that of `fused`.

        Asked where the only top so far is read by nobody but `following`, as its bottom number `bottom`.
        After True `forward` and `forward_fast` get `following` as the last of `fused`, its other bottoms
        after the own ones, and its tops; it does not run itself.
        """
        return False

    def fuses_in_training(self, following: Layer, bottom: int, fused: Fused) -> bool:
        """The same for `forward_train`."""
        return False

    @abstractmethod
    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor], fused: Fused = ()) -> None:
        """As Layer.forward, with the work of the layers `fused` in the same pass."""

    @override
    def forward_fast(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor] | None:
        """None with layers that only `forward` fuses."""
        return None if fused else super().forward_fast(bottoms)

    @override
    def forward_train(self, bottoms: list[Tensor], fused: Fused = ()) -> list[Tensor]:
        """`fused` is what `fuses_in_training` allows."""
        return super().forward_train(bottoms)


class Epilogue(ABC):
    """A layer that can be an op behind a convolution, in its pass."""

    def can_be_epilogue(self) -> bool:
        """Whether it can with its fields."""
        return True

    @abstractmethod
    def epilogue(self, bottom: int, others: list[Tensor]) -> list[ops.EpilogueOp]:
        """This layer as ops behind a convolution (see ops.epilogue).

        bottom: number of the bottom that is the convolution's output; others: the other bottoms, in order.
        """


@dataclass
class Rows:
    """Rows [first, end) of a blob of `height` rows; values: [batch, channels, end - first, width]."""

    values: Tensor
    first: int
    end: int
    height: int


class RowWise(ABC):
    """A layer with one bottom of its own that can compute some rows of its top only."""

    @abstractmethod
    def rows_read(self, rows: Pair, height: int) -> Pair | None:
        """Rows (first, end) of the bottom, of `height` rows, that the top's `rows` (first, end) depend on.

        None: with its fields it cannot.
        """

    @abstractmethod
    def forward_rows(
        self, bottom: Rows, rows: Pair, top: Rows, others: list[Tensor], fused: Fused = ()
    ) -> None:
        """`forward` of the top's `rows` (first, end) only, which `top` has room for.

        bottom: holds all rows that are read, and none behind them. others: the further bottoms, those of
        `fused`, whole; then `top` is whole, too.
        """


class Alias:
    """A layer whose tops can share memory with its bottoms."""

    def view_of(self, top: int) -> int | None:
        """The bottom whose values top number `top` only repeats (so they may share memory), or None."""
        return None

    def appends(self, bottoms: list[Shape]) -> bool:
        """Whether the only top is, in memory, these bottoms one behind the other.

        Then the net may let them be made there: `forward` finds some bottoms to be parts of the top already.
        """
        return False


class Branches(ABC):
    """A layer that can compute several of its type in one go, from their common bottom."""

    @abstractmethod
    def branch_key(self) -> Hashable:
        """What layers have in common that can be computed together; None: this one cannot.

        Asked of layers with one bottom (after fusing) and one top, for the fast precisions.
        """

    @abstractmethod
    def forward_branches(self, branches: Sequence[tuple[Layer, Fused]], bottom: Tensor) -> list[Tensor]:
        """Their tops, as from `forward_fast`: those of this layer, which comes first, and of the others."""


class Windowed:
    """A layer whose top positions read more of a 4-dimensional bottom than their own position."""

    def windows(self, bottoms: list[Shape]) -> list[Window]:
        """What a position reads of the rows and of the columns of the first bottom; empty: only its own."""
        return []

    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        """Multiply-adds of a forward: all, and those that lie inside the image."""
        return 0, 0
