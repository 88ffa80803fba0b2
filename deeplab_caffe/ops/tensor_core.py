"""Convolution on a GPU's tensor cores, channels last: fast, deterministic, not the original's bits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from ..types import Pair, Shape
from .backend import backend_of, kernels
from .checks import refuse_gradient
from .epilogue import ChannelOp, EpilogueOp, check_epilogue
from .geometry import ConvGeometry
from .memory import aligned
from .tensor_core_plan import plan_on
from .tensor_core_weights import TENSOR_CORE_DTYPES, TensorCoreWeights, tensor_core_type

# Most steps of an epilogue, and most branches of a launch.
TENSOR_CORE_STEPS: int = _C.MAX_TENSOR_CORE_STEPS
TENSOR_CORE_BRANCHES: int = _C.MAX_TENSOR_CORE_BRANCHES


@dataclass(frozen=True)
class TensorCoreBranch:
    """One of several convolutions of the same input; fields as the arguments of `tensor_core_conv`."""

    weights: TensorCoreWeights
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    epilogue: Sequence[EpilogueOp] = ()
    size: Pair | None = None


def _channels_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The values of [batch, channels, height, width] as aligned [batch, height, width, channels]."""
    return aligned(x.to(dtype).permute(0, 2, 3, 1).contiguous())


def _padded(x: Tensor, groups: int, unit: int) -> Tensor:
    """`x` [batch, height, width, channels] with zeros behind each group's channels, to whole units."""
    channels = x.shape[3] // groups
    if channels % unit == 0:
        return x
    split = x.view(*x.shape[:3], groups, channels)
    return torch.nn.functional.pad(split, (0, -channels % unit)).flatten(3).contiguous()


def tensor_core_steps(epilogue: Sequence[EpilogueOp]) -> int:
    """How many of the leading ops these kernels do; torch's operators are left with the others."""
    kinds = _C.TensorCoreStep.__members__
    able = [isinstance(op, ChannelOp) or op.kind in kinds for op in epilogue[:TENSOR_CORE_STEPS]]
    return able.index(False) if False in able else len(able)


def _add_op(
    branch: "_C.TensorCoreBranch", op: EpilogueOp, shape: Shape, dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Adds an op of the epilogue; returns the tensors that must outlive the launch."""
    if isinstance(op, ChannelOp):
        kept = _scale_and_shift(op, shape[1], device)
        branch.add_step(_C.TensorCoreStep.affine, 1.0, 1.0, *(tensor.data_ptr() for tensor in kept))
        return kept
    given, kept = op.operands(), []
    if given.other is not None:
        other = given.other
        if tuple(other.shape) != shape or other.device != device:
            found = f"{tuple(other.shape)} on {other.device}"
            raise DeepLabError(f"tensor_core_conv: sum with {found}, {shape} on {device} wanted")
        kept = [_channels_last(other, dtype)]
    address = kept[0].data_ptr() if kept else 0
    branch.add_step(getattr(_C.TensorCoreStep, op.kind), given.first, given.second, address, 0)
    return kept


def _scale_and_shift(op: ChannelOp, channels: int, device: torch.device) -> list[Tensor]:
    """Those of each channel, in float32, that stand for `op`."""
    for values in op.operands().channels:
        if values.numel() != channels:
            given = f"{op.kind} with {values.numel()} values"
            raise DeepLabError(f"tensor_core_conv: {given}, {channels} wanted")
    ones = torch.ones(channels, device=device)
    return [values.float() for values in op.behind(ones, torch.zeros_like(ones))]


class _Branches:
    """Branches as the kernels take them, the tensors they write, and those that must outlive the launch."""

    def __init__(self, branches: Sequence[TensorCoreBranch], shape: Shape, dtype: torch.dtype) -> None:
        self.branches, self.dtype = branches, dtype
        self.geometries = tuple(
            ConvGeometry.of(shape, b.weights.shape, b.stride, b.pad, b.dilation, b.weights.groups, b.size)
            for b in branches
        )
        self.native: list[_C.TensorCoreBranch] = []
        self.results: list[Tensor] = []
        self.kept: list[Tensor] = []
        for b, geometry in zip(branches, self.geometries, strict=True):
            check_epilogue("tensor_core_conv", b.epilogue)
            if len(b.epilogue) > TENSOR_CORE_STEPS:
                given = f"{len(b.epilogue)} steps given"
                raise DeepLabError(f"tensor_core_conv: {given}, at most {TENSOR_CORE_STEPS} wanted")
            out = geometry.out_shape
            kind, device = tensor_core_type(b.weights.precision), b.weights.values.device
            y = torch.empty((out[0], *out[2:], out[1]), dtype=dtype, device=device).permute(0, 3, 1, 2)
            self.results.append(y)
            self.native.append(_C.TensorCoreBranch(geometry.native(), kind))
            for op in b.epilogue:
                self.kept += _add_op(self.native[-1], op, out, dtype, device)

    def read(self, inputs: Sequence[Tensor]) -> list["_C.TensorCoreBranch"]:
        """The branches with their operands, each with its own of `inputs`."""
        for native, b, x, y in zip(self.native, self.branches, inputs, self.results, strict=True):
            words = [aligned(b.weights.values)]
            words += [] if b.weights.bias is None else [aligned(b.weights.bias)]
            self.kept += words
            values, bias = ([*(word.data_ptr() for word in words), 0])[:2]
            native.set_operands(x.data_ptr(), values, bias, y.data_ptr(), y.dtype == torch.float32)
        return self.native


def tensor_core_convs(
    x: Tensor,
    branches: Sequence[TensorCoreBranch],
    float_output: bool = False,
    tile: tuple[int, ...] | None = None,
    wgmma: bool | None = None,
) -> list[Tensor]:
    """Several convolutions of one input in one launch (DeepLab's atrous spatial pyramid pooling).

    All weights must have the same precision and groups; the input is read from memory once, whatever the
    number of branches. Weights packed by tap take two launches of their own. See `tensor_core_conv` for the
    rest.
    """
    if not 1 <= len(branches) <= TENSOR_CORE_BRANCHES:
        most = TENSOR_CORE_BRANCHES
        raise DeepLabError(f"tensor_core_convs: {len(branches)} branches given, 1 to {most} wanted")
    first = branches[0].weights
    if any((b.weights.precision, b.weights.groups) != (first.precision, first.groups) for b in branches):
        raise DeepLabError("tensor_core_convs: the branches differ in precision or groups")
    if x.dim() != 4:
        raise DeepLabError(f"tensor_core_conv: {x.dim()} dimensions given, 4 wanted")
    backend_of(x.device).tensor_cores(x.device)  # raises if there are none
    refuse_gradient("tensor_core_conv", x)
    for b in branches:
        if b.weights.values.device != x.device:
            raise DeepLabError(f"tensor_core_conv: weights on {b.weights.values.device}, {x.device} wanted")
    dtype = TENSOR_CORE_DTYPES[first.precision]
    out_dtype = torch.float32 if float_output else dtype
    memory = _padded(_channels_last(x, dtype), first.groups, 16 // dtype.itemsize)
    results: dict[int, Tensor] = {}
    for by_tap, run in ((False, _multiply), (True, _multiply_by_tap)):
        numbers = [i for i, b in enumerate(branches) if b.weights.by_tap == by_tap]
        if numbers:
            tops = run(memory, tuple(x.shape), [branches[i] for i in numbers], out_dtype, tile, wgmma)
            results.update(zip(numbers, tops, strict=True))
    return [results[i] for i in range(len(branches))]


def _multiply(
    memory: Tensor,
    shape: Shape,
    branches: Sequence[TensorCoreBranch],
    dtype: torch.dtype,
    tile: tuple[int, ...] | None,
    wgmma: bool | None,
) -> list[Tensor]:
    """The branches' outputs; memory: the input of `shape`, channels last and padded."""
    launch, first = _Branches(branches, shape, dtype), branches[0].weights
    has_wgmma, processors = backend_of(memory.device).tensor_cores(memory.device)
    wgmma = has_wgmma if wgmma is None else wgmma
    native, stream = kernels(memory)
    clusters = wgmma and native.has_tensor_core_clusters()
    key = launch.geometries, first.precision, tile, wgmma, clusters, processors
    plan = plan_on(memory.device, first.plans, *key)
    native.tensor_core_conv(
        launch.read([memory] * len(branches)),
        plan.table.data_ptr(),
        plan.items,
        plan.regions_at,
        plan.taps_at,
        plan.queues_at,
        plan.queues,
        tensor_core_type(first.precision),
        plan.shape,
        stream,
    )
    return launch.results


def _multiply_by_tap(
    memory: Tensor,
    shape: Shape,
    branches: Sequence[TensorCoreBranch],
    dtype: torch.dtype,
    tile: tuple[int, ...] | None,
    wgmma: bool | None,
) -> list[Tensor]:
    """The same for weights packed by tap."""
    pointwise = []
    for b in branches:
        out, channels, kernel_h, kernel_w = b.weights.shape
        weights = replace(
            b.weights, shape=(-(-out // 8) * 8 * kernel_h * kernel_w, channels, 1, 1), bias=None, by_tap=False
        )
        pointwise.append(TensorCoreBranch(weights))
    products = _multiply(memory, shape, pointwise, torch.float32, tile, wgmma)
    launch, kind = _Branches(branches, shape, dtype), tensor_core_type(branches[0].weights.precision)
    native, stream = kernels(memory)
    native.tensor_core_sum_taps(launch.read(products), kind, stream)
    return launch.results


def tensor_core_conv(
    x: Tensor,
    weights: TensorCoreWeights,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    epilogue: Sequence[EpilogueOp] = (),
    size: Pair | None = None,
    float_output: bool = False,
    tile: tuple[int, ...] | None = None,
    wgmma: bool | None = None,
) -> Tensor:
    """Convolution with holes on tensor cores: operands in the weights' precision, sums in float32.

    x: [batch, channels, height, width]; channels-last memory of the precision's dtype (see
    TENSOR_CORE_DTYPES) is not copied. Stride, pad, dilation, size as in `atrous_conv`. epilogue: at most
    four steps behind the bias, those of `atrous_conv`; roundings are not those of the layers. float_output:
    float32 in place of the precision's dtype. tile: rows and columns of a block's outputs (and blocks that
    share weights), for measurements;
    wgmma: whether to use the kernels for sm_90a, by default wherever they run. Every output is summed by one
    block in a fixed order, so that runs give the same bits; tiles may leave out taps that lie in the padding.
    Returns [batch, out, h, w] in channels-last memory. Raises DeepLabError if the shapes do not fit together.
    """
    branch = TensorCoreBranch(weights, stride, pad, dilation, epilogue, size)
    return tensor_core_convs(x, [branch], float_output, tile, wgmma)[0]
