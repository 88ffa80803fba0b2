"""Chains of layers computed a few rows at a time: what lies between them stays small, and in the cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor
from typing_extensions import override

from ...layers import Rows
from ...layers.abilities import RowWise
from ...layers.parameters.parameter import Parameter
from ...types import Pair, Shape
from ..dag import Node, Value, readers_of

# A band has at least so many positions for each thread, in the layer that has most. Each band starts every
# layer anew, and the last tile of its rows may be a partial one: with much fewer positions that costs more
# than the cache saves. With much more, what lies between the layers leaves the cache: of 64 channels it is
# 2.8 MB.
POSITIONS_PER_THREAD = 10800
# What lies between the layers counts so often if it has so many channels: fewer positions are then as much
# memory, and as much work. The largest number first.
MANY_CHANNELS = {1024: 6, 128: 2}
# Streamed weights of a chain, all together: more may not stay in memory, and each band would read them anew.
MOST_STREAMED = 2 << 20
# Values between the layers of a chain that make one worth its while: more than caches hold.
LEAST_SAVED = 1 << 20

# For each layer of a chain the rows (first, end) of its top.
Band = list[Pair]


@dataclass(frozen=True)
class Stage:
    """One layer of a chain, the shape of its top, and how many rows of that are in memory at most."""

    node: Node
    shape: Shape
    capacity: int

    @property
    def row_size(self) -> int:
        """Values in a row of all channels and images."""
        return self.shape[0] * self.shape[1] * self.shape[3]

    @property
    def size(self) -> int:
        """Values that are in memory at most."""
        return self.capacity * self.row_size

    def compute(self, source: Rows, rows: Pair, top: Rows, others: list[Tensor]) -> None:
        """The layer's `forward_rows`."""
        layer = self.node.layer
        assert isinstance(layer, RowWise)
        layer.forward_rows(source, rows, top, others, self.node.fused)


@dataclass(frozen=True, eq=False)
class RowBands(Node):
    """Nodes of which each reads one value, made by the node before for nobody else.

    Takes the bottoms of the first and the further ones of the last; its tops are the last one's and a scratch
    area for each of those before. Rows that the next band reads as well are kept, so nothing is computed
    twice, and each row has the bits that the whole layer gives it.
    """

    stages: Sequence[Stage] = ()
    bands: Sequence[Band] = ()

    @property
    @override
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of all its layers."""
        return tuple(blob for stage in self.stages for blob in stage.node.layer.blobs)

    @override
    def prepare(self) -> None:
        """Each of its layers."""
        for stage in self.stages:
            stage.node.prepare()

    @property
    def scratch(self) -> int:
        """Values that the tops between the layers need."""
        return sum(stage.size for stage in self.stages[:-1])

    @property
    def saved(self) -> int:
        """Values between the layers that are never in memory together."""
        return sum(prod(stage.shape) for stage in self.stages[:-1]) - self.scratch

    @property
    def worthwhile(self) -> bool:
        """Whether it saves more memory than caches hold, and than it takes itself."""
        return len(self.bands) > 1 and self.saved >= max(LEAST_SAVED, self.scratch)

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Fills the first top; the others are flat, as large as their stages."""
        between, last, areas = self.stages[:-1], self.stages[-1], tops[1:]
        whole, top = (Rows(x, 0, x.shape[2], x.shape[2]) for x in (bottoms[0], tops[0]))
        there = [
            Rows(area[:0].view(*stage.shape[:2], 0, stage.shape[3]), 0, 0, stage.shape[2])
            for stage, area in zip(between, areas, strict=True)
        ]
        for band in self.bands:
            source = whole
            for number, (stage, area) in enumerate(zip(between, areas, strict=True)):
                rows = _moved(there[number], band[number], area, stage.shape)
                start = max(there[number].end, rows.first)
                if start < rows.end:
                    stage.compute(source, (start, rows.end), rows, [])
                source = there[number] = rows
            last.compute(source, band[-1], top, bottoms[1:])


def _moved(there: Rows, wanted: Pair, area: Tensor, shape: Shape) -> Rows:
    """Memory for the rows `wanted` in `area`, those of them that are there already brought to its front."""
    first, end = wanted
    kept = there.values[:, :, first - there.first :].clone()
    values = area[: (end - first) * prod(shape) // shape[2]].view(*shape[:2], end - first, shape[3])
    values[:, :, : kept.shape[2]] = kept
    return Rows(values, first, end, shape[2])


def row_bands(
    nodes: list[Node],
    shapes: Mapping[Value, Shape],
    visible: set[Value],
    threads: int,
    streamed: bool = False,
) -> list[Node]:
    """The nodes with every worthwhile chain made one; `visible` values stay whole.

    threads: as many are kept busy by each band. streamed: whether the weights are. The scratch values have no
    shapes yet: see scratch_shapes.
    """
    readers = readers_of(nodes)
    instead: dict[Node, RowBands] = {}  # by the last node of each chain
    gone: set[Node] = set()
    for node in nodes:
        links = [] if node in gone else _links(node, shapes, readers, visible)
        weights = sum(blob.count for link in links for blob in link.parameters) if streamed else 0
        if len(links) < 2 or weights > MOST_STREAMED:
            continue
        if (bands := _banded(links, shapes, threads)).worthwhile:
            instead[links[-1]] = bands
            gone.update(links)
    return [instead.get(node, node) for node in nodes if node not in gone or node in instead]


def scratch_shapes(nodes: list[Node]) -> dict[Value, Shape]:
    """The shapes of the values that `row_bands` has added."""
    bands = [node for node in nodes if isinstance(node, RowBands)]
    return {
        area: (stage.size,)
        for node in bands
        for area, stage in zip(node.tops[1:], node.stages[:-1], strict=True)
    }


def _links(
    node: Node, shapes: Mapping[Value, Shape], readers: dict[Value, list[Node]], visible: set[Value]
) -> list[Node]:
    """The chain that starts with `node`: up to and with the first layer that makes the image smaller."""
    links: list[Node] = []
    while _rows_read(node, (0, 1), 1) and (not links or node.bottoms[0] is links[-1].tops[0]):
        links.append(node)
        following = readers.get(node.tops[0], [])
        shrinks = shapes[node.tops[0]][2] * 2 <= shapes[node.bottoms[0]][2] + 1
        if shrinks or len(node.bottoms) > 1 or len(following) != 1 or node.tops[0] in visible:
            break
        node = following[0]
    return links


def _rows_read(node: Node, rows: Pair, height: int) -> Pair | None:
    return node.layer.rows_read(rows, height) if isinstance(node.layer, RowWise) else None


def _banded(links: list[Node], shapes: Mapping[Value, Shape], threads: int) -> RowBands:
    last, tops = links[-1], [shapes[link.tops[0]] for link in links]
    heights = [shapes[link.bottoms[0]][2] for link in links]
    bands = _bands(links, heights, tops, threads)
    stages = [
        Stage(link, top, max(end - first for first, end in rows))
        for link, top, rows in zip(links, tops, zip(*bands, strict=True), strict=True)
    ]
    bottoms = [links[0].bottoms[0], *last.bottoms[1:]]
    areas = [Value(f"{link.tops[0].name} (rows)", last.index) for link in links[:-1]]
    return RowBands(last.index, last.layer, bottoms, [last.tops[0], *areas], last.fused, stages, bands)


def _bands(links: list[Node], heights: list[int], tops: list[Shape], threads: int) -> list[Band]:
    """As low as threads stay busy. heights: of the bottoms."""
    height = tops[-1][2]
    counted = [next((n for many, n in MANY_CHANNELS.items() if top[1] >= many), 1) for top in tops[:-1]] + [1]

    def positions(rows: int) -> int:
        """Of the layer that has most, in the first band; see MANY_CHANNELS."""
        band = _band(links, heights, (0, rows))
        return tops[0][0] * max(
            (end - first) * top[3] * times
            for top, times, (first, end) in zip(tops, counted, band, strict=True)
        )

    enough = (rows for rows in range(1, height) if positions(rows) >= POSITIONS_PER_THREAD * threads)
    count = -(-height // next(enough, height))
    rows = -(-height // count)  # no narrow band at the end
    return [_band(links, heights, (first, min(first + rows, height))) for first in range(0, height, rows)]


def _band(links: list[Node], heights: list[int], rows: Pair) -> Band:
    """The rows of each layer's top that the last one's `rows` are made from."""
    band = [rows]
    for link, height in zip(links[:0:-1], heights[:0:-1], strict=True):
        read = _rows_read(link, band[0], height)
        assert read is not None
        band.insert(0, read)
    return band
