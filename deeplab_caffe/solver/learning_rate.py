"""Caffe's learning rate policies, in the float32 and double arithmetic of its C++."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_F = np.float32


@dataclass
class LearningRate:
    """The rate of each iteration; `current_step` counts the steps taken (step, multistep), for snapshots."""

    param: Any
    current_step: int = 0

    def at(self, iteration: int) -> float:
        """The rate of this iteration, a float32 value; multistep expects to be asked in order.

        A policy takes whole powers in double (`pow(float, int)` in C++), others in float32.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return float(self._at(iteration))

    def _at(self, iteration: int) -> np.float32:
        param, policy = self.param, self.param.lr_policy
        base, gamma = _F(param.base_lr), _F(param.gamma)
        if policy == "fixed":
            return base
        if policy in ("step", "multistep", "exp"):
            return _F(np.float64(base) * np.float64(gamma) ** self._steps(iteration))
        if policy == "inv":
            return base * _pow(_F(1) + gamma * _F(iteration), -_F(param.power))
        if policy == "poly":
            left = _F(1) - _F(iteration) / _F(param.max_iter)
            return base * _pow(max(left, _F(0)), _F(param.power))
        exponent = float(-gamma * (_F(iteration) - _F(param.stepsize)))
        return base * (_F(1) / (_F(1) + _F(np.exp(exponent))))

    def _steps(self, iteration: int) -> int:
        if self.param.lr_policy == "exp":
            return iteration
        if self.param.lr_policy == "step":
            self.current_step = iteration // self.param.stepsize
        else:
            values = self.param.stepvalue
            # One step an iteration at most, as Caffe does.
            if self.current_step < len(values) and iteration >= values[self.current_step]:
                self.current_step += 1
        return self.current_step


def _pow(base: np.float32, exponent: np.float32) -> np.float32:
    """powf: in double, rounded once."""
    return _F(np.power(np.float64(base), np.float64(exponent)))
