"""MobileNet v3, large, as torchvision has it for segmentation: Howard et al., arXiv:1905.02244."""

from typing import NamedTuple

from .torch_units import Torch

EPSILON = 1e-3
CHANNELS = 960  # of the last blob


class Unit(NamedTuple):
    """kernel, channels inside and out, squeeze and excitation, activation, stride, rate."""

    kernel: int
    inner: int
    outputs: int
    squeeze: bool
    act: str
    stride: int = 1
    rate: int = 1


LARGE = (
    Unit(3, 16, 16, False, "relu"),
    Unit(3, 64, 24, False, "relu", 2),
    Unit(3, 72, 24, False, "relu"),
    Unit(5, 72, 40, True, "relu", 2),
    Unit(5, 120, 40, True, "relu"),
    Unit(5, 120, 40, True, "relu"),
    Unit(3, 240, 80, False, "hardswish", 2),
    Unit(3, 200, 80, False, "hardswish"),
    Unit(3, 184, 80, False, "hardswish"),
    Unit(3, 184, 80, False, "hardswish"),
    Unit(3, 480, 112, True, "hardswish"),
    Unit(3, 672, 112, True, "hardswish"),
    Unit(5, 672, 160, True, "hardswish", 1, 2),  # would have stride 2
    Unit(5, 960, 160, True, "hardswish", 1, 2),
    Unit(5, 960, 160, True, "hardswish", 1, 2),
)


def features(torch: Torch, module: str, data: str) -> str:
    """All convolutions; returns the last blob, of stride 16."""
    torch.net.comment("Root.")
    outer = Torch(torch.net, EPSILON, "hardswish")
    blob, channels = outer.sequence(f"{module}.0", data, 16, 3, 2), 16
    for i, unit in enumerate(LARGE, start=1):
        torch.net.comment(f"Unit {i}.")
        blob = _inverted_residual(Torch(torch.net, EPSILON, unit.act), f"{module}.{i}", blob, channels, unit)
        channels = unit.outputs
    torch.net.comment("Last convolution.")
    return outer.sequence(f"{module}.{len(LARGE) + 1}", blob, CHANNELS)


def _inverted_residual(torch: Torch, module: str, bottom: str, channels: int, unit: Unit) -> str:
    """Widens the channels, convolves each, weighs them, narrows them again."""
    blob, part = bottom, 0
    if unit.inner != channels:
        blob = torch.sequence(f"{module}.block.{part}", blob, unit.inner)
        part += 1
    blob = torch.sequence(
        f"{module}.block.{part}", blob, unit.inner, unit.kernel, unit.stride, unit.rate, unit.inner
    )
    part += 1
    if unit.squeeze:
        blob = _squeeze_excitation(torch, f"{module}.block.{part}", blob, unit.inner)
        part += 1
    blob = torch.sequence(f"{module}.block.{part}", blob, unit.outputs, act=False)
    # The unit that only lost its stride has other channels, so stride 1 is enough of a condition.
    return torch.add(module, bottom, blob) if unit.stride == 1 and channels == unit.outputs else blob


def _squeeze_excitation(torch: Torch, module: str, bottom: str, channels: int) -> str:
    """Each channel times a gate between 0 and 1 that all channels' means decide. Hu et al., CVPR 2018."""
    net = torch.net
    blob = torch.convolution(f"{module}.fc1", torch.pooled(module, bottom), _squeezed(channels), bias=True)
    net.layer(f"{module}.fc1/relu", "ReLU", blob, blob)
    blob = torch.convolution(f"{module}.fc2", blob, channels, bias=True)
    net.layer(f"{module}.fc2/gate", "HardSigmoid", blob, blob)
    gate = net.layer(f"{module}.fc2/flat", "Flatten", blob)
    return net.layer(module, "Scale", (bottom, gate), scale_param={"axis": 0})


def _squeezed(channels: int) -> int:
    """A quarter, as the nearest multiple of 8 (upwards from the middle), but at least 90% of it."""
    nearest = max(8, (channels // 4 + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * (channels // 4) else nearest
