"""Plain, slow, readable twins of the ops, same arguments; they follow their input's dtype (float64 too)."""

from .convolution import atrous_conv, reduction_blocks
from .elementwise import batch_norm, exp, log, power, prelu, relu, scale, tanh
from .eltwise import eltwise, fma
from .labels import argmax, softmax, softmax_loss
from .spatial import average_pool, interp, max_pool

__all__ = [
    "argmax",
    "atrous_conv",
    "average_pool",
    "batch_norm",
    "eltwise",
    "exp",
    "fma",
    "interp",
    "log",
    "max_pool",
    "power",
    "prelu",
    "reduction_blocks",
    "relu",
    "scale",
    "softmax",
    "softmax_loss",
    "tanh",
]
