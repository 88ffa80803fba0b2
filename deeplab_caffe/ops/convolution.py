"""Atrous convolution in the canonical reduction order, and its packed weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from ..threads import thread_count
from ..types import Pair, Shape
from .backend import backend_of, kernels
from .bf16 import bf16_way, bf16_weights_size, pack_bf16_weights
from .checks import check, output
from .device_convolution import convolve_on_device
from .epilogue import EpilogueOp, native_epilogue
from .geometry import ConvGeometry, rows_read
from .memory import aligned, empty


def pack_weights(weights: Tensor, groups: int = 1) -> Tensor:
    """Weights [out, in / groups, kh, kw] in the order their device reads them, a flat float32 tensor."""
    weights = check("pack_weights", weights, 4)
    native, executor = kernels(weights)
    geometry = ConvGeometry.of_weights(tuple(weights.shape), groups).native(native)
    packed = empty(native.packed_weights_size(geometry), weights.device)
    addresses = weights.data_ptr(), packed.data_ptr()
    native.pack_weights(geometry, *addresses, executor)
    return packed


def unpack_weights(packed: Tensor, shape: Shape, groups: int = 1) -> Tensor:
    """The inverse of `pack_weights`, for weights of `shape`."""
    native, executor = kernels(packed)
    geometry = ConvGeometry.of_weights(tuple(shape), groups).native(native)
    packed = check("unpack_weights", packed, 1, native.packed_weights_size(geometry))
    weights = torch.empty(shape, device=packed.device)
    addresses = packed.data_ptr(), weights.data_ptr()
    native.unpack_weights(geometry, *addresses, executor)
    return weights


def packed_weights_size(shape: Shape, groups: int = 1) -> int:
    """The number of values that `pack_weights` makes on the CPU of weights of `shape`."""
    return _C.packed_weights_size(ConvGeometry.of_weights(shape, groups).native())


def read_packed_weights(
    file: int, offset: int, shape: Shape, out: Tensor, groups: int = 1, threads: int | None = None
) -> bool:
    """`pack_weights` on the CPU of weights of `shape` that lie in a file, in this machine's byte order.

    file: an open descriptor, whose position stays; offset: of the first value, in bytes; out: contiguous, of
    `packed_weights_size` values. False if the file cannot be read or ends too early; `out` is then undefined.
    """
    geometry = ConvGeometry.of_weights(tuple(shape), groups).native()
    out = output("read_packed_weights", out, (_C.packed_weights_size(geometry),), out)
    return _C.read_packed_weights(geometry, file, offset, out.data_ptr(), thread_count(threads))


def atrous_conv(
    x: Tensor,
    weights: Tensor,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[EpilogueOp] = (),
    packed_shape: Shape | None = None,
    size: Pair | None = None,
    out: Tensor | None = None,
    threads: int | None = None,
    bf16: str = "",
) -> Tensor:
    """Convolution with holes, every output summed in the canonical order: the original program's bits.

    x: float32 [batch, channels, height, width]; weights: [out, channels / groups, kh, kw], or what
    `pack_weights` made of them, with their shape in `packed_shape`. dilation is DeepLab's `hole`, the rate of
    atrous convolution (Chen et al., "DeepLab", 2016, section 3.1). epilogue: what each output goes
    through, in order: Bias, ReLU and so on, see `ops.epilogue`. size: rows and columns of the result, for
    a padding that differs at both ends (`pad` is the one before); by default it is the same. bf16: kernels of
    BF16_KERNELS (not torch's) that round x and the weights instead, of one group on the CPU; packed weights
    are those of `pack_bf16_weights` then. Returns float32 [batch, out, h, w]. Raises DeepLabError if the
    shapes do not fit together.
    """
    x = check("atrous_conv", x, 4)
    shape = tuple(weights.shape) if packed_shape is None else tuple(packed_shape)
    if len(shape) != 4:
        raise DeepLabError(f"atrous_conv: weights have {len(shape)} dimensions, 4 wanted")
    backend = backend_of(x.device)
    native = backend.native
    geometry = ConvGeometry.of(tuple(x.shape), shape, stride, pad, dilation, groups, size)
    if bf16 and (groups != 1 or backend.is_gpu):
        raise DeepLabError("atrous_conv: in bf16 one group on the CPU wanted")
    if packed_shape is None:
        weights = pack_bf16_weights(weights, threads) if bf16 else pack_weights(weights, groups)
    count = bf16_weights_size(shape) if bf16 else native.packed_weights_size(geometry.native(native))
    packed = check("atrous_conv", weights, 1, count, like=x)
    packed = aligned(packed) if backend.is_gpu else packed
    steps, _kept = native_epilogue(native, epilogue, geometry.out_shape, x)
    y = output("atrous_conv", out, geometry.out_shape, x)
    operands = x.data_ptr(), packed.data_ptr(), steps, y.data_ptr()
    if not backend.is_gpu:
        _convolve(geometry, operands, threads, bf16)
    elif y.numel():
        convolve_on_device(backend, geometry, *operands, x)
    return y


def _convolve(
    geometry: ConvGeometry, operands: tuple[int, int, list[Any], int], threads: int | None, bf16: str
) -> None:
    """On the CPU. operands: addresses of x and the packed weights, the epilogue's steps, the address of y."""
    native = geometry.native()
    if bf16:
        _C.bf16_conv(native, bf16_way(bf16, "atrous_conv: bf16"), *operands, thread_count(threads))
    else:
        _C.atrous_conv(native, *operands, thread_count(threads))


def atrous_conv_rows(
    x: Tensor,
    packed: Tensor,
    packed_shape: Shape,
    rows: Pair,
    height: int,
    x_first: int,
    out: Tensor,
    out_first: int,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    epilogue: Sequence[EpilogueOp] = (),
    threads: int | None = None,
    bf16: str = "",
) -> Tensor:
    """`atrous_conv` of some rows, on the CPU: nothing else of the input and output need be in memory.

    rows: the first row of the output to compute, and the one behind the last. height: that of the whole
    input, of which x [batch, channels, some rows, width] holds those from `x_first` on, at least what
    `rows_read` tells. out [batch, out, some rows, width] is written to; it holds the output's rows from
    `out_first` on, and the tensor of a Sum the same. Raises DeepLabError if rows are missing.
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
    geometry = ConvGeometry.of(whole, packed_shape, stride, pad, dilation, groups, size)
    part = geometry.of_rows(rows, x[0, 0].numel(), out[0, 0].numel())
    moved = 4 * out.shape[3] * (rows[0] - out_first)
    steps, _kept = native_epilogue(_C, epilogue, tuple(out.shape), x, moved)
    count = bf16_weights_size(packed_shape) if bf16 else _C.packed_weights_size(part.native())
    operands = (
        (x.data_ptr() - 4 * x.shape[3] * x_first) % 2**64,  # where row 0 would lie: only an address
        check("atrous_conv_rows", packed, 1, count).data_ptr(),
        steps,
        out.data_ptr() + moved,
    )
    _convolve(part, operands, threads, bf16)
    return out
