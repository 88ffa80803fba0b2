"""The gradients: layers and ops as torch.autograd.Functions."""

from .layer import layer_function

__all__ = ["layer_function"]
