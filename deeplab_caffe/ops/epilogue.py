"""What a convolution's outputs go through in the same pass, each op with the roundings of its layer.

A new one is a class here, a kind and its math in csrc (epilogue.h, epilogue_value.h), and its layer's method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from ..errors import DeepLabError
from ..types import Shape
from .checks import check


@dataclass(frozen=True)
class Operands:
    """What the kernels read, see csrc/conv/epilogue.h. channels: at most two tensors of a value each."""

    channels: tuple[Tensor, ...] = ()
    other: Tensor | None = None  # of the output's shape
    first: float = 1.0
    second: float = 1.0
    after: bool = False


@dataclass(frozen=True, eq=False)
class Bias:
    """y + shift, which has a value per channel."""

    kind: ClassVar[str] = "bias"
    shift: Tensor

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands((self.shift,))

    def apply_(self, y: Tensor) -> Tensor:
        """Torch's operators, in `y` [batch, channels, height, width] itself."""
        return y.add_(_like(self.shift, y))

    def behind(self, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """The scale and shift per channel that stand for this behind those given."""
        return scale, shift + self.shift.reshape(-1)


@dataclass(frozen=True, eq=False)
class Scale:
    """y * scale, which has a value per channel."""

    kind: ClassVar[str] = "scale"
    scale: Tensor

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands((self.scale,))

    def apply_(self, y: Tensor) -> Tensor:
        """See Bias."""
        return y.mul_(_like(self.scale, y))

    def behind(self, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See Bias."""
        own = self.scale.reshape(-1)
        return scale * own, shift * own


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """(y - mean) / std, which have a value per channel."""

    kind: ClassVar[str] = "batch_norm"
    mean: Tensor
    std: Tensor

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands((self.mean, self.std))

    def apply_(self, y: Tensor) -> Tensor:
        """See Bias."""
        return y.sub_(_like(self.mean, y)).div_(_like(self.std, y))

    def behind(self, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See Bias."""
        mean, std = self.mean.reshape(-1), self.std.reshape(-1)
        return scale / std, (shift - mean) / std


@dataclass(frozen=True, eq=False)
class Sum:
    """coefficient * y + other_coefficient * other, as Eltwise SUM; other: a tensor of the output's shape.

    after: y is added after `other`, the first of the layer's two bottoms.
    """

    kind: ClassVar[str] = "sum"
    other: Tensor
    coefficient: float = 1.0
    other_coefficient: float = 1.0
    after: bool = False

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands((), self.other, self.coefficient, self.other_coefficient, self.after)

    def apply_(self, y: Tensor) -> Tensor:
        """See Bias."""
        y = y if self.coefficient == 1 else y.mul_(self.coefficient)
        return y.add_(self.other.to(y.dtype), alpha=self.other_coefficient)


@dataclass(frozen=True)
class ReLU:
    """max(y, 0) + slope * min(y, 0)."""

    kind: ClassVar[str] = "relu"
    slope: float = 0.0

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands(first=self.slope)

    def apply_(self, y: Tensor) -> Tensor:
        """See Bias."""
        return functional.leaky_relu_(y, self.slope) if self.slope else y.relu_()


@dataclass(frozen=True)
class Clip:
    """y, at least low and at most high."""

    kind: ClassVar[str] = "clip"
    low: float
    high: float

    def operands(self) -> Operands:
        """For the kernels."""
        return Operands(first=self.low, second=self.high)

    def apply_(self, y: Tensor) -> Tensor:
        """See Bias."""
        return y.clamp_(self.low, self.high)


ChannelOp = Bias | Scale | BatchNorm
EpilogueOp = ChannelOp | Sum | ReLU | Clip


def _like(channels: Tensor, y: Tensor) -> Tensor:
    return channels.to(y.dtype).view(1, -1, 1, 1)


def check_epilogue(name: str, epilogue: Sequence[EpilogueOp]) -> None:
    """Raises DeepLabError if anything else is among them."""
    for op in epilogue:
        if not isinstance(op, EpilogueOp):
            raise DeepLabError(f"{name}: {type(op).__name__} given in the epilogue, an EpilogueOp wanted")


def native_epilogue(
    native: ModuleType, epilogue: Sequence[EpilogueOp], shape: Shape, like: Tensor, moved: int = 0
) -> tuple[list[Any], list[Tensor]]:
    """The steps for the kernels of `atrous_conv`, and the tensors that must outlive the call.

    shape: the output's; moved: bytes between the first value of a tensor of that shape and the one for the
    first output. Raises DeepLabError if an operand does not fit.
    """
    check_epilogue("atrous_conv", epilogue)
    steps: list[Any] = []
    kept: list[Tensor] = []
    for op in epilogue:
        given = op.operands()
        tensors = [check("atrous_conv", t, count=shape[1], like=like) for t in given.channels]
        addresses = [tensor.data_ptr() for tensor in tensors]
        if given.other is not None:
            if tuple(given.other.shape) != shape:
                raise DeepLabError(f"atrous_conv: sum with {tuple(given.other.shape)}, {shape} wanted")
            tensors.append(check("atrous_conv", given.other, like=like))
            addresses.append(tensors[-1].data_ptr() + moved)
        a, b = (addresses + [0, 0])[:2]
        kind = getattr(native.EpilogueKind, op.kind)
        steps.append(native.EpilogueStep(kind, a, b, given.first, given.second, given.after))
        kept += tensors
    return steps, kept
