"""Plain, slow, readable twins of the ops, same arguments; they follow their input's dtype (float64 too)."""

from tests.reference.conv_gradient import channel_sums, conv_data_gradient, conv_weight_gradient
from tests.reference.convolution import atrous_conv, epilogue_rows, reduction_blocks
from tests.reference.crf import (
    Pairwise,
    lattice,
    lattice_filter,
    lattice_ones,
    mean_field,
    mean_field_iterate,
    mean_field_start,
)
from tests.reference.elementwise import batch_norm, exp, log, power, prelu, relu, scale, tanh
from tests.reference.eltwise import eltwise, fma
from tests.reference.labels import argmax, softmax, softmax_loss
from tests.reference.solver_update import (
    adadelta_update,
    adagrad_update,
    adam_update,
    nesterov_update,
    regularize,
    rmsprop_update,
    sgd_update,
    sum_of_squares,
)
from tests.reference.spatial import average_pool, interp, interp_argmax, max_pool
from tests.reference.tensor_core import round_operand, tensor_core_conv

__all__ = [
    "Pairwise",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "argmax",
    "atrous_conv",
    "average_pool",
    "batch_norm",
    "channel_sums",
    "conv_data_gradient",
    "conv_weight_gradient",
    "eltwise",
    "epilogue_rows",
    "exp",
    "fma",
    "interp",
    "interp_argmax",
    "lattice",
    "lattice_filter",
    "lattice_ones",
    "mean_field",
    "log",
    "max_pool",
    "mean_field_iterate",
    "mean_field_start",
    "nesterov_update",
    "power",
    "prelu",
    "reduction_blocks",
    "regularize",
    "relu",
    "rmsprop_update",
    "round_operand",
    "scale",
    "sgd_update",
    "softmax",
    "softmax_loss",
    "sum_of_squares",
    "tanh",
    "tensor_core_conv",
]
