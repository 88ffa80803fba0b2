"""The nodes of the graph: a layer with those behind it that only work on its output, such as ReLU."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx

from ..types import Shape
from .cards import Card


@dataclass
class Stack:
    """One box. layers: numbers of the cards, the main one first.

    kind: what the colour tells ("input", "weights", "window", "join", "loss", "other"); detail: the main
    layer in one line; shape: of its output; followers: types of the others; key: equal for stacks that
    compute the same with other weights.
    """

    name: str
    kind: str
    detail: str
    shape: str
    layers: list[int] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    key: tuple[object, ...] = ()


def stack_layers(cards: Sequence[Card]) -> tuple[list[Stack], networkx.DiGraph]:
    """All stacks, in the net's order, and a graph of their numbers."""
    stacks: list[Stack] = []
    holder: dict[str, int] = {}  # the stack that gives a blob
    sources, readers = _connect(cards)
    edges = networkx.DiGraph()
    for index, card in enumerate(cards):
        source = sources[index][0] if len(sources[index]) == 1 else None
        if (
            card.in_place
            and len(card.tops) == 1
            and source is not None
            and len(cards[source].tops) == 1
            and readers[source] == 1
        ):
            number = holder[card.bottoms[0]]
            stacks[number].layers.append(index)
            stacks[number].followers.append(card.type)
            stacks[number].key += (card.type,)
        else:
            number = len(stacks)
            stacks.append(_main(index, card))
            edges.add_node(number)
            edges.add_edges_from((holder[name], number) for name in card.bottoms if name in holder)
        holder.update(dict.fromkeys(card.tops, number))
    return stacks, edges


def text(shape: Shape) -> str:
    """Without a batch of one: 21×65×65."""
    return "×".join(map(str, shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)) or "1"


def _connect(cards: Sequence[Card]) -> tuple[list[list[int | None]], list[int]]:
    """For each card those whose tops it reads (None: unknown), and how many layers read each card's tops."""
    producer: dict[str, int] = {}
    sources: list[list[int | None]] = []
    readers = [0] * len(cards)
    for index, card in enumerate(cards):
        sources.append([producer.get(name) for name in card.bottoms])
        for source in {source for source in sources[-1] if source is not None}:
            readers[source] += 1
        producer.update(dict.fromkeys(card.tops, index))
    return sources, readers


def _main(index: int, card: Card) -> Stack:
    detail = " ".join([card.type, *card.words])
    channels = tuple(shape[1] for shape in card.shapes if len(shape) > 1)
    shape = text(card.shapes[0]) if card.shapes else ""
    parameters = tuple(card.cost.parameter_shapes) if card.cost else ()
    return Stack(
        card.name,
        _kind(card),
        detail,
        shape,
        [index],
        key=(card.type, detail, channels, parameters, shape),
    )


def _kind(card: Card) -> str:
    if not card.bottoms:
        return "input"
    if card.cost and card.cost.parameters:
        return "weights"
    if card.type.endswith("Loss") or "Accuracy" in card.type:
        return "loss"
    if len(card.bottoms) > 1:
        return "join"
    return "window" if card.windowed else "other"
