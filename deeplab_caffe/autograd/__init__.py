"""The gradients of forward passes and ops, as functions of tensors."""

from .accumulation import accumulating
from .callbacks import callback_function
from .convolution import ConvolutionFunction
from .layer import layer_function
from .scatter import scatter_last
from .softmax_loss import SoftmaxLossFunction

__all__ = [
    "ConvolutionFunction",
    "SoftmaxLossFunction",
    "accumulating",
    "callback_function",
    "layer_function",
    "scatter_last",
]
