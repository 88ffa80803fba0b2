"""Where the boxes of caffe.draw's pictures lie, in inches, where graphviz is not there to say it."""

from collections.abc import Sequence
from typing import NamedTuple

# Of the font that charts.draw_boxes writes in.
LETTER, LINE = 0.063, 0.135
MARGIN = 0.16
BETWEEN_RANKS, BETWEEN_NEIGHBOURS = 0.45, 0.2


class Place(NamedTuple):
    """The centre of a box, x to the right and y down, and its size."""

    x: float
    y: float
    width: float
    height: float


def ranks(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """For each node how many steps it lies behind the first ones, for edges in the net's order.

    What leads back to where a path came from, as layers in place do, does not count.
    """
    found: dict[str, int] = {}
    has_readers: set[str] = set()
    for source, target in edges:
        behind = found.setdefault(source, 0) + 1
        has_readers.add(source)
        if target not in has_readers:
            found[target] = max(behind, found.get(target, 0))
    return {node: found.get(node, 0) for node in nodes}


def layout(labels: dict[str, str], edges: Sequence[tuple[str, str]], rankdir: str) -> dict[str, Place]:
    """The place of each label; rankdir: "LR", "RL", "TB" or "BT", to where the net goes."""
    rank_of = ranks(list(labels), edges)
    rows: list[list[str]] = [[] for _ in range(1 + max(rank_of.values(), default=0))]
    for node, rank in rank_of.items():
        rows[rank].append(node)
    across = rankdir in ("LR", "RL")
    sizes = {}
    for node, label in labels.items():
        lines = label.split("\n")
        size = (MARGIN + LETTER * max(map(len, lines)), MARGIN + LINE * len(lines))
        sizes[node] = size[::-1] if across else size  # along the row, along the ranks
    sources: dict[str, list[str]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    along: dict[str, float] = {}
    depth: dict[str, float] = {}
    start = 0.0
    for row in rows:
        # Sugiyama's barycentre, once: each where what it reads is, on average.
        means = {}
        for node in row:
            above = [along[source] for source in sources.get(node, ()) if source in along]
            means[node] = sum(above) / len(above) if above else 0.0
        row.sort(key=means.__getitem__)
        length = sum(sizes[node][0] for node in row) + BETWEEN_NEIGHBOURS * (len(row) - 1)
        place = sum(means.values()) / max(1, len(row)) - length / 2
        thickness = max((sizes[node][1] for node in row), default=0.0)
        for node in row:
            along[node] = place + sizes[node][0] / 2
            depth[node] = start + thickness / 2
            place += sizes[node][0] + BETWEEN_NEIGHBOURS
        start += thickness + BETWEEN_RANKS
    first = min((along[node] - sizes[node][0] / 2 for node in along), default=0.0)
    end = start - BETWEEN_RANKS
    places = {}
    for node, (length, thickness) in sizes.items():
        far = end - depth[node] if rankdir in ("RL", "BT") else depth[node]
        near = along[node] - first
        places[node] = Place(far, near, thickness, length) if across else Place(near, far, length, thickness)
    return places
