"""The kernels as functions and modules of PyTorch: operators of torch.library, with gradients."""

from .atrous import atrous_conv2d
from .filters import bilateral_filter, permutohedral_filter
from .modules import ASPP, AtrousConv2d
from .packed import PackedWeights

__all__ = [
    "ASPP",
    "AtrousConv2d",
    "PackedWeights",
    "atrous_conv2d",
    "bilateral_filter",
    "permutohedral_filter",
]
