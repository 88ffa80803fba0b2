"""Input and MemoryData: blobs that the caller of the net gives."""

from ..types import Shape
from .base import Layer, register


@register("Input")
class Input(Layer):
    """`input_param { shape }`: one shape for all tops or one for each."""

    bottom_count = (0, 0)
    top_count = (1, None)
    fed = True

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        shapes = [tuple(shape.dim) for shape in self.definition.param.input_param.shape]
        tops = len(self.definition.tops)
        if len(shapes) not in (1, tops):
            raise self.error("shape", f"{len(shapes)} given for {tops} tops")
        return shapes if len(shapes) == tops else shapes * tops


@register("MemoryData")
class MemoryData(Layer):
    """`memory_data_param { batch_size channels height width }`: tops data and, if named, label."""

    bottom_count = (0, 0)
    top_count = (1, 2)
    fed = True

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """See Layer."""
        param = self.definition.param.memory_data_param
        data = (param.batch_size, param.channels, param.height, param.width)
        label = self.definition.dialect.top_shape(param.batch_size)
        return [data, label][: len(self.definition.tops)]
