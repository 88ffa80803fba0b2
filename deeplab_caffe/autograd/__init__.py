"""The gradients: layers and ops as torch.autograd.Functions."""

from .convolution import ConvolutionFunction
from .layer import layer_function
from .softmax_loss import SoftmaxLossFunction

__all__ = ["ConvolutionFunction", "SoftmaxLossFunction", "layer_function"]
