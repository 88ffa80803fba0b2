"""Histogram: how often each label occurs in a label map."""

from torch import Tensor
from typing_extensions import override

from ..types import Shape
from .base import Layer, register


@register("Histogram")
class Histogram(Layer):
    """`histogram_param { num_labels, ignore_label (repeated) }`; top (num, num_labels, 1, 1).

    Bottom: labels (num, 1, height, width). As in the original the first row of the top counts all images of
    the batch and the other rows are 0.
    """

    @override
    def setup(self) -> None:
        param = self.param = self.definition.param.histogram_param
        if param.num_labels < 1:
            raise self.error("num_labels", f"{param.num_labels} given, at least 1 wanted")

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if len(bottoms[0]) != 4 or bottoms[0][1] != 1:
            raise self.error("bottom", f"{bottoms[0]} given, 4 dimensions with one channel wanted")
        return [(bottoms[0][0], self.param.num_labels, 1, 1)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        tops[0].zero_()
        labels, counts = bottoms[0].unique(return_counts=True)
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
            if label in self.param.ignore_label:
                continue
            if not (0 <= label < self.param.num_labels and label == int(label)):
                wanted = f"an integer from 0 to {self.param.num_labels - 1}"
                raise self.error("bottom", f"label {label:g} found, {wanted} wanted")
            # Adding 1 again and again stops at 2^24, where a float32 cannot tell the next number.
            tops[0][0, int(label)] = min(count, 1 << 24)
