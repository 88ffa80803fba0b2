"""The peer: a Caffe net as plain torch operators, the way it would be ported by hand."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.net import Net
from ..errors import DeepLabError
from ..layers import Layer
from ..layers.batch_norm import BatchNorm
from ..layers.clip import Clip
from ..layers.convolution import Convolution
from ..layers.eltwise import Eltwise
from ..layers.interp import Interp
from ..layers.padding import Padding
from ..layers.parts.same_padding import same_padding
from ..layers.scale import Scale

GATES = {"HardSigmoid": F.hardsigmoid, "HardSwish": F.hardswish}


class TorchNet:
    """The net's layers as torch operators with the same weights; call it with the input tensor.

    channels_last: the memory format of weights and data; dtype: float32 or bfloat16; fold: BatchNorm and
    Scale go into the weights of the convolution before them, else they are one torch batch norm.
    """

    def __init__(
        self, net: Net, channels_last: bool = True, dtype: torch.dtype = torch.float32, fold: bool = False
    ) -> None:
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._dtype, self._fold = dtype, fold
        self._weights: dict[tuple[Any, ...], tuple[Tensor, Tensor | None]] = {}
        self._steps: list[tuple[Callable[..., Tensor], tuple[str, ...], str]] = []
        self._input = next(iter(net.inputs))
        self._output = next(iter(net.outputs))
        self._sizes = {name: tuple(blob.shape[2:]) for name, blob in net.blobs.items()}
        layers = net.layers
        skip = 0
        for i, layer in enumerate(layers):
            if skip:
                skip -= 1
                continue
            run, skip = self._operator(layer, layers[i + 1 : i + 3])
            if run is not None:
                last = layers[i + skip].definition
                self._steps.append((run, layer.definition.bottoms, last.tops[0]))
        self._dead = self._last_uses()

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """The net's first output for the input x [batch, channels, height, width]."""
        return self.forward(x)

    def parameters(self) -> list[Tensor]:
        """Weights and biases of the convolutions."""
        return [t for pair in self._weights.values() for t in pair if t is not None]

    def forward(self, x: Tensor) -> Tensor:
        """The same for autograd."""
        values = {self._input: x.to(self._dtype).contiguous(memory_format=self._format)}
        for (run, bottoms, top), dead in zip(self._steps, self._dead, strict=True):
            values[top] = run(*(values[name] for name in bottoms))
            for name in dead:
                del values[name]
        return values[self._output]

    def _last_uses(self) -> list[list[str]]:
        last: dict[str, int] = {}
        for i, (_, bottoms, top) in enumerate(self._steps):
            last.update(dict.fromkeys((*bottoms, top), i))
        last.pop(self._output, None)
        return [[name for name, at in last.items() if at == i] for i in range(len(self._steps))]

    def _operator(self, layer: Layer, following: list[Layer]) -> tuple[Callable[..., Tensor] | None, int]:
        """The layer as a function of its bottoms (None: nothing to do), and how many more it covers."""
        kind = layer.type
        if isinstance(layer, Convolution):
            match following:
                case [BatchNorm() as norm, Scale() as scale] if self._fold:
                    return self._convolution(layer, norm, scale), 2
            return self._convolution(layer), 0
        if isinstance(layer, BatchNorm) and following and following[0].type == "Scale":
            return self._batch_norm(layer, following[0]), 1
        if kind == "ReLU":
            in_place = layer.definition.bottoms == layer.definition.tops
            return torch.relu_ if in_place else torch.relu, 0
        if kind in GATES:
            return GATES[kind], 0
        if isinstance(layer, Clip):
            low, high = layer.low, layer.high
            return (F.relu6 if (low, high) == (0, 6) else lambda x: x.clamp(low, high)), 0
        if kind == "Pooling":
            return _pooling(layer), 0
        if kind == "Flatten":
            return lambda x: x.flatten(1), 0
        if isinstance(layer, Scale) and len(layer.definition.bottoms) == 2 and layer.param.axis == 0:
            return lambda x, gate: x * gate.view(*gate.shape, *[1] * (x.dim() - gate.dim())), 0
        if kind == "Input":
            return None, 0
        if kind in ("Dropout", "Split"):
            return (None, 0) if layer.definition.bottoms == layer.definition.tops else (lambda x: x, 0)
        if isinstance(layer, Interp):
            size, corners = self._sizes[layer.definition.tops[0]], not layer.half_pixel
            return lambda x, *_: F.interpolate(x, size, mode="bilinear", align_corners=corners), 0
        if kind == "Concat":
            return lambda *xs: torch.cat(xs, 1), 0
        if isinstance(layer, Eltwise):
            if layer.operation == "max":
                return lambda *xs: torch.stack(xs).amax(0) if len(xs) > 2 else torch.maximum(*xs), 0
            return lambda first, *others: sum(others, first), 0
        if kind == "Softmax":
            return lambda x: torch.softmax(x, 1), 0
        if isinstance(layer, Padding):
            begin, end = layer.begin, layer.end
            return lambda x: F.pad(x, (begin, end, begin, end)), 0
        raise DeepLabError(f"the torch peer has no {kind} (layer '{layer.name}')")

    def _convolution(
        self, layer: Convolution, norm: BatchNorm | None = None, scale: Scale | None = None
    ) -> Callable[[Tensor], Tensor]:
        key = layer.blobs[0], *(blob for other in (norm, scale) if other for blob in other.blobs)
        if key in self._weights:  # scales that share parameters hold them once
            weights, bias = self._weights[key]
            return self._convolve(layer, weights, bias)
        weights = layer.blobs[0].values()
        bias = layer.blobs[1].values().reshape(-1) if len(layer.blobs) > 1 else None
        if norm and scale:
            mean, variance, gamma, beta = self._statistics(norm, scale)
            factor = gamma / torch.sqrt(variance + norm.eps)
            weights = weights * factor.view(-1, 1, 1, 1)
            bias = beta + ((0 if bias is None else bias) - mean) * factor
        weights = weights.to(self._dtype).contiguous(memory_format=self._format)
        bias = None if bias is None else bias.to(self._dtype)
        self._weights[key] = weights, bias
        return self._convolve(layer, weights, bias)

    @staticmethod
    def _convolve(layer: Convolution, weights: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
        settings = (layer.dilation, layer.groups)

        def run(x: Tensor) -> Tensor:
            rows, columns = layer.padding(x.shape[2:])
            pad = rows[0], columns[0]
            if rows[0] != rows[1] or columns[0] != columns[1]:
                x, pad = F.pad(x, (*columns, *rows)), (0, 0)
            return F.conv2d(x, weights, bias, layer.stride, pad, *settings)

        return run

    def _batch_norm(self, layer: BatchNorm, scale: Layer) -> Callable[[Tensor], Tensor]:
        mean, variance, gamma, beta = (t.to(self._dtype) for t in self._statistics(layer, scale))
        return lambda x: F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=layer.eps)

    def _statistics(self, layer: BatchNorm, scale: Layer) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, divisor = (blob.values() for blob in layer.blobs)
        factor = 1 / divisor if divisor.item() else torch.zeros(1)
        return mean * factor, variance * factor, scale.blobs[0].values(), scale.blobs[1].values()


def _pooling(layer: Layer) -> Callable[[Tensor], Tensor]:
    pool = layer.definition.param.pooling_param
    if pool.global_pooling:
        return lambda x: (
            x.mean((2, 3), keepdim=True) if pool.pool == pool.AVE else x.amax((2, 3), keepdim=True)
        )
    size, ceil = (pool.kernel_size, pool.stride, pool.pad), pool.round_mode == pool.CEIL
    if pool.same_pad:

        def run(x: Tensor) -> Tensor:
            rows, columns = (same_padding(n, pool.kernel_size, pool.stride) for n in x.shape[2:])
            return F.max_pool2d(F.pad(x, (*columns, *rows), value=float("-inf")), *size[:2])

        return run
    if pool.pool == pool.MAX:
        return lambda x: F.max_pool2d(x, *size, ceil_mode=ceil)
    return lambda x: F.avg_pool2d(x, *size, ceil_mode=ceil)
