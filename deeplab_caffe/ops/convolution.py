"""Atrous convolution in the canonical reduction order, and its packed weights."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch

from .. import _C
from ..errors import DeepLabError
from ..types import Pair
from .backend import Tensor, kernels, place, thread_count
from .checks import check, output
from .device_convolution import convolve_on_device
from .memory import empty

# A step that the outputs go through in the same pass, with the roundings of the layer it stands for:
# ("bias", b), ("scale", f), ("batch_norm", mean, deviation): one value per channel;
# ("sum", other, own_coefficient, other_coefficient, after): Eltwise SUM with a tensor of the output's shape,
# which is the first of the two if `after`; ("relu", slope); ("clip", low, high).
Step = tuple[Any, ...]


def convolved_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Caffe's output size: (size + 2 * pad - (dilation * (kernel - 1) + 1)) / stride + 1, rounded down."""
    return (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1


def _geometry(
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Pair,
    pad: Pair,
    dilation: Pair,
    groups: int,
    size: Pair | None = None,
    first_row: int = 0,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of a ConvGeometry and the output's shape; DeepLabError if they do not fit together.

    first_row: the outputs begin with this row of what is the whole.
    """
    batch, channels, height, width = shape
    out_channels, per_group, kernel_h, kernel_w = weights
    if groups < 1 or channels != per_group * groups or out_channels % groups:
        given = f"weights {out_channels}x{per_group} in {groups} groups"
        raise DeepLabError(f"atrous_conv: {given} do not fit {channels} channels")
    if min(*stride, *dilation, kernel_h, kernel_w) < 1 or min(pad) < 0:
        raise DeepLabError("atrous_conv: kernel, stride and dilation must be positive, pad at least 0")
    out_h, out_w = size or (
        convolved_size(height, kernel_h, stride[0], pad[0], dilation[0]),
        convolved_size(width, kernel_w, stride[1], pad[1], dilation[1]),
    )
    if out_h < 1 or out_w < 1:
        raise DeepLabError(f"atrous_conv: the kernel is larger than the padded {height}x{width} input")
    numbers = batch, groups, channels, height, width, out_channels, out_h, out_w, kernel_h, kernel_w
    pad = pad[0] - first_row * stride[0], pad[1]
    return (*numbers, *stride, *pad, *dilation), (batch, out_channels, out_h, out_w)


def _weights_geometry(shape: tuple[int, ...], groups: int) -> tuple[int, ...]:
    """A geometry with these weights; what is convolved does not matter for packing."""
    image = (1, shape[1] * groups, shape[2], shape[3])
    return _geometry(image, shape, (1, 1), (0, 0), (1, 1), groups)[0]


def pack_weights(weights: Tensor, groups: int = 1) -> Tensor:
    """Weights [out, in / groups, kh, kw] in the order their device reads them, a flat float32 tensor."""
    weights = check("pack_weights", weights, 4)
    native, numbers = kernels(weights), _weights_geometry(tuple(weights.shape), groups)
    geometry = native.ConvGeometry(numbers)
    packed = empty(native.packed_weights_size(geometry), weights.device)
    addresses = weights.data_ptr(), packed.data_ptr()
    native.pack_weights(geometry, *addresses, place(weights, None))
    return packed


def unpack_weights(packed: Tensor, shape: tuple[int, ...], groups: int = 1) -> Tensor:
    """The inverse of `pack_weights`, for weights of `shape`."""
    native, numbers = kernels(packed), _weights_geometry(tuple(shape), groups)
    geometry = native.ConvGeometry(numbers)
    packed = check("unpack_weights", packed, 1, native.packed_weights_size(geometry))
    weights = torch.empty(shape, device=packed.device)
    addresses = packed.data_ptr(), weights.data_ptr()
    native.unpack_weights(geometry, *addresses, place(packed, None))
    return weights


def packed_weights_size(shape: tuple[int, ...], groups: int = 1) -> int:
    """The number of values that `pack_weights` makes on the CPU of weights of `shape`."""
    return _C.packed_weights_size(_C.ConvGeometry(_weights_geometry(shape, groups)))


def read_packed_weights(
    file: int, offset: int, shape: tuple[int, ...], out: Tensor, groups: int = 1, threads: int | None = None
) -> bool:
    """`pack_weights` on the CPU of weights of `shape` that lie in a file, in this machine's byte order.

    file: an open descriptor, whose position stays; offset: of the first value, in bytes; out: contiguous, of
    `packed_weights_size` values. False if the file cannot be read or ends too early; `out` is then undefined.
    """
    geometry = _C.ConvGeometry(_weights_geometry(tuple(shape), groups))
    out = output("read_packed_weights", out, (_C.packed_weights_size(geometry),), out)
    return _C.read_packed_weights(geometry, file, offset, out.data_ptr(), thread_count(threads))


def _epilogue_step(
    native: ModuleType, step: Step, shape: tuple[int, ...], like: Tensor, moved: int = 0
) -> tuple[Any, list[Tensor]]:
    """The step for the kernel, and the tensors that must outlive the call.

    moved: bytes between the first value of a tensor of `shape` and the one for the first output.
    """
    kind, *operands = step
    tensors: list[Tensor] = []
    first, second, after = 1.0, 1.0, False
    if kind == "relu":
        (first,) = operands
    elif kind == "clip":
        first, second = operands
    elif kind == "sum":
        other, first, second, after = operands
        if tuple(other.shape) != shape:
            raise DeepLabError(f"atrous_conv: sum with {tuple(other.shape)}, {shape} wanted")
        tensors = [check("atrous_conv", other, like=like)]
    else:
        tensors, moved = [check("atrous_conv", t, count=shape[1], like=like) for t in operands], 0
    a, b = ([tensor.data_ptr() + moved for tensor in tensors] + [0, 0])[:2]
    return native.EpilogueStep(getattr(native.EpilogueKind, kind), a, b, first, second, after), tensors


def atrous_conv(
    x: Tensor,
    weights: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[Step] = (),
    packed_shape: tuple[int, ...] | None = None,
    size: Pair | None = None,
    out: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """Convolution with holes, every output summed in the canonical order: the original program's bits.

    x: float32 [batch, channels, height, width]; weights: [out, channels / groups, kh, kw], or what
    `pack_weights` made of them, with their shape in `packed_shape`. dilation is DeepLab's `hole`, the rate of
    atrous convolution (Chen et al., "DeepLab", 2016, section 3.1). epilogue: steps that each output goes
    through, see `Step`: ("bias", b), ("relu", 0.0) and so on. size: rows and columns of the result, for
    a padding that differs at both ends (`pad` is the one before); by default it is the same. Returns float32
    [batch, out, h, w]. Raises DeepLabError if the shapes do not fit together.
    """
    x = check("atrous_conv", x, 4)
    shape = tuple(weights.shape) if packed_shape is None else tuple(packed_shape)
    if len(shape) != 4:
        raise DeepLabError(f"atrous_conv: weights have {len(shape)} dimensions, 4 wanted")
    native = kernels(x)
    numbers, result = _geometry(tuple(x.shape), shape, stride, pad, dilation, groups, size)
    geometry = native.ConvGeometry(numbers)
    if packed_shape is None:
        weights = pack_weights(weights, groups)
    packed = check("atrous_conv", weights, 1, native.packed_weights_size(geometry), like=x)
    steps = [_epilogue_step(native, step, result, x) for step in epilogue]
    y = output("atrous_conv", out, result, x)
    operands = x.data_ptr(), packed.data_ptr(), [step for step, _ in steps], y.data_ptr()
    if native is _C:
        native.atrous_conv(geometry, *operands, place(x, threads))
    elif y.numel():
        convolve_on_device(native, numbers, *operands, x)
    return y


def rows_read(rows: Pair, height: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> Pair:
    """Input rows (first, end), of `height`, that windows read to make the output rows `rows` (first, end)."""
    first = min(max(rows[0] * stride - pad, 0), height)
    return first, max(first, min((rows[1] - 1) * stride - pad + (kernel - 1) * dilation + 1, height))


def atrous_conv_rows(
    x: Tensor,
    packed: Tensor,
    packed_shape: tuple[int, ...],
    rows: Pair,
    height: int,
    x_first: int,
    out: Tensor,
    out_first: int,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[Step] = (),
    threads: int | None = None,
) -> Tensor:
    """`atrous_conv` of some rows, on the CPU: nothing else of the input and output need be in memory.

    rows: the first row of the output to compute, and the one behind the last. height: that of the whole
    input, of which x [batch, channels, some rows, width] holds those from `x_first` on, at least what
    `rows_read` tells. out [batch, out, some rows, width] is written to; it holds the output's rows from
    `out_first` on, and a tensor of a ("sum", ...) step the same. Raises DeepLabError if rows are missing.
    """
    x = check("atrous_conv_rows", x, 4)
    if out.dtype != torch.float32 or not out.is_contiguous() or out.shape[:2] != (len(x), packed_shape[0]):
        raise DeepLabError(f"atrous_conv_rows: out is {tuple(out.shape)} {out.dtype}, which does not fit")
    first, end = rows_read(rows, height, packed_shape[2], stride[0], pad[0], dilation[0])
    for name, tensor, begin, wanted in (("x", x, x_first, (first, end)), ("out", out, out_first, rows)):
        if not begin <= wanted[0] <= wanted[1] <= begin + tensor.shape[2]:
            held = f"{name} holds rows {begin} to {begin + tensor.shape[2]}"
            raise DeepLabError(f"atrous_conv_rows: {held}, {wanted[0]} to {wanted[1]} wanted")
    whole, size = (*x.shape[:2], height, x.shape[3]), (rows[1] - rows[0], out.shape[3])
    numbers, _ = _geometry(whole, packed_shape, stride, pad, dilation, groups, size, rows[0])
    geometry = _C.ConvGeometry([*numbers, x[0, 0].numel(), out[0, 0].numel()])
    moved = 4 * out.shape[3] * (rows[0] - out_first)
    steps = [_epilogue_step(_C, step, tuple(out.shape), x, moved) for step in epilogue]
    _C.atrous_conv(
        geometry,
        (x.data_ptr() - 4 * x.shape[3] * x_first) % 2**64,  # where row 0 would lie: only an address
        check("atrous_conv_rows", packed, 1, _C.packed_weights_size(geometry)).data_ptr(),
        [step for step, _ in steps],
        out.data_ptr() + moved,
        place(x, threads),
    )
    return out


def planned_multiply_adds(
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> int:
    """Multiply-adds the kernel performs for an input of `shape`, the padding taps it skips left out."""
    numbers = _geometry(shape, weights, stride, pad, dilation, groups)[0]
    return shape[0] * _C.planned_multiply_adds(_C.ConvGeometry(numbers))


def tap_intervals(
    size: int, kernel: int, stride: int, pad: int, dilation: int, extent: int, worth: int, shortest: int
) -> list[tuple[int, int, list[int]]]:
    """The kernel's cuts of one axis: (begin, end, taps) of outputs that share the taps inside the image.

    Each output stands for `extent` positions; cuts saving less than `worth` positions, or leaving less than
    `shortest` outputs together, are not made.
    """
    out = convolved_size(size, kernel, stride, pad, dilation)
    return _C.tap_intervals(size, out, kernel, stride, pad, dilation, extent, worth, shortest)
