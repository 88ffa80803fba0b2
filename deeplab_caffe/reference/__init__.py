"""Plain, slow, readable twins of the ops, same arguments; they follow their input's dtype (float64 too)."""

from .convolution import atrous_conv, reduction_blocks
from .crf import (
    Pairwise,
    lattice,
    lattice_filter,
    lattice_ones,
    mean_field_iterate,
    mean_field_start,
)
from .elementwise import batch_norm, exp, log, power, prelu, relu, scale, tanh
from .eltwise import eltwise, fma
from .labels import argmax, softmax, softmax_loss
from .spatial import average_pool, interp, interp_argmax, max_pool

__all__ = [
    "Pairwise",
    "argmax",
    "atrous_conv",
    "average_pool",
    "batch_norm",
    "eltwise",
    "exp",
    "fma",
    "interp",
    "interp_argmax",
    "lattice",
    "lattice_filter",
    "lattice_ones",
    "log",
    "max_pool",
    "mean_field_iterate",
    "mean_field_start",
    "power",
    "prelu",
    "reduction_blocks",
    "relu",
    "scale",
    "softmax",
    "softmax_loss",
    "tanh",
]
