"""The convolutions that the benchmark measures: those of DeepLab's nets, with the map sizes they meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from .conv_shapes import ConvShape


@dataclass(frozen=True)
class ConvLayer:
    """Parallel convolutions of one map, one for each rate, square, padded so that the map keeps its size.

    scale: how many times smaller than the image the map is (size s gives (s - 1) / scale + 1).
    """

    name: str
    inputs: int
    outputs: int
    kernel: int
    rates: tuple[int, ...]
    scale: int = 8
    stride: int = 1
    groups: int = 1

    @property
    def dilated(self) -> bool:
        """Whether this is an atrous convolution at all."""
        return max(self.rates) > 1

    def pad(self, rate: int) -> int:
        """As much as the kernel reaches beyond its middle."""
        return rate * (self.kernel - 1) // 2

    def size(self, image: int) -> int:
        """Rows and columns of the map for a square image."""
        return (image - 1) // self.scale + 1

    def at(self, image: int, batch: int) -> ConvShape:
        """The convolution of the maps of `batch` square images."""
        size, kernel = self.size(image), (self.kernel, self.kernel)
        numbers = batch, self.inputs, (size, size), self.outputs, kernel, self.rates, self.stride, self.groups
        return ConvShape(self.name, *numbers, image)


def shapes_of(layers: Sequence[ConvLayer], images: Sequence[int], batches: Sequence[int]) -> list[ConvShape]:
    """Each layer at each size and batch, dilated and large ones first."""
    cases = sorted(product(layers, images, batches), key=lambda c: (not c[0].dilated, -c[1], -c[2]))
    return [layer.at(image, batch) for layer, image, batch in cases]


def depthwise(channels: int, scale: int, stride: int = 1, rate: int = 1) -> ConvLayer:
    """One of Xception's or of the ASPP's: each channel by itself."""
    words = f"{channels} at 1/{scale}" + f" stride {stride}" * (stride > 1) + f" rate {rate}" * (rate > 1)
    return ConvLayer(f"depthwise {words}", channels, channels, 3, (rate,), scale, stride, channels)


LAYERS = (
    ConvLayer("conv5 rate 2", 512, 512, 3, (2,)),
    ConvLayer("fc6 4x4 rate 4", 512, 4096, 4, (4,)),
    ConvLayer("fc6 rate 12", 512, 1024, 3, (12,)),
    *(ConvLayer(f"aspp rate {rate}", 512, 1024, 3, (rate,)) for rate in (6, 18, 24)),
    *(ConvLayer(f"resnet aspp rate {rate}", 2048, 21, 3, (rate,)) for rate in (6, 12, 18, 24)),
    ConvLayer("resnet aspp, 4 branches", 2048, 21, 3, (6, 12, 18, 24)),
    ConvLayer("aspp, 4 branches", 512, 1024, 3, (6, 12, 18, 24)),
    ConvLayer("res4 rate 2", 256, 256, 3, (2,)),
    ConvLayer("res5 rate 4", 512, 512, 3, (4,)),
    ConvLayer("conv1_1", 3, 64, 3, (1,), 1),
    ConvLayer("conv1_2", 64, 64, 3, (1,), 1),
    ConvLayer("conv2_2", 128, 128, 3, (1,), 2),
    ConvLayer("conv3_2", 256, 256, 3, (1,), 4),
    ConvLayer("conv4_2", 512, 512, 3, (1,)),
    ConvLayer("fc7", 1024, 1024, 1, (1,)),
    ConvLayer("fc8", 1024, 21, 1, (1,)),
    ConvLayer("res1 7x7 stride 2", 3, 64, 7, (1,), 1, 2),
    ConvLayer("res4 1x1", 1024, 256, 1, (1,)),
    depthwise(64, 2),
    depthwise(128, 2),
    depthwise(128, 2, stride=2),
    depthwise(256, 4),
    depthwise(304, 4),
    depthwise(728, 8, stride=2),
    depthwise(728, 16),
    depthwise(1536, 16, rate=2),
    depthwise(2048, 16, rate=6),
    depthwise(2048, 16, rate=18),
)
