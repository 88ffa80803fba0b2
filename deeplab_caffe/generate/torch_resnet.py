"""ResNet-50 and -101 as torchvision has them: a unit's stride lies in its 3x3 convolution.

He et al., arXiv:1512.03385.
"""

from .net_text import Word
from .torch_units import Torch

UNITS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
INNER = (64, 128, 256, 512)  # channels inside a unit; four times as many leave it


def features(
    torch: Torch,
    module: str,
    data: str,
    backbone: str,
    strides: tuple[int, ...],
    first_rates: tuple[int, ...],
    rates: tuple[int, ...],
) -> tuple[str, str]:
    """All convolutions; returns the blobs of stride 4 and at the end.

    strides: of the four layers' first units; first_rates: their rates; rates: those of the other units.
    """
    net = torch.net
    net.comment("Root.")
    blob = torch.convolution(f"{module}.conv1", data, 64, 7, 2)
    blob = torch.norm(f"{module}.bn1", blob)
    pooling = {"pool": Word("MAX"), "kernel_size": 3, "stride": 2, "pad": 1, "round_mode": Word("FLOOR")}
    blob = net.layer(f"{module}.maxpool", "Pooling", blob, pooling_param=pooling)
    low = ""
    for i, inner in enumerate(INNER):
        net.comment(f"Layer {i + 1}.")
        for unit in range(UNITS[backbone][i]):
            stride, rate = (strides[i], first_rates[i]) if unit == 0 else (1, rates[i])
            blob = _bottleneck(torch, f"{module}.layer{i + 1}.{unit}", blob, inner, stride, rate, unit == 0)
        low = low or blob
    return low, blob


def _bottleneck(
    torch: Torch, module: str, bottom: str, inner: int, stride: int, rate: int, first: bool
) -> str:
    shortcut = bottom
    if first:
        shortcut = torch.sequence(f"{module}.downsample", bottom, 4 * inner, stride=stride, act=False)
    blob = torch.norm(f"{module}.bn1", torch.convolution(f"{module}.conv1", bottom, inner))
    blob = torch.norm(f"{module}.bn2", torch.convolution(f"{module}.conv2", blob, inner, 3, stride, rate))
    blob = torch.norm(f"{module}.bn3", torch.convolution(f"{module}.conv3", blob, 4 * inner), act=False)
    return torch.activation(module, torch.add(module, shortcut, blob))
