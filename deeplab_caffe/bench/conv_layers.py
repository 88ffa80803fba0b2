"""The convolutions that the benchmark measures: those of DeepLab's nets, with the map sizes they meet."""

from dataclasses import dataclass

from .. import ops


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
    def bytes(self) -> tuple[int, int]:
        """Of float32 that an input and an output position take, all channels together."""
        return 4 * self.inputs, 4 * self.outputs * len(self.rates)

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

    def multiply_adds(self, image: int, inside: bool) -> int:
        """Of one image; `inside`: without the taps that lie in the padding."""
        total = 0
        for rate in self.rates:
            size, pad = self.size(image), self.pad(rate)
            axis = size, self.kernel, self.stride, pad, rate
            if inside:
                intervals = ops.tap_intervals(*axis, extent=1, worth=0, shortest=1)
                taps = sum((end - begin) * len(seen) for begin, end, seen in intervals)
            else:
                taps = self.kernel * ops.convolved_size(*axis)
            total += taps**2 * self.inputs // self.groups * self.outputs
        return total


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
