"""The gradients of forward passes and ops, as functions of tensors."""

from .accumulation import accumulating
from .convolution import ConvolutionFunction
from .layer import layer_function
from .softmax_loss import SoftmaxLossFunction

__all__ = ["ConvolutionFunction", "SoftmaxLossFunction", "accumulating", "layer_function"]
