"""ChannelAggregator: the scores of groups of labels, from those of the labels."""

import torch
from torch import Tensor
from typing_extensions import override

from .. import ops
from ..errors import DeepLabError
from ..formats.files import read_text
from ..types import Shape
from .base import Layer, register

_MAX_FILE = 1 << 20  # bytes


@register("ChannelAggregator")
class ChannelAggregator(Layer):
    """`channel_aggregator_param { label_map_file }`: a line per output channel, the input channels it unites.

    Bottom (num, channels, height, width). An output is log(sum(exp(x))) over its channels, in the order of
    the file: the largest is subtracted first and added again behind the logarithm.
    """

    @override
    def setup(self) -> None:
        path = self.definition.param.channel_aggregator_param.label_map_file
        if not path:
            raise self.error("label_map_file", "missing")
        with self.naming("label_map_file"):
            text = read_text(path, _MAX_FILE)
            try:
                self.groups = [[int(word) for word in line.split()] for line in text.splitlines()]
            except ValueError:  # its text quotes the file, which may be anybody's
                raise DeepLabError(f"{path}: whole numbers wanted, separated by blanks") from None
        if not self.groups or not all(self.groups):
            raise self.error("label_map_file", f"{path}: one or more numbers in every line wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        self.want_dims(bottoms[0], 4)
        num, channels, *size = bottoms[0]
        for channel in (channel for group in self.groups for channel in group):
            if not 0 <= channel < channels:
                raise self.error("label_map_file", f"channel {channel} found, 0 to {channels - 1} wanted")
        return [(num, len(self.groups), *size)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        threads = self.context.threads
        for number, group in enumerate(self.groups):
            parts = [bottoms[0][:, channel] for channel in group]
            largest = torch.stack(parts).amax(0)
            total = torch.zeros_like(largest)
            for part in parts:
                total += ops.exp(part - largest, threads=threads)
            torch.add(largest, ops.log(total, threads=threads), out=tops[0][:, number])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return [torch.stack([bottoms[0][:, group].logsumexp(1) for group in self.groups], 1)]
