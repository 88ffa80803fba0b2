"""Caffe's solvers: from the gradients of one iteration to new parameters.

In Caffe's order: clip all gradients by their common length, divide by iter_size, add the decay, update.
"""

from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import ops

_F = np.float32
# Blobs of history per parameter.
HISTORIES = {"SGD": 1, "Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}


@dataclass
class Trained:
    """A parameter that learns: values and history, float32 of one shape; Caffe's multipliers."""

    values: Tensor
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    history: list[Tensor] = field(default_factory=list)


class Updater:
    """The update rule that a SolverParameter message asks for."""

    def __init__(self, param: Any, threads: int | None = None) -> None:
        self.param, self.threads = param, threads

    @torch.no_grad()
    def update(self, trained: list[Trained], rate: float, iteration: int) -> None:
        """Changes the parameters by their `grad`; a missing one counts as zeros.

        rate: the learning rate; iteration: the number of those done before this one.
        """
        gradients = [self._gradient(parameter.values) for parameter in trained]
        clip = self._clip(gradients)
        share = float(_F(1) / _F(self.param.iter_size))
        l1 = self.param.regularization_type == "L1"
        for parameter, gradient in zip(trained, gradients, strict=True):
            if not parameter.history:
                count = HISTORIES[self.param.type]
                parameter.history = [torch.zeros_like(parameter.values) for _ in range(count)]
            decay = float(_F(self.param.weight_decay) * _F(parameter.decay_mult))
            ops.regularize(gradient, parameter.values, clip, share, decay, l1, threads=self.threads)
            self._apply(parameter, gradient, _F(rate) * _F(parameter.lr_mult), iteration)

    @staticmethod
    def _gradient(values: Tensor) -> Tensor:
        if values.grad is None:
            return torch.zeros_like(values)
        return values.grad.to(torch.float32).contiguous()

    def _clip(self, gradients: list[Tensor]) -> float:
        """The factor that brings the gradients' common length down to clip_gradients."""
        limit = self.param.clip_gradients
        if limit < 0:
            return 1.0
        squares = sum(ops.sum_of_squares(gradient, threads=self.threads) for gradient in gradients)
        length = _F(sqrt(squares))
        return float(_F(limit) / length) if length > limit else 1.0

    def _apply(self, parameter: Trained, gradient: Tensor, rate: np.float32, iteration: int) -> None:
        param, threads = self.param, self.threads
        values, history = parameter.values, parameter.history
        if param.type == "Adam":
            rate *= self._correction(iteration + 1)
        step = float(rate)
        match param.type:
            case "SGD":
                ops.sgd_update(values, gradient, history[0], step, param.momentum, threads=threads)
            case "Nesterov":
                ops.nesterov_update(values, gradient, history[0], step, param.momentum, threads=threads)
            case "AdaGrad":
                ops.adagrad_update(values, gradient, history[0], step, param.delta, threads=threads)
            case "RMSProp":
                ops.rmsprop_update(
                    values, gradient, history[0], step, param.rms_decay, param.delta, threads=threads
                )
            case "AdaDelta":
                ops.adadelta_update(
                    values,
                    gradient,
                    history[0],
                    history[1],
                    step,
                    param.momentum,
                    param.delta,
                    threads=threads,
                )
            case "Adam":
                betas = param.momentum, param.momentum2
                ops.adam_update(
                    values, gradient, history[0], history[1], step, *betas, param.delta, threads=threads
                )

    def _correction(self, time: int) -> np.float32:
        """What makes up for Adam's running means, which start from zero; in double, rounded once."""
        return _F(sqrt(1 - self.param.momentum2**time) / (1 - self.param.momentum**time))
