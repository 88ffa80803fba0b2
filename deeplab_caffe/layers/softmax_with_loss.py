"""SoftmaxWithLoss: softmax and the cross entropy with a label map."""

from math import log, prod

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from .. import ops
from ..autograd import SoftmaxLossFunction
from ..errors import DeepLabError
from ..formats.files import read_text
from ..types import Shape
from .base import Layer, register

_MAX_FILE = 1 << 20  # bytes
LOG_FLT_MIN = log(torch.finfo(torch.float32).tiny)


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    """Bottoms: scores, labels (one per position). Tops: the loss, [the probabilities].

    v1: `softmaxloss_param { weight_source, ignore_label (repeated) }`: each position weighs as much as its
    label's entry in the file weight_source says (1 without it); the sum is divided by the sum of the weights
    (NaN if every position is ignored).
    v2: `loss_param { ignore_label, normalization, normalize }`, `softmax_param { axis }`: the sum is divided
    by the number of positions (FULL), of those not ignored (VALID, the default), of images (BATCH_SIZE) or by
    nothing (NONE); by 1 where that number is 0. SegNet's `weight_by_label_freqs` with a `class_weighting` for
    each label: positions weigh as that says, which the number does not count.
    """

    bottom_count = (2, 2)
    top_count = (1, 2)
    loss = True

    @override
    def setup(self) -> None:
        param = self.definition.param
        loss, softmaxloss = param.loss_param, param.softmaxloss_param
        self.ignore = tuple(softmaxloss.ignore_label)
        if loss.HasField("ignore_label"):
            self.ignore += (loss.ignore_label,)
        self.normalization = loss.NormalizationMode.Name(loss.normalization)
        if loss.HasField("normalize") and not loss.HasField("normalization"):
            self.normalization = "VALID" if loss.normalize else "BATCH_SIZE"
        self.weights: Tensor | None = None
        if softmaxloss.HasField("weight_source") and not self.context.shapes_only:
            self.weights = self._read_weights(softmaxloss.weight_source)
        if loss.weight_by_label_freqs:
            self.weights = torch.tensor(list(loss.class_weighting))

    def _read_weights(self, path: str) -> Tensor:
        with self.naming("weight_source"):
            words = read_text(path, _MAX_FILE).split()
            try:
                weights = torch.tensor([float(word) for word in words])
            except (ValueError, OverflowError):  # their texts quote the file, which may be anybody's
                raise DeepLabError(f"{path}: numbers wanted") from None
        if not (weights >= 0).all():
            raise self.error("weight_source", f"{path}: a weight is negative or not a number")
        return weights

    def along(self, dims: int) -> int:
        """The axis of the labels in scores with so many axes."""
        return self.axis("axis", self.definition.param.softmax_param.axis, dims)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        scores, labels = bottoms
        along = self.along(len(scores))
        positions = prod(scores[:along]) * prod(scores[along + 1 :])
        if prod(labels) != positions:
            raise self.error(
                "bottom", f"{labels} given for the labels of {scores}, {positions} values wanted"
            )
        if self.weights is not None and len(self.weights) != scores[along]:
            field = "class_weighting" if self.definition.param.loss_param.class_weighting else "weight_source"
            raise self.error(field, f"{len(self.weights)} weights given for {scores[along]} labels")
        loss = self.definition.dialect.top_shape()
        return [loss, scores][: len(self.definition.tops)]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        self.compute_loss(bottoms, tops)

    def compute_loss(self, bottoms: list[Tensor], tops: list[Tensor]) -> float:
        """Fills the tops; returns what the sum is divided by."""
        scores, labels = bottoms
        out, along = tops[1] if len(tops) > 1 else None, self.along(scores.dim())
        probability = ops.softmax(scores, along, out=out, threads=self.context.threads)
        try:
            loss, weight, count = ops.softmax_loss(probability, labels, self.weights, self.ignore, along)
        except DeepLabError as error:
            raise self.error("bottom", str(error)) from None
        divisor = self._divisor(weight, count, scores.shape)
        tops[0].copy_(torch.tensor(loss) / torch.tensor(float(divisor)))
        return divisor

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        if self.context.precision != "exact" or bottoms[0].dtype != torch.float32:
            return super().forward_train(bottoms)
        scores, labels = bottoms[0], bottoms[1].detach().contiguous()

        def compute(scores: Tensor) -> tuple[Tensor, Tensor, float]:
            loss = torch.empty(self.definition.dialect.top_shape(), device=scores.device)
            probability = torch.empty_like(scores)
            return loss, probability, self.compute_loss([scores, labels], [loss, probability])

        target, _, weight = self.targets(labels)
        tops = SoftmaxLossFunction.apply(compute, self.along(scores.dim()), scores, target, weight)
        return list(tops)[: len(self.definition.tops)]

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each position, flat: the label (0 where ignored), whether it counts, its weight if it does."""
        target = labels.detach().reshape(-1).long()
        counted = ~torch.isin(target, torch.tensor(self.ignore, dtype=torch.long, device=target.device))
        target = torch.where(counted, target, 0)
        if self.weights is None:
            return target, counted, counted.float()
        weights = self.weights.to(target.device)
        return target, counted, counted * weights[target.clamp(0, len(weights) - 1)]

    def _divisor(self, weight: float, count: int, shape: Shape) -> float:
        """What the sum is divided by: `weight` the counted positions' weights, `count` their number."""
        if self.definition.dialect.loss_over_weights:
            return weight
        along = self.along(len(shape))
        divisors = {
            "FULL": prod(shape) // shape[along],
            "VALID": count,
            "BATCH_SIZE": prod(shape[:along]),
            "NONE": 1,
        }
        return max(1, divisors[self.normalization])

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        """Ignored positions have no gradient. If all are, the loss of v1 is NaN, without one."""
        scores, labels = bottoms[0].to(torch.promote_types(bottoms[0].dtype, torch.float32)), bottoms[1]
        along = self.along(scores.dim())
        logs = functional.log_softmax(scores, along)
        rows = logs.movedim(along, -1).reshape(-1, scores.shape[along])
        target, counted, weight = self.targets(labels)
        wrong = (target < 0) | (target >= rows.shape[1])
        if wrong.any():
            found = f"label {target[wrong][0].item()} found, 0 to {rows.shape[1] - 1} wanted"
            raise self.error("bottom", found)
        own = rows.gather(1, target.unsqueeze(1)).squeeze(1)
        # The loss counts a probability as at least FLT_MIN, its gradient (p - onehot) does not.
        own = own + (own.clamp(min=LOG_FLT_MIN) - own).detach()
        total = -(own * weight).sum()
        divisor = self._divisor(weight.sum().item(), int(counted.sum()), scores.shape)
        loss = total / divisor if divisor else total * 0 + float("nan")
        shape = self.definition.dialect.top_shape()
        return [loss.view(shape), logs.exp()][: len(self.definition.tops)]
