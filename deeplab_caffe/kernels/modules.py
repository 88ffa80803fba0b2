"""Modules of torch.nn for atrous convolution."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from typing_extensions import override

from ..errors import DeepLabError
from . import arguments
from .atrous import Numbers, atrous_conv2d


class AtrousConv2d(torch.nn.Conv2d):
    """torch.nn.Conv2d with this package's kernels: the same parameters, names and start values.

    rate is the dilation; see `atrous_conv2d` for the others. Takes [batch, in_channels, height, width].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        *,
        rate: Numbers = 1,
        padding: Numbers | Literal["same", "valid"] = 0,
        stride: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        precision: str = "exact",
        device: torch.device | str | None = None,
    ) -> None:
        name = type(self).__name__
        kernel = arguments.pair(f"{name}: kernel_size", kernel_size, 1)
        strides = arguments.pair(f"{name}: stride", stride, 1)
        rates = arguments.pair(f"{name}: rate", rate, 1)
        pads: Any = padding
        if padding not in ("same", "valid"):
            pads = arguments.pair(f"{name}: padding", padding, 0)
        self.precision = arguments.known_precision(name, precision)
        try:
            super().__init__(
                in_channels,
                out_channels,
                kernel,
                strides,
                pads,
                rates,
                groups,
                bias,
                device=device,
            )
        except ValueError as error:
            raise DeepLabError(f"{name}: {error}") from None

    @override
    def forward(self, input: Tensor) -> Tensor:
        """[batch, out_channels, h, w]."""
        return atrous_conv2d(
            input,
            self.weight,
            self.bias,
            rate=self.dilation,
            padding=self.padding,  # type: ignore[arg-type]
            stride=self.stride,
            groups=self.groups,
            precision=self.precision,
        )

    @override
    def extra_repr(self) -> str:
        """As torch's, and the precision."""
        return f"{super().extra_repr()}, precision={self.precision}"


class ASPP(torch.nn.Module):
    """Atrous spatial pyramid pooling: convolutions of one map at several rates, side by side.

    merge: "sum" adds the branches, first to last, as DeepLab v2 does with scores ([batch, out_channels, h,
    w]); "concat" joins their channels, as v3 does. Maps keep their size: each branch's padding is its rate's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rates: Sequence[int] = (6, 12, 18, 24),
        *,
        kernel_size: int = 3,
        merge: Literal["sum", "concat"] = "sum",
        bias: bool = True,
        precision: str = "exact",
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if not rates:
            raise DeepLabError("ASPP: no rates given")
        if merge not in ("sum", "concat"):
            raise DeepLabError(f"ASPP: merge {merge!r} given, sum or concat wanted")
        self.merge = merge
        self.branches = torch.nn.ModuleList(
            AtrousConv2d(
                in_channels,
                out_channels,
                kernel_size,
                rate=rate,
                padding="same",
                bias=bias,
                precision=precision,
                device=device,
            )
            for rate in rates
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        """[batch, out_channels (times the number of rates for "concat"), height, width]."""
        tops = [branch(x) for branch in self.branches]
        if self.merge == "concat":
            return torch.cat(tops, 1)
        total = tops[0]
        for top in tops[1:]:
            total = total + top
        return total
