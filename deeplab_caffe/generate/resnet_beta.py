"""ResNet-50 and -101 v1 "beta": three 3x3 convolutions at the start, a unit's stride in its 3x3 convolution.

He et al., arXiv:1512.03385; with multi-grid: Chen et al., arXiv:1706.05587, section 3.2.
"""

from .net_text import NetText, Word
from .slim import Slim, Strides

UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
INNER = (64, 128, 256, 512)  # channels inside a unit; four times as many leave it


def features(
    net: NetText, data: str, depth: int, output_stride: int, multi_grid: tuple[int, ...]
) -> tuple[str, str, int]:
    """All convolutions. Returns the decoder's blob, of stride 4, the last one, and the latter's channels."""
    slim = Slim(net, epsilon=1e-5)
    scope = f"resnet_v1_{depth}"
    net.comment("Root.")
    blob = slim.convolution(f"{scope}/conv1_1", data, 64, 3, stride=2)
    blob = slim.convolution(f"{scope}/conv1_2", blob, 64, 3)
    blob = slim.convolution(f"{scope}/conv1_3", blob, 128, 3)
    pooling = {"pool": Word("MAX"), "kernel_size": 3, "stride": 2, "same_pad": True}
    blob = net.layer(f"{scope}/pool1", "Pooling", blob, pooling_param=pooling)
    strides, channels = Strides(output_stride // 4), 128
    for block, (units, inner) in enumerate(zip(UNITS[depth], INNER, strict=True), start=1):
        net.comment(f"Block {block}.")
        for unit in range(1, units + 1):
            # A block's last unit is the strided one.
            stride, rate = strides.place(2 if unit == units and block < 4 else 1)
            rate *= multi_grid[unit - 1] if block == 4 else 1
            name = f"{scope}/block{block}/unit_{unit}/bottleneck_v1"
            blob = _bottleneck(slim, name, blob, channels, inner, stride, rate)
            channels = 4 * inner
    return f"{scope}/block1/unit_2/bottleneck_v1/conv3", blob, channels


def _bottleneck(
    slim: Slim, scope: str, bottom: str, channels: int, inner: int, stride: int, rate: int
) -> str:
    shortcut = bottom
    if channels != 4 * inner:
        shortcut = slim.convolution(f"{scope}/shortcut", bottom, 4 * inner, stride=stride, relu=False)
    elif stride > 1:
        every = {"pool": Word("MAX"), "kernel_size": 1, "stride": stride, "round_mode": Word("FLOOR")}
        shortcut = slim.net.layer(f"{scope}/shortcut", "Pooling", bottom, pooling_param=every)
    blob = slim.convolution(f"{scope}/conv1", bottom, inner)
    blob = slim.convolution(f"{scope}/conv2", blob, inner, 3, stride, rate)
    blob = slim.convolution(f"{scope}/conv3", blob, 4 * inner, relu=False)
    blob = slim.add(scope, shortcut, blob)
    return slim.relu(f"{scope}/relu", blob, blob)
