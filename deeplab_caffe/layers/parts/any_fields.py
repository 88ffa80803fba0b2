"""Convolution's fields for images, or for blobs of any number of axes."""

from typing import Any

from typing_extensions import override

from ...types import Shape
from .any_convolution import AnyConvolution
from .convolution_fields import WeightedFields
from .window import Window


class AnyFields(WeightedFields):
    """WeightedFields, of which blobs that are no batch of images go by `any`."""

    @override
    def read_windows(self, param: Any) -> None:
        self.any = AnyConvolution(self, self.out_channels, self.groups)
        # Whether fields tell that it is none of images; else the bottom does.
        self.any_only = self.any.is_for(4) or max(map(len, self.any.fields.values())) > 2
        if self.any_only:
            self.kernel = self.stride = self.dilation = (1, 1)
            self.pad = (0, 0)
        else:
            super().read_windows(param)

    def takes_any(self, bottom: Shape) -> bool:
        """Whether it is no batch of images."""
        return self.any_only or self.any.is_for(len(bottom))

    @property
    def is_any(self) -> bool:
        """The same, of a layer with parameters."""
        return self.any_only or bool(self.blobs and self.any.is_for(len(self.blobs[0].shape)))

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        if not self.takes_any(bottoms[0]):
            return self.windowed(bottoms, self.out_channels)
        if self.same_pad:
            raise self.error("same_pad", "for images only")
        return [self.any.top_shape(bottom) for bottom in bottoms]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        if not self.takes_any(bottoms[0]):
            return super().blob_shapes(bottoms)
        weights = self.any.weights_shape(bottoms[0])
        bias = self.definition.dialect.blob_shape(self.out_channels)
        return [weights, bias] if self.definition.param.convolution_param.bias_term else [weights]

    @override
    def windows(self, bottoms: list[Shape]) -> list[Window]:
        return [] if self.takes_any(bottoms[0]) else super().windows(bottoms)

    @override
    def multiply_adds(self, bottoms: list[Shape], tops: list[Shape]) -> tuple[int, int]:
        if self.takes_any(bottoms[0]):
            count = sum(self.any.multiply_adds(*pair) for pair in zip(bottoms, tops, strict=True))
            return count, count
        counts = [
            self.taps(bottom, top, bottom[1] * top[1]) for bottom, top in zip(bottoms, tops, strict=True)
        ]
        return sum(every for every, _ in counts), sum(inside for _, inside in counts)
