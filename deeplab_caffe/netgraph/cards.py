"""What a picture tells of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf import text_format

from ..formats.net_definition import LayerDefinition, NetDefinition
from ..layers import Context, create
from ..layers.abilities import Windowed
from ..layers.parts.window import Window
from ..types import Pair, Shape


class LayerCost(Protocol):
    """What a layer costs, as engine.cost finds it."""

    @property
    def tops(self) -> dict[str, Shape]:
        """Shapes by name."""

    @property
    def parameter_shapes(self) -> list[Shape]:
        """One for each blob."""

    @property
    def parameters(self) -> int:
        """How many numbers."""

    @property
    def multiply_adds(self) -> int:
        """All taps."""

    @property
    def effective_multiply_adds(self) -> int:
        """Those inside the image."""

    @property
    def receptive_field(self) -> Pair:
        """Height and width, in input pixels."""

    @property
    def stride(self) -> tuple[float, float]:
        """In input pixels."""

    @property
    def memory(self) -> int:
        """Bytes of the tops."""


class NetCost(Protocol):
    """What a net costs, as engine.cost.analyse finds it."""

    @property
    def layers(self) -> Sequence[LayerCost]:
        """In the net's order."""

    @property
    def inputs(self) -> dict[str, Shape]:
        """What the caller gives, shapes by name."""

    @property
    def parameters(self) -> int:
        """Of all layers, shared ones once."""

    @property
    def multiply_adds(self) -> int:
        """Of all layers."""


@dataclass
class Card:
    """One layer, or an input of the net (type "input"). shapes: of the tops.

    words: what it does besides its type ("3×3", "rate 12"); windowed: whether it reads more than its own
    place; in_place: whether it only works on the values of its bottom; text: as prototxt, in the layout of
    Caffe's newest dialect. cost: None where only names and shapes are known.
    """

    name: str
    type: str
    bottoms: Sequence[str]
    tops: Sequence[str]
    shapes: Sequence[Shape]
    words: list[str] = field(default_factory=list)
    windowed: bool = False
    in_place: bool = False
    text: str = ""
    cost: LayerCost | None = None


def cards_of(definition: NetDefinition, cost: NetCost) -> list[Card]:
    """A card for each input of the net, then for each layer, in order; `cost` is of the same definition."""
    shapes = dict(cost.inputs)
    cards = [input_card(name, shapes[name]) for name in definition.inputs]
    for layer, costs in zip(definition.layers, cost.layers, strict=True):
        bottoms = [shapes[name] for name in layer.bottoms]
        cards.append(card_of(layer, bottoms, [costs.tops[name] for name in layer.tops], costs))
        shapes.update(costs.tops)
    return cards


def input_card(name: str, shape: Shape | None) -> Card:
    """The card of a blob that the caller of the net gives; its shape may be unknown."""
    return Card(name, "input", (), (name,), () if shape is None else (shape,))


def card_of(
    definition: LayerDefinition, bottoms: list[Shape], tops: list[Shape], cost: LayerCost | None = None
) -> Card:
    """The card of one layer; shapes of its bottoms and tops."""
    layer = create(definition, Context())
    windows = layer.windows(bottoms) if isinstance(layer, Windowed) and bottoms else []
    return Card(
        definition.name,
        definition.type,
        definition.bottoms,
        definition.tops,
        tops,
        _words(windows),
        isinstance(layer, Windowed),
        layer.in_place,
        _text(definition),
        cost,
    )


def image_size(cards: Sequence[Card]) -> Pair | None:
    """Height and width of what the net looks at: the first input or data blob that is an image."""
    given = [shape for card in cards if not card.bottoms for shape in card.shapes]
    return next(((shape[2], shape[3]) for shape in given if len(shape) == 4), None)


def _words(windows: Sequence[Window]) -> list[str]:
    """ "3×3", "stride 2", "rate 12": what differs from reading one's own place only."""
    if not windows or any(window.stride % 1 for window in windows):  # interpolation: its type says it all
        return []
    words = []
    if any(window.kernel > 1 for window in windows):
        words.append("×".join(str(window.kernel) for window in windows))
    if windows[0].stride != 1:
        words.append(f"stride {windows[0].stride:g}")
    if windows[0].dilation > 1:
        words.append(f"rate {windows[0].dilation}")
    return words


def _text(definition: LayerDefinition) -> str:
    """The message with the name, type, bottoms and tops that it stands for, whatever the file's dialect."""
    message = type(definition.param)()
    message.CopyFrom(definition.param)
    message.name, message.type = definition.name, definition.type
    for field_name, values in (("bottom", definition.bottoms), ("top", definition.tops)):
        message.ClearField(field_name)
        getattr(message, field_name).extend(values)
    body = text_format.MessageToString(message, as_utf8=True)
    return "layer {\n" + "".join(f"  {line}\n" for line in body.splitlines()) + "}"
