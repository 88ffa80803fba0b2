"""What the CPU's native module takes: addresses of contiguous arrays, sizes and the number of threads.

Arrays hold float32 where nothing else is said in csrc. Nothing is checked there: `ops` does. Most ops of the device
modules _cuda and _cuda_emulated have the same signatures, with a Stream in place of `threads`.
"""

import enum
from collections.abc import Sequence

Address = int

# Of the platform.
def isa() -> str: ...
def advise_huge_pages(begin: Address, bytes: int) -> None: ...
def fma_chains(rounds: int) -> float: ...
def fma_chain_operations() -> int: ...

# Convolution.
class ConvGeometry:
    def __init__(
        self,
        *,
        batch: int,
        groups: int,
        in_channels: int,
        in_height: int,
        in_width: int,
        out_channels: int,
        out_height: int,
        out_width: int,
        kernel_height: int,
        kernel_width: int,
        stride_height: int = 1,
        stride_width: int = 1,
        pad_height: int = 0,
        pad_width: int = 0,
        dilation_height: int = 1,
        dilation_width: int = 1,
        in_plane: int | None = None,
        out_plane: int | None = None,
    ) -> None: ...
    @property
    def batch(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def in_height(self) -> int: ...
    @property
    def in_width(self) -> int: ...
    @property
    def out_channels(self) -> int: ...
    @property
    def out_height(self) -> int: ...
    @property
    def out_width(self) -> int: ...
    @property
    def kernel_height(self) -> int: ...
    @property
    def kernel_width(self) -> int: ...
    @property
    def stride_height(self) -> int: ...
    @property
    def stride_width(self) -> int: ...
    @property
    def pad_height(self) -> int: ...
    @property
    def pad_width(self) -> int: ...
    @property
    def dilation_height(self) -> int: ...
    @property
    def dilation_width(self) -> int: ...
    @property
    def in_plane(self) -> int: ...
    @property
    def out_plane(self) -> int: ...
    @property
    def depthwise(self) -> bool: ...

# An enum whose members are kEpilogueNames in csrc/conv/epilogue.h.
class EpilogueKind: ...

class EpilogueStep:
    def __init__(
        self, kind: EpilogueKind, a: Address, b: Address, first: float, second: float, after: bool
    ) -> None: ...

def packed_weights_size(geometry: ConvGeometry) -> int: ...
def planned_multiply_adds(geometry: ConvGeometry) -> int: ...
def tap_intervals(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int,
    pad: int,
    dilation: int,
    extent: int,
    worth: int,
    shortest: int,
) -> list[tuple[int, int, list[int]]]: ...
def pack_weights(geometry: ConvGeometry, weights: Address, packed: Address, threads: int) -> None: ...
def unpack_weights(geometry: ConvGeometry, packed: Address, weights: Address, threads: int) -> None: ...
def read_packed_weights(
    geometry: ConvGeometry, file: int, offset: int, packed: Address, threads: int
) -> bool: ...
def atrous_conv(
    geometry: ConvGeometry,
    x: Address,
    packed: Address,
    steps: Sequence[EpilogueStep],
    y: Address,
    threads: int,
) -> None: ...

# Whose arithmetic: see csrc/conv/bf16_conv.h.
class Bf16Way:
    avx512: Bf16Way
    amx: Bf16Way
    avx512_plain: Bf16Way
    amx_plain: Bf16Way

def has_bf16_way(way: Bf16Way) -> bool: ...
def bf16_weights_size(geometry: ConvGeometry) -> int: ...
def pack_bf16_weights(geometry: ConvGeometry, weights: Address, packed: Address, threads: int) -> None: ...
def bf16_conv(
    geometry: ConvGeometry,
    way: Bf16Way,
    x: Address,
    packed: Address,
    steps: Sequence[EpilogueStep],
    y: Address,
    threads: int,
) -> None: ...

class ZeroInputs:
    summed: ZeroInputs
    left_out_of_tiles: ZeroInputs
    left_out_of_pairs: ZeroInputs

def choose_zero_inputs(geometry: ConvGeometry, x: Address, packed: Address, threads: int) -> ZeroInputs: ...
def gradient_weights_size(geometry: ConvGeometry) -> int: ...
def pack_gradient_weights(
    geometry: ConvGeometry, weights: Address, packed: Address, threads: int
) -> None: ...
def conv_data_gradient(
    geometry: ConvGeometry, dy: Address, packed: Address, dx: Address, threads: int
) -> None: ...
def conv_weight_gradient(
    geometry: ConvGeometry, x: Address, dy: Address, dw: Address, threads: int
) -> None: ...
def channel_sums(
    dy: Address, sums: Address, batch: int, channels: int, positions: int, threads: int
) -> None: ...

# Plans of convolutions on tensor cores.
MAX_TENSOR_CORE_BRANCHES: int
MAX_TENSOR_CORE_STEPS: int

class TensorCoreType(enum.Enum):
    bf16 = ...
    fp16 = ...
    tf32 = ...
    fp32 = ...

class TensorCoreStep(enum.Enum):
    affine = ...
    sum = ...
    relu = ...
    clip = ...

class TensorCoreBranch:
    def __init__(self, geometry: ConvGeometry, type: TensorCoreType) -> None: ...
    @property
    def group_units(self) -> int: ...
    @property
    def period(self) -> int: ...
    @property
    def chunks(self) -> int: ...
    @property
    def padded_channels(self) -> int: ...
    def set_operands(
        self, x: Address, weights: Address, bias: Address, y: Address, float_output: bool
    ) -> None: ...
    def add_step(self, kind: TensorCoreStep, first: float, second: float, a: Address, b: Address) -> None: ...

class TensorCoreTiles:
    def __init__(
        self, convolutions: Sequence[ConvGeometry], type: TensorCoreType, shape: int, multiprocessors: int
    ) -> None: ...
    @property
    def items(self) -> int: ...
    @property
    def regions_at(self) -> int: ...
    @property
    def taps_at(self) -> int: ...
    @property
    def queues_at(self) -> int: ...
    @property
    def queues(self) -> int: ...
    @property
    def longest(self) -> int: ...
    @property
    def size(self) -> int: ...
    def copy_to(self, to: Address) -> None: ...

# Number, rows, columns, whether for wgmma, blocks that share weights.
def tensor_core_shapes(
    type: TensorCoreType, group_channels: int
) -> list[tuple[int, int, int, bool, int]]: ...

# Pixelwise.
def eltwise(
    operation: int,
    bottoms: Sequence[Address],
    coefficients: Sequence[float],
    top: Address,
    size: int,
    threads: int,
) -> None: ...
def threshold(x: Address, limit: float, y: Address, count: int, threads: int) -> None: ...
def relu(x: Address, slope: float, y: Address, count: int, threads: int) -> None: ...
def exact_exp(x: Address, y: Address, count: int, threads: int) -> None: ...
def exact_log(x: Address, y: Address, count: int, threads: int) -> None: ...
def c_tanh(x: Address, y: Address, count: int, threads: int) -> None: ...
def c_pow(x: Address, exponent: float, y: Address, count: int, threads: int) -> None: ...
def batch_norm(
    x: Address,
    mean: Address,
    deviation: Address,
    y: Address,
    outer: int,
    channels: int,
    inner: int,
    threads: int,
) -> None: ...
def scale(
    x: Address,
    factor: Address,
    bias: Address,
    y: Address,
    outer: int,
    channels: int,
    inner: int,
    threads: int,
) -> None: ...
def prelu(
    x: Address, slope: Address, y: Address, outer: int, channels: int, inner: int, threads: int
) -> None: ...
def max_pool(
    x: Address,
    y: Address,
    planes: int,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    threads: int,
) -> None: ...
def average_pool(
    x: Address,
    y: Address,
    planes: int,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    threads: int,
) -> None: ...
def interp(
    x: Address,
    y: Address,
    planes: int,
    full_height: int,
    full_width: int,
    top: int,
    left: int,
    height: int,
    width: int,
    out_height: int,
    out_width: int,
    half_pixel: bool,
    threads: int,
) -> None: ...
def softmax(x: Address, y: Address, outer: int, channels: int, inner: int, threads: int) -> None: ...
def argmax(
    x: Address,
    labels: Address,
    values: Address,
    outer: int,
    channels: int,
    inner: int,
    top_k: int,
    threads: int,
) -> None: ...
def softmax_loss(
    probability: Address,
    labels: Address,
    weights: Address,
    ignored: Address,
    ignored_count: int,
    sums: Address,
    counted: Address,
    outer: int,
    channels: int,
    inner: int,
) -> int: ...

# Of a solver.
SQUARES_CHUNK: int

def regularize(
    gradient: Address,
    weight: Address,
    clip: float,
    share: float,
    decay: float,
    l1: bool,
    count: int,
    threads: int,
) -> None: ...
def chunk_squares(x: Address, sums: Address, count: int, threads: int) -> None: ...
def sgd_update(
    weight: Address,
    gradient: Address,
    history: Address,
    rate: float,
    momentum: float,
    count: int,
    threads: int,
) -> None: ...
def nesterov_update(
    weight: Address,
    gradient: Address,
    history: Address,
    rate: float,
    momentum: float,
    count: int,
    threads: int,
) -> None: ...
def adagrad_update(
    weight: Address, gradient: Address, history: Address, rate: float, delta: float, count: int, threads: int
) -> None: ...
def rmsprop_update(
    weight: Address,
    gradient: Address,
    history: Address,
    rate: float,
    rms_decay: float,
    delta: float,
    count: int,
    threads: int,
) -> None: ...
def adadelta_update(
    weight: Address,
    gradient: Address,
    gradients: Address,
    updates: Address,
    rate: float,
    momentum: float,
    delta: float,
    count: int,
    threads: int,
) -> None: ...
def adam_update(
    weight: Address,
    gradient: Address,
    mean: Address,
    square: Address,
    rate: float,
    momentum: float,
    momentum2: float,
    delta: float,
    count: int,
    threads: int,
) -> None: ...

# The CRF.
MAX_LATTICE_DIMS: int

class Lattice:
    def __init__(self, features: Address, points: int, dims: int, wide_keys: bool, threads: int) -> None: ...
    @property
    def points(self) -> int: ...
    @property
    def dims(self) -> int: ...
    @property
    def vertices(self) -> int: ...
    @property
    def wide(self) -> bool: ...
    @property
    def bytes(self) -> int: ...

class PairwiseKernel:
    def __init__(
        self, lattice: Lattice, pre: Address, scale: Address, label_weights: Address, compatibility: Address
    ) -> None: ...

def lattice_filter(
    lattice: Lattice,
    q: Address,
    q_stride: int,
    labels: int,
    pre: Address,
    adjoint: bool,
    out: Address,
    threads: int,
) -> None: ...
def lattice_filter_double(
    lattice: Lattice, q: Address, labels: int, pre: Address, adjoint: bool, out: Address, threads: int
) -> None: ...
def mean_field_iterate(
    kernels: Sequence[PairwiseKernel],
    unary: Address,
    q: Address,
    points: int,
    labels: int,
    iterations: int,
    true_exp: bool,
    threads: int,
) -> int: ...
def mean_field(
    kernels: Sequence[PairwiseKernel],
    unary: Address,
    q: Address,
    points: int,
    labels: int,
    iterations: int,
    true_exp: bool,
    threads: int,
) -> int: ...
def mean_field_start(
    unary: Address, q: Address, points: int, labels: int, true_exp: bool, threads: int
) -> int: ...
def best_labels(q: Address, best: Address, points: int, labels: int, threads: int) -> None: ...
