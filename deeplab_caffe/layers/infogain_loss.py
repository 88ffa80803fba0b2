"""InfogainLoss: the cross entropy of probabilities and labels, with a weight for each pair of classes."""

from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from ..formats import caffe_pb2
from ..formats.files import read_bytes, reading
from ..types import Shape
from .base import register
from .parts.loss import LabelLossLayer

_MAX_BYTES = 1 << 25  # protobuf makes an object of each number


@register("InfogainLoss")
class InfogainLoss(LabelLossLayer):
    """Bottoms: probabilities (num, ...), one label per image, [weights (1, 1, classes, classes)].

    Without a third bottom `infogain_loss_param { source }` names a file with the weights (a BlobProto). The
    label's row of the weights tells what the logarithm of each class's probability counts.
    """

    bottom_count = (2, 3)

    @override
    def setup(self) -> None:
        param = self.definition.param.infogain_loss_param
        if param.axis != 1:
            raise self.error("axis", f"{param.axis} given, only 1 is supported")
        self.weights = torch.empty(0)  # of the third bottom, if there is one
        if len(self.definition.bottoms) < 3:
            if not param.source:
                raise self.error("source", "missing, and there is no third bottom with the weights")
            if not self.context.shapes_only:
                self.weights = self._read(param.source)

    def _read(self, path: str) -> Tensor:
        blob = caffe_pb2.BlobProto()
        with self.naming("source"), reading(path, "no BlobProto"):
            blob.ParseFromString(read_bytes(path, _MAX_BYTES))
        return torch.tensor(blob.double_data or blob.data, dtype=torch.float32)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        top = super().shape(bottoms[:2])
        classes = prod(bottoms[0][1:])
        given = prod(bottoms[2]) if len(bottoms) > 2 else len(self.weights)
        if given == 0 and self.context.shapes_only:
            return top
        if given != classes * classes:
            raise self.error("source", f"{given} weights given, {classes}x{classes} wanted")
        return top

    @override
    def total(self, x: Tensor, partner: Tensor, weights: Tensor | None = None) -> Tensor:
        weights = self.weights if weights is None else weights
        rows = weights.reshape(x.shape[1], -1)[self.labels(x, partner).view(-1)]
        return -(rows.double() * x.clamp(min=1e-20).log()).sum()
