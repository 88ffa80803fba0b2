"""Convolution on a GPU's tensor cores, channels last: fast, deterministic, not the original's bits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import gcd
from typing import Any

import torch

from .. import _C
from ..errors import DeepLabError
from .common import Tensor, kernels, place
from .convolution import Pair, Step, _geometry, _weights_geometry

# What the tensors of each precision are. tf32 rounds float32 operands to 10 bits behind the point; fp32 makes
# three tf32 products, whose error is near that of float32 sums.
TENSOR_CORE_DTYPES = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "tf32": torch.float32,
    "fp32": torch.float32,
}

# Most steps of an epilogue, and most branches of a launch.
TENSOR_CORE_STEPS: int = _C.MAX_TENSOR_CORE_STEPS
TENSOR_CORE_BRANCHES: int = _C.MAX_TENSOR_CORE_BRANCHES


@dataclass(frozen=True)
class TensorCoreWeights:
    """A convolution's weights as the tensor-core kernels read them, and its bias; see `pack_tensor_core`.

    values: [part, group, chunk, padded channel, 128 bytes]; bias: float32 [group, padded channel] or None;
    shape: that of the plain weights; plans: those of the latest launches, on their device, which must stay
    there as long as a CUDA graph with these weights does.
    """

    values: Tensor
    bias: Tensor | None
    shape: tuple[int, ...]
    groups: int
    precision: str
    plans: dict[Any, "_Plan"] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class TensorCoreBranch:
    """One of several convolutions of the same input; fields as the arguments of `tensor_core_conv`."""

    weights: TensorCoreWeights
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    epilogue: Sequence[Step] = ()
    size: Pair | None = None


def round_tf32(x: Tensor) -> Tensor:
    """float32 values rounded to the nearest tf32 (10 bits behind the point), ties away from zero."""
    rounded = (x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF
    return torch.where(x.isfinite(), rounded.view(torch.float32), x)


def _type(precision: str) -> "_C.TensorCoreType":
    if precision not in TENSOR_CORE_DTYPES:
        known = ", ".join(TENSOR_CORE_DTYPES)
        raise DeepLabError(f"tensor_core_conv: precision {precision} given, one of {known} wanted")
    return getattr(_C.TensorCoreType, precision)


def pack_tensor_core(
    weights: Tensor, bias: Tensor | None = None, groups: int = 1, precision: str = "bf16"
) -> TensorCoreWeights:
    """Packs weights float32 [out, in / groups, kh, kw] (and bias [out]) once, on the device they are on.

    precision: bf16, fp16, tf32 or fp32. The kernels copy pieces of the packed weights to shared memory as
    they are: 128 bytes of (tap, input channel) of each output channel, whose 16-byte units lie so that the
    matrix instructions read them without bank conflicts (unit u of channel n at place u ^ n % 8).
    """
    kind = _type(precision)
    if weights.dtype != torch.float32 or weights.dim() != 4:
        given = f"{weights.dim()}-dimensional {weights.dtype}"
        raise DeepLabError(f"pack_tensor_core: {given} weights given, 4-dimensional float32 wanted")
    shape = tuple(weights.shape)
    geometry = _C.ConvGeometry(_weights_geometry(shape, groups))
    if bias is not None and bias.numel() != shape[0]:
        raise DeepLabError(f"pack_tensor_core: {bias.numel()} biases given, {shape[0]} wanted")
    layout = _C.TensorCoreBranch(geometry, kind)
    rows, channels, taps = shape[0] // groups, shape[1], shape[2] * shape[3]
    unit = 16 // TENSOR_CORE_DTYPES[precision].itemsize

    w = weights.reshape(groups, rows, channels, taps).transpose(2, 3)
    w = torch.nn.functional.pad(w, (0, layout.period * unit - channels)).flatten(2)
    extra = layout.padded_channels - rows
    w = torch.nn.functional.pad(w, (0, layout.chunks * 8 * unit - w.shape[2], 0, extra))
    w = w.view(groups, layout.padded_channels // 8, 8, layout.chunks, 8, unit).permute(0, 3, 1, 2, 4, 5)
    places = torch.arange(8, device=w.device)
    w = w[:, :, :, places.view(8, 1), places.view(8, 1) ^ places]

    if precision == "fp32":
        high = round_tf32(w)
        values = torch.stack([high, round_tf32(w - high)])
    elif precision == "tf32":
        values = round_tf32(w)
    else:
        values = w.to(TENSOR_CORE_DTYPES[precision])
    if bias is not None:
        bias = torch.nn.functional.pad(bias.float().reshape(groups, rows), (0, extra)).contiguous()
    return TensorCoreWeights(values.contiguous(), bias, shape, groups, precision)


@dataclass(frozen=True)
class _Plan:
    """The tiles of a launch, and the number of the tile shape they were cut for."""

    shape: int
    table: Tensor
    items: int
    regions_at: int
    taps_at: int


Geometry = tuple[tuple[int, ...], tuple[int, ...], Pair, Pair, Pair, int, Pair | None]


_KEPT_PLANS = 16  # of each convolution's weights


@lru_cache(maxsize=256)
def _plan(
    geometries: tuple[Geometry, ...],
    precision: str,
    tile: tuple[int, int] | None,
    wgmma: bool,
    processors: int,
) -> _Plan:
    """Cuts the outputs of all branches into tiles: of `tile` rows and columns, or what should be fastest."""
    kind = _type(precision)
    channels = gcd(*(weights[0] // groups for _, weights, _, _, _, groups, _ in geometries))
    shapes = [
        number
        for number, rows, columns, for_wgmma in _C.tensor_core_shapes(kind, channels)
        if for_wgmma == wgmma and tile in (None, (rows, columns))
    ]
    if not shapes:
        raise DeepLabError(
            f"tensor_core_conv: no kernel has tiles of {tile} in {precision} for {channels} channels"
        )
    convolutions = [_C.ConvGeometry(_geometry(*geometry)[0]) for geometry in geometries]
    try:
        plans = [(shape, _C.TensorCoreTiles(convolutions, kind, shape)) for shape in shapes]
    except ValueError as error:
        raise DeepLabError(str(error)) from None
    shape, tiles = min(plans, key=lambda plan: plan[1].estimated_cycles(kind, plan[0], processors))
    table = torch.empty(tiles.size, dtype=torch.int32)
    tiles.copy_to(table.data_ptr())
    return _Plan(shape, table, tiles.items, tiles.regions_at, tiles.taps_at)


def _plan_on(device: torch.device, plans: dict[Any, _Plan], *key: Any) -> _Plan:
    """_plan(*key) with its table on `device`, kept in `plans`."""
    if (device, key) not in plans:
        plan = _plan(*key)
        while len(plans) >= _KEPT_PLANS:
            plans.pop(next(iter(plans)))
        plans[device, key] = replace(plan, table=plan.table.to(device))
    return plans[device, key]


@lru_cache(maxsize=64)
def _card(device: torch.device, targets: str) -> tuple[bool, int]:
    """Whether the kernels for sm_90a can run on a device, and its number of multiprocessors."""
    if device.type == "cpu":  # emulated
        return True, 132
    card = torch.cuda.get_device_properties(device)
    return (card.major, card.minor) == (9, 0) and "90a" in targets.split(","), card.multi_processor_count


def tensor_core_shapes(precision: str, channels: int = 8) -> list[tuple[int, int, bool]]:
    """The tiles there are kernels for: rows, columns, and whether the kernel is that for sm_90a.

    channels: of a group of the output; wide tiles want a multiple of 8.
    """
    return [tuple(shape[1:]) for shape in _C.tensor_core_shapes(_type(precision), channels)]


def tensor_core_tiles(
    geometries: Sequence[Geometry], precision: str, tile: tuple[int, int]
) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """How a launch cuts its work: items of 8 numbers, regions of 5, taps; see csrc/tensor_core.h."""
    plan = _plan(tuple(geometries), precision, tile, False, 1)
    items = plan.table[: 8 * plan.items].view(-1, 8)
    regions = plan.table[plan.regions_at : plan.taps_at].view(-1, 5)
    return items.tolist(), regions.tolist(), plan.table[plan.taps_at :].tolist()


def _channels_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The values of [batch, channels, height, width] as contiguous [batch, height, width, channels]."""
    return x.to(dtype).permute(0, 2, 3, 1).contiguous()


def _padded(x: Tensor, groups: int, unit: int) -> Tensor:
    """`x` [batch, height, width, channels] with zeros behind each group's channels, to whole units."""
    channels = x.shape[3] // groups
    if channels % unit == 0:
        return x
    split = x.view(*x.shape[:3], groups, channels)
    return torch.nn.functional.pad(split, (0, -channels % unit)).flatten(3).contiguous()


def _add_step(
    branch: "_C.TensorCoreBranch",
    step: Step,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> list[Tensor]:
    """Adds a step of the epilogue; returns the tensors that must outlive the launch."""
    kind, *operands = step
    if kind == "relu":
        branch.add_step(_C.TensorCoreStep.relu, operands[0], 0.0, 0, 0)
        return []
    if kind == "clip":
        branch.add_step(_C.TensorCoreStep.clip, *operands, 0, 0)
        return []
    if kind == "sum":
        other, first, second, _ = operands
        if tuple(other.shape) != shape or other.device != device:
            given = f"{tuple(other.shape)} on {other.device}"
            raise DeepLabError(f"tensor_core_conv: sum with {given}, {shape} on {device} wanted")
        other = _channels_last(other, dtype)
        branch.add_step(_C.TensorCoreStep.sum, first, second, other.data_ptr(), 0)
        return [other]
    values = [operand.reshape(-1).to(device, torch.float32) for operand in operands]
    if any(value.numel() != shape[1] for value in values):
        raise DeepLabError(f"tensor_core_conv: {kind} with {values[0].numel()} values, {shape[1]} wanted")
    if kind == "bias":
        factor, summand = torch.ones_like(values[0]), values[0]
    elif kind == "scale":
        factor, summand = values[0], torch.zeros_like(values[0])
    else:
        factor, summand = 1 / values[1], -values[0] / values[1]
    factor, summand = factor.contiguous(), summand.contiguous()
    branch.add_step(_C.TensorCoreStep.affine, 1.0, 1.0, factor.data_ptr(), summand.data_ptr())
    return [factor, summand]


def tensor_core_convs(
    x: Tensor,
    branches: Sequence[TensorCoreBranch],
    float_output: bool = False,
    tile: tuple[int, int] | None = None,
    wgmma: bool | None = None,
) -> list[Tensor]:
    """Several convolutions of one input in one launch (DeepLab's atrous spatial pyramid pooling).

    All weights must have the same precision and groups; the input is read from memory once, whatever the
    number of branches. See `tensor_core_conv` for the rest.
    """
    if not 1 <= len(branches) <= TENSOR_CORE_BRANCHES:
        most = TENSOR_CORE_BRANCHES
        raise DeepLabError(f"tensor_core_convs: {len(branches)} branches given, 1 to {most} wanted")
    precision, groups = branches[0].weights.precision, branches[0].weights.groups
    kind, dtype = _type(precision), TENSOR_CORE_DTYPES[precision]
    if any((b.weights.precision, b.weights.groups) != (precision, groups) for b in branches):
        raise DeepLabError("tensor_core_convs: the branches differ in precision or groups")
    if x.dim() != 4:
        raise DeepLabError(f"tensor_core_conv: {x.dim()} dimensions given, 4 wanted")
    geometries = tuple(
        (tuple(x.shape), b.weights.shape, b.stride, b.pad, b.dilation, groups, b.size) for b in branches
    )
    shapes = [_geometry(*geometry) for geometry in geometries]
    module, device = kernels(x), x.device
    if module is _C:
        raise DeepLabError("tensor_core_conv: only a GPU has tensor cores, the input is on the CPU")
    has_wgmma, processors = _card(device, module.TARGETS)
    wgmma = has_wgmma if wgmma is None else wgmma
    plan = _plan_on(device, branches[0].weights.plans, geometries, precision, tile, wgmma, processors)

    input_ = _padded(_channels_last(x, dtype), groups, 16 // dtype.itemsize)
    kept: list[Any] = [input_]
    results, native = [], []
    for b, (numbers, shape) in zip(branches, shapes, strict=True):
        values, bias = b.weights.values, b.weights.bias
        if values.device != device:
            raise DeepLabError(f"tensor_core_conv: weights on {values.device}, {device} wanted")
        if len(b.epilogue) > TENSOR_CORE_STEPS:
            given = f"{len(b.epilogue)} steps given"
            raise DeepLabError(f"tensor_core_conv: {given}, at most {TENSOR_CORE_STEPS} wanted")
        y = torch.empty(
            (shape[0], *shape[2:], shape[1]), dtype=torch.float32 if float_output else dtype, device=device
        )
        branch = _C.TensorCoreBranch(_C.ConvGeometry(numbers), kind)
        bias_address = 0 if bias is None else bias.data_ptr()
        float_stores = y.dtype == torch.float32
        branch.set_operands(input_.data_ptr(), values.data_ptr(), bias_address, y.data_ptr(), float_stores)
        for step in b.epilogue:
            kept += _add_step(branch, step, shape, y.dtype, device)
        native.append(branch)
        results.append(y.permute(0, 3, 1, 2))
    module.tensor_core_conv(
        native,
        plan.table.data_ptr(),
        plan.items,
        plan.regions_at,
        plan.taps_at,
        kind,
        plan.shape,
        place(x, None),
    )
    return results


def tensor_core_conv(
    x: Tensor,
    weights: TensorCoreWeights,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    epilogue: Sequence[Step] = (),
    size: Pair | None = None,
    float_output: bool = False,
    tile: tuple[int, int] | None = None,
    wgmma: bool | None = None,
) -> Tensor:
    """Convolution with holes on tensor cores: operands in the weights' precision, sums in float32.

    x: [batch, channels, height, width]; channels-last memory of the precision's dtype (see
    TENSOR_CORE_DTYPES) is not copied. Stride, pad, dilation, size as in `atrous_conv`. epilogue: at most
    four steps behind the bias, those of `atrous_conv`; roundings are not those of the layers. float_output:
    float32 in place of the precision's dtype. tile: rows and columns of a block's outputs, for measurements;
    wgmma: whether to use the kernels for sm_90a, by default wherever they run. Every output is summed by one
    block in a fixed order, so that runs give the same bits; tiles may leave out taps that lie in the padding.
    Returns [batch, out, h, w] in channels-last memory. Raises DeepLabError if the shapes do not fit together.
    """
    branch = TensorCoreBranch(weights, stride, pad, dilation, epilogue, size)
    return tensor_core_convs(x, [branch], float_output, tile, wgmma)[0]
