"""StandIn: in place of a layer that cannot run here, to look at the shapes and costs of a net."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from ..types import Pair, Shape
from .base import Layer
from .context import Context
from .parts.region_shapes import proposed_shape, region_shape

if TYPE_CHECKING:
    from ..formats.net_definition import LayerDefinition

# Their second top is a map of labels; that of other data layers has one number an image.
_WITH_LABEL_MAPS = ("DenseImageData", "ImageLabelmapData", "ImageSegData", "Python", "WindowSegData")


class StandIn(Layer):
    """A layer whose tops are of shapes that somebody else knows. It has no parameters and never runs."""

    bottom_count = (0, None)
    top_count = (0, None)

    def __init__(
        self,
        definition: "LayerDefinition",
        context: Context,
        shapes: list[Shape] | Callable[[list[Shape]], list[Shape]],
    ) -> None:
        """shapes: those of the tops, or what gives them for the bottoms'."""
        self.shapes = shapes
        super().__init__(definition, context)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        return self.shapes(bottoms) if callable(self.shapes) else self.shapes

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Never called."""
        raise self.error("type", "a stand-in does not run")


def is_label(name: str) -> bool:
    """Whether a top of this name is what the net is compared with, not what it sees."""
    return any(word in name.lower() for word in ("label", "target", "gt_", "_gt", "truth"))


def data_shapes(
    definition: "LayerDefinition",
    size: Pair | None,
    given: Mapping[str, Shape],
    own: list[Shape] | None = None,
) -> list[Shape]:
    """Shapes of the tops of a layer without bottoms, as far as its fields and the caller tell.

    size: (height, width) of images and maps, in place of what crop_size and the like say. given: shapes by
    blob, which count first. own: what the layer itself says. DeepLabError where the size is nowhere.
    """
    batch, channels = _batch(definition.param), _channels(definition.param)
    if own and len(own[0]) == 4:
        batch, channels = own[0][:2]
    found = size or _size(definition.param)
    shapes = []
    for number, name in enumerate(definition.tops):
        label = is_label(name) or (number > 0 and not name.lower().startswith(("data", "image")))
        map_of_labels = definition.type in _WITH_LABEL_MAPS
        if name in given:
            shape = given[name]
        elif (region := region_shape(definition, name)) is not None:
            shape = region
        elif name == "data_dim":
            shape = (batch, 1, 1, 2)
        elif label and not map_of_labels:
            shape = definition.dialect.top_shape(batch)
        elif found is None:
            example = f"--shape {name}={batch}x{1 if label else channels}xHEIGHTxWIDTH"
            raise definition.error("top", f"nothing tells the size of '{name}': --size or {example} wanted")
        else:
            shape = (batch, 1 if label else channels, *found)
        shapes.append(shape)
    return shapes


def python_shapes(
    definition: "LayerDefinition", given: Mapping[str, Shape]
) -> Callable[[list[Shape]], list[Shape]] | None:
    """What gives the shapes of a Python layer's tops for its bottoms'; None where nothing tells one.

    A top in place has its bottom's shape, and so has a dropout's (ENet's); one with a loss_weight is a
    number; R-CNN's have names.
    """
    names, weights = definition.bottoms, list(definition.param.loss_weight)

    def shape(number: int, bottoms: list[Shape]) -> Shape | None:
        top = definition.tops[number]
        if top in given:
            return given[top]
        if number < len(names) and names[number] == top:
            return bottoms[number]
        if number < len(weights) and weights[number]:
            return (1,)
        if number < len(names) and "dropout" in definition.param.python_param.layer.lower():
            return bottoms[number]
        return proposed_shape(definition, top, bottoms)

    tops = range(len(definition.tops))
    anything: list[Shape] = [(1, 2, 1, 1)] * len(names)
    if any(shape(number, anything) is None for number in tops):
        return None
    return lambda bottoms: [shape(number, bottoms) or () for number in tops]


def _messages(param: Any) -> list[Any]:
    """The layer's own parameter messages, the one of transformations last."""
    fields = [(field, value) for field, value in param.ListFields() if field.name.endswith("_param")]
    return [value for field, value in sorted(fields, key=lambda part: part[0].name == "transform_param")]


def _number(param: Any, *names: str) -> int:
    """The first of these fields that a message of the layer sets; 0 if none does."""
    for message in _messages(param):
        known = message.DESCRIPTOR.fields_by_name
        for name in names:
            if name in known and message.HasField(name) and getattr(message, name):
                return int(getattr(message, name))
    return 0


def _batch(param: Any) -> int:
    return _number(param, "batch_size") or 1


def _channels(param: Any) -> int:
    for message in _messages(param):
        known = message.DESCRIPTOR.fields_by_name
        if ("is_color" in known and not message.is_color) or ("force_gray" in known and message.force_gray):
            return 1
    return _number(param, "channels") or 3


def _size(param: Any) -> Pair | None:
    square = _number(param, "crop_size")
    height = _number(param, "crop_height") or square or _number(param, "new_height", "height")
    width = _number(param, "crop_width") or square or _number(param, "new_width", "width")
    return (height, width) if height and width else None
