"""The only importer of the native modules: checks arguments, picks the device's kernels, passes addresses.

Every op takes float32 tensors, all on one device, and returns one; `out` may name where to write. `threads`
is the number of CPU threads, None for torch's own setting; on a GPU an op joins torch's current stream. Its
plain twin with the same arguments is in `tests/reference`.
"""

from . import epilogue
from .backend import backend_of, cuda_targets, cuda_variant, emulated_cuda, isa, on_host
from .bf16 import (
    BF16_INSTRUCTIONS,
    BF16_KERNELS,
    bf16_kernels,
    bf16_weights_size,
    choose_bf16_kernels,
    has_bf16_kernels,
    pack_bf16_weights,
)
from .conv_gradient import channel_sums, conv_data_gradient, conv_weight_gradient
from .convolution import (
    atrous_conv,
    atrous_conv_rows,
    pack_weights,
    packed_weights_size,
    read_packed_weights,
    unpack_weights,
)
from .elementwise import batch_norm, exp, log, power, prelu, relu, scale, tanh
from .eltwise import ELTWISE_OPERATIONS, eltwise
from .epilogue import EpilogueOp
from .geometry import ConvGeometry, convolved_size, planned_multiply_adds, rows_read, tap_intervals
from .labels import argmax, softmax, softmax_loss
from .memory import empty
from .peak import fma_peak
from .solver_update import (
    adadelta_update,
    adagrad_update,
    adam_update,
    nesterov_update,
    regularize,
    rmsprop_update,
    sgd_update,
    sum_of_squares,
)
from .spatial import average_pool, interp, interp_argmax, max_pool
from .tensor_core import (
    TENSOR_CORE_BRANCHES,
    TENSOR_CORE_STEPS,
    TensorCoreBranch,
    tensor_core_conv,
    tensor_core_convs,
    tensor_core_steps,
)
from .tensor_core_plan import tensor_core_shapes, tensor_core_tiles
from .tensor_core_weights import TENSOR_CORE_DTYPES, TensorCoreWeights, pack_tensor_core, round_tf32

__all__ = [
    "BF16_INSTRUCTIONS",
    "BF16_KERNELS",
    "ConvGeometry",
    "EpilogueOp",
    "ELTWISE_OPERATIONS",
    "TENSOR_CORE_BRANCHES",
    "TENSOR_CORE_DTYPES",
    "TENSOR_CORE_STEPS",
    "TensorCoreBranch",
    "TensorCoreWeights",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "argmax",
    "atrous_conv",
    "atrous_conv_rows",
    "average_pool",
    "backend_of",
    "batch_norm",
    "channel_sums",
    "conv_data_gradient",
    "conv_weight_gradient",
    "convolved_size",
    "cuda_targets",
    "cuda_variant",
    "eltwise",
    "empty",
    "emulated_cuda",
    "epilogue",
    "exp",
    "fma_peak",
    "interp",
    "interp_argmax",
    "isa",
    "log",
    "max_pool",
    "nesterov_update",
    "on_host",
    "pack_tensor_core",
    "pack_weights",
    "packed_weights_size",
    "planned_multiply_adds",
    "power",
    "read_packed_weights",
    "prelu",
    "regularize",
    "relu",
    "rmsprop_update",
    "round_tf32",
    "rows_read",
    "scale",
    "sgd_update",
    "softmax",
    "softmax_loss",
    "sum_of_squares",
    "tanh",
    "tap_intervals",
    "tensor_core_conv",
    "tensor_core_convs",
    "tensor_core_shapes",
    "tensor_core_steps",
    "tensor_core_tiles",
    "unpack_weights",
    "bf16_kernels",
    "bf16_weights_size",
    "choose_bf16_kernels",
    "has_bf16_kernels",
    "pack_bf16_weights",
]
