"""The net as a drawing for papers: the page's graph, as it stands when the page opens."""

import os
from typing import Any

from ..formats.files import replacing
from ..formats.net_definition import NetDefinition
from . import layout
from .blocks import Fold, build, folds
from .cards import NetCost, cards_of
from .page import environment
from .stacks import stack_layers

# As in templates/graph.css, by day: paper is white.
COLOURS = {
    "input": "#6e7781",
    "weights": "#0b6bcb",
    "window": "#1a7f64",
    "join": "#8250df",
    "loss": "#b35900",
    "other": "#8c959f",
}


def write_svg(
    path: str | os.PathLike[str], definition: NetDefinition, cost: NetCost, unfold: bool = False
) -> None:
    """Writes the drawing, whole or not at all; see page.write_html."""
    stacks, edges = stack_layers(cards_of(definition, cost))
    root = build(stacks, edges)
    for fold in folds(root):
        fold.opened = unfold
    lines = [layout.lines_of(stack) for stack in stacks]
    drawing = layout.place(root, [layout.stack_size(own) for own in lines])
    boxes: list[dict[str, Any]] = []
    for box in drawing.boxes:
        folded = box.item if isinstance(box.item, Fold) else None
        if isinstance(box.item, Fold):
            words = [layout.fold_title(box.item)]
            words += [] if box.item.opened else [box.item.caption]
            colour = COLOURS["other"]
        else:
            words, colour = lines[box.item.stack], COLOURS[stacks[box.item.stack].kind]
        boxes.append(
            vars(box) | {"fold": folded, "frame": folded and folded.opened, "lines": words, "colour": colour}
        )
    text = (
        environment()
        .get_template("net.svg.j2")
        .render(
            title=definition.name or os.path.basename(definition.source),
            drawing=drawing,
            boxes=boxes,
            text_height=layout.TEXT,
            number=lambda value: f"{value:g}",
        )
    )
    with replacing(path) as file:
        file.write(text.encode())
