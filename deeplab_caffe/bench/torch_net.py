"""The peer: a Caffe net as plain torch operators, the way it would be ported by hand."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.net import Net
from ..layers import Layer
from ..layers.batch_norm import BatchNorm
from ..layers.convolution import Convolution
from ..layers.scale import Scale
from .torch_operators import Operator, operator


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
        self._shapes = {name: tuple(blob.shape) for name, blob in net.blobs.items()}
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

    def _operator(self, layer: Layer, following: list[Layer]) -> tuple[Operator | None, int]:
        """The layer as a function of its bottoms (None: nothing to do), and how many more it covers."""
        if isinstance(layer, Convolution):
            match following:
                case [BatchNorm() as norm, Scale() as scale] if self._fold:
                    return self._convolution(layer, norm, scale), 2
            return self._convolution(layer), 0
        if isinstance(layer, BatchNorm) and following and following[0].type == "Scale":
            return self._batch_norm(layer, following[0]), 1
        return operator(layer, self._shapes[layer.definition.tops[0]]), 0

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
