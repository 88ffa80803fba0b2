"""Xception-41, -65, -71 as DeepLab v3+ has them: Chollet, arXiv:1610.02357; Chen et al., arXiv:1802.02611."""

from dataclasses import dataclass

from .net_text import NetText
from .slim import Slim, Strides


@dataclass(frozen=True)
class Block:
    """Modules in a row. channels: of a module's three separable convolutions; stride: of the third.

    skip: "conv" adds a 1x1 convolution of the input to a module's result, "sum" the input itself, "" nothing.
    """

    name: str
    channels: tuple[int, int, int]
    skip: str
    stride: int
    units: int = 1


def _blocks(entry: tuple[tuple[int, int], ...], middle: int) -> tuple[Block, ...]:
    return (
        *(Block(f"entry_flow/block{i}", (c, c, c), "conv", s) for i, (c, s) in enumerate(entry, start=1)),
        Block("middle_flow/block1", (728, 728, 728), "sum", 1, middle),
        Block("exit_flow/block1", (728, 1024, 1024), "conv", 2),
        Block("exit_flow/block2", (1536, 1536, 2048), "", 1),
    )


_USUAL = ((128, 2), (256, 2), (728, 2))
BLOCKS = {
    41: _blocks(_USUAL, 8),
    65: _blocks(_USUAL, 16),
    71: _blocks(((128, 2), (256, 1), (256, 2), (728, 1), (728, 2)), 16),
}
LOW_LEVEL = {41: "entry_flow/block2", 65: "entry_flow/block2", 71: "entry_flow/block3"}


def features(
    net: NetText, data: str, depth: int, output_stride: int, multi_grid: tuple[int, ...]
) -> tuple[str, str, int]:
    """All convolutions. Returns the decoder's blob, of stride 4, the last one, and the latter's channels."""
    slim = Slim(net, epsilon=1e-3)
    scope = f"xception_{depth}"
    net.comment("Root.")
    blob = slim.convolution(f"{scope}/entry_flow/conv1_1", data, 32, 3, stride=2)
    blob = slim.convolution(f"{scope}/entry_flow/conv1_2", blob, 64, 3)
    strides, channels = Strides(output_stride // 2), 64
    for block in BLOCKS[depth]:
        net.comment(f"{block.name.replace('_', ' ').replace('/', ', ').capitalize()}.")
        last = block.name == "exit_flow/block2"
        for unit in range(1, block.units + 1):
            stride, rate = strides.place(block.stride)
            rates = [rate * factor for factor in multi_grid] if last else [rate] * 3
            name = f"{scope}/{block.name}/unit_{unit}/xception_module"
            blob = _module(slim, name, blob, channels, block, stride, rates)
            channels = block.channels[-1]
    low_level = f"{scope}/{LOW_LEVEL[depth]}/unit_1/xception_module/separable_conv2_pointwise"
    return low_level, blob, channels


def _module(
    slim: Slim, scope: str, bottom: str, channels: int, block: Block, stride: int, rates: list[int]
) -> str:
    """Three separable convolutions beside a shortcut.

    With a shortcut, ReLU goes before each of them, and the shortcut has none; without, it goes after every
    depthwise and pointwise part.
    """
    shortcut, inside = bottom, not block.skip
    if block.skip == "conv":
        shortcut = slim.convolution(
            f"{scope}/shortcut", bottom, block.channels[-1], stride=stride, relu=False
        )
    blob = bottom
    for i, (outputs, rate) in enumerate(zip(block.channels, rates, strict=True), start=1):
        name = f"{scope}/separable_conv{i}"
        if not inside:
            blob = slim.relu(f"{name}/relu", blob)
        blob = slim.depthwise(f"{name}_depthwise", blob, channels, stride if i == 3 else 1, rate, inside)
        blob = slim.convolution(f"{name}_pointwise", blob, outputs, relu=inside)
        channels = outputs
    return slim.add(scope, shortcut, blob) if block.skip else blob
