"""The net as a page that can be looked at, searched and clicked, in one file."""

import base64
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from ..formats.files import replacing
from ..formats.net_definition import NetDefinition
from ..images.image_file import read_image
from ..types import Pair
from . import layout
from .blocks import Block, Item, Leaf, Line, build, folds, leaves
from .cards import Card, NetCost, cards_of, image_size
from .stacks import Stack, stack_layers, text

PHOTO_SIDE = 480  # pixels; a larger photo is made smaller
KINDS = {
    "kind-input": "input",
    "kind-weights": "with parameters",
    "kind-window": "pooling, resizing",
    "kind-join": "joins",
    "kind-loss": "loss, accuracy",
    "kind-other": "other",
}


@dataclass(frozen=True)
class Mark:
    """What a report tells of a layer.

    name: of the colour (templates/graph.css); note: words in the box; rank: the highest of several marks is
    that of a folded block; rows: names and values for the panel; link: where the page tells more.
    """

    name: str
    note: str
    rank: int = 0
    rows: Sequence[tuple[str, str]] = ()
    link: str = ""


@dataclass(frozen=True)
class Graph:
    """What graph.html.j2 needs. json: safe inside a script element."""

    json: Markup
    folds: int


def write_html(
    path: str | os.PathLike[str],
    definition: NetDefinition,
    cost: NetCost,
    photo: str | os.PathLike[str] | None = None,
    unfold: bool = False,
) -> None:
    """Writes the page, whole or not at all.

    cost: `analyse` of the same definition. photo: an image file to draw receptive fields on. unfold: begin
    with all blocks unfolded. DeepLabError if the photo cannot be read or the page not written.
    """
    cards = cards_of(definition, cost)
    size = image_size(cards)
    graph = make_graph(cards, photo=(photo, size) if photo and size else None, unfold=unfold)
    page = environment().get_template("net.html.j2")
    kinds = {stack.kind for stack in stack_layers(cards)[0]}
    legend = [(name, words) for name, words in KINDS.items() if name.removeprefix("kind-") in kinds]
    html = page.render(
        title=definition.name or os.path.basename(definition.source),
        summary=summary(cost),
        graph=graph,
        legend=legend,
    )
    with replacing(path) as file:
        file.write(html.encode())


def summary(cost: NetCost) -> str:
    """The net's size and costs in one line."""
    inputs = ", ".join(f"{name} {text(shape)}" for name, shape in cost.inputs.items())
    return (
        f"{len(cost.layers):,} layers, {cost.parameters:,} parameters, "
        f"{cost.multiply_adds / 1e9:.2f} G multiply-adds" + (f"; input {inputs}" if inputs else "")
    )


def environment(*folders: str) -> jinja2.Environment:
    """Templates of this package, before them those of `folders`; everything they are given is escaped."""
    here = os.path.join(os.path.dirname(__file__), "templates")
    loader = jinja2.FileSystemLoader([*folders, here])
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def make_graph(
    cards: Sequence[Card],
    marks: Mapping[int, Mark] | None = None,
    photo: tuple[str | os.PathLike[str], Pair] | None = None,
    unfold: bool = False,
    start: int | None = None,
) -> Graph:
    """The data of the page's graph.

    marks: by the card's number; photo: the file, height and width of the input; start: the card that the page
    shows when it opens.
    """
    marks = marks or {}
    stacks, edges = stack_layers(cards)
    root = build(stacks, edges)
    every = list(folds(root))
    for fold in every:
        fold.opened = unfold
    worst = [max((marks[i] for i in stack.layers if i in marks), key=_rank, default=None) for stack in stacks]
    value = {
        "rules": {
            "gapX": layout.GAP_X,
            "gapY": layout.GAP_Y,
            "pad": layout.PAD,
            "head": layout.HEAD,
            "line": layout.LINE,
            "text": layout.TEXT,
        },
        "stacks": [_stack(stack, mark) for stack, mark in zip(stacks, worst, strict=True)],
        "layers": [_layer(card, marks.get(number)) for number, card in enumerate(cards)],
        "tree": _item(root, worst),
        "start": start,
        "photo": _photo(*photo) if photo else None,
    }
    return Graph(script_json(value), len(every))


def script_json(value: Any) -> Markup:
    """As JSON that no HTML in it can break out of a script element."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)


def _rank(mark: Mark) -> int:
    return mark.rank


def _stack(stack: Stack, mark: Mark | None) -> dict[str, Any]:
    lines = layout.lines_of(stack, mark.note if mark else "")
    width, height = layout.stack_size(lines)
    value = {"kind": stack.kind, "lines": lines, "width": width, "height": height, "layers": stack.layers}
    return value | ({"mark": mark.name, "note": bool(mark.note)} if mark else {})


def _layer(card: Card, mark: Mark | None) -> dict[str, Any]:
    tops = [[name, text(shape)] for name, shape in zip(card.tops, card.shapes, strict=False)]
    value: dict[str, Any] = {
        "name": card.name,
        "type": card.type,
        "bottoms": list(card.bottoms),
        "tops": tops,
    }
    if card.text:
        value["text"] = card.text
    if card.cost:
        value["cost"] = {
            "parameters": card.cost.parameters,
            "shapes": ["×".join(map(str, shape)) for shape in card.cost.parameter_shapes],
            "all": card.cost.multiply_adds,
            "inside": card.cost.effective_multiply_adds,
            "field": card.cost.receptive_field,
            "stride": card.cost.stride,
            "memory": card.cost.memory,
        }
    if mark:
        value["rows"] = [list(row) for row in mark.rows]
        value["link"] = mark.link
    return value


def _item(item: Item, marks: list[Mark | None]) -> dict[str, Any]:
    if isinstance(item, Leaf):
        return {"stack": item.stack}
    if isinstance(item, Line):
        return {"line": 1}
    if isinstance(item, Block):
        return {"rows": [[_item(i, marks) for i in row] for row in item.rows], "links": item.links}
    inside = [mark for number in leaves(item) if (mark := marks[number])]
    mark = max(inside, key=_rank, default=None)
    item.caption += f", {mark.note}" if mark and mark.note else ""
    width, height = layout.fold_size(item)
    value = {
        "title": layout.fold_title(item),
        "caption": item.caption,
        "width": width,
        "height": height,
        "opened": item.opened,
        "block": _item(item.block, marks),
    }
    return value | ({"mark": mark.name} if mark else {})


def _photo(path: str | os.PathLike[str], size: Pair) -> dict[str, Any]:
    """The photo as a small JPEG, its size in pixels as it is in the file, the net's input."""
    image = Image.fromarray(read_image(path))
    shown = image.copy()
    shown.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=70)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"uri": uri, "size": [image.height, image.width], "input": list(size)}
