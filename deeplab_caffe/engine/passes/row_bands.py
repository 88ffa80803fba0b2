"""Chains of layers computed a few rows at a time: what lies between them stays small, and in the cache."""

from dataclasses import dataclass
from math import prod

import torch

from ...layers import Layer, Rows
from ..dag import Step, Value

Pair = tuple[int, int]
Shape = tuple[int, ...]
Tensor = torch.Tensor

# A band has at least so many positions of every layer and thread: enough to share out evenly.
POSITIONS_PER_THREAD = 10800
# Values between the layers of a chain that make one worth its while: more than caches hold.
LEAST_SAVED = 1 << 20


@dataclass
class Stage:
    """One layer of a chain, and how many rows of its top are in memory at most."""

    layer: Layer
    shape: Shape
    capacity: int = 0

    @property
    def row_size(self) -> int:
        """Values in a row of all channels and images."""
        return self.shape[0] * self.shape[1] * self.shape[3]


class RowBands(Layer):
    """Layers of which each reads one blob, made by the layer before for nobody else.

    Takes the bottoms of the first layer and the further ones of the last; its tops are the last layer's and
    a scratch area. Rows that the next band reads as well are kept, so nothing is computed twice, and each row
    has the bits that the whole layer gives it.
    """

    def __init__(self, layers: list[Layer], bottom: Shape, tops: list[Shape], threads: int) -> None:
        self.definition, self.context = layers[-1].definition, layers[-1].context
        self.blobs, self.absorbed = [blob for layer in layers for blob in layer.blobs], []
        self.stages = [Stage(layer, top) for layer, top in zip(layers, tops, strict=True)]
        self.heights = [bottom[2], *(top[2] for top in tops)]
        self.bands = self._bands(threads)
        for band in self.bands:
            for stage, (first, end) in zip(self.stages, band, strict=True):
                stage.capacity = max(stage.capacity, end - first)

    def overwritable(self, bottoms: int) -> list[int]:
        """See Layer."""
        return self.stages[-1].layer.overwritable(bottoms)

    @property
    def scratch(self) -> int:
        """Values that the tops between the layers need."""
        return sum(stage.capacity * stage.row_size for stage in self.stages[:-1])

    @property
    def saved(self) -> int:
        """Values between the layers that are never in memory together."""
        return sum(prod(stage.shape) for stage in self.stages[:-1]) - self.scratch

    def _bands(self, threads: int) -> list[list[Pair]]:
        """For each band the rows of every stage that its last stage's rows are made from."""
        height = self.heights[-1]
        for rows in range(1, height):
            bands = [self._needed((first, min(first + rows, height))) for first in range(0, height, rows)]
            wide = [(end - first) * s.shape[3] for s, (first, end) in zip(self.stages, bands[0], strict=True)]
            if max(wide) * self.stages[0].shape[0] >= POSITIONS_PER_THREAD * threads:
                return bands
        return [self._needed((0, height))]

    def _needed(self, rows: Pair) -> list[Pair]:
        needed = [rows]
        for stage, height in zip(self.stages[:0:-1], self.heights[-2:0:-1], strict=True):
            needed.insert(0, stage.layer.rows_read(needed[0], height))
        return needed

    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """See Layer; the second top is flat, of `scratch` values."""
        whole = Rows(bottoms[0], 0, self.heights[0], self.heights[0])
        areas = tops[1].split([stage.capacity * stage.row_size for stage in self.stages[:-1]])
        held = [
            Rows(area[:0].view(*stage.shape[:2], 0, stage.shape[3]), 0, 0, stage.shape[2])
            for stage, area in zip(self.stages, areas, strict=False)
        ]
        for band in self.bands:
            source = whole
            for stage, area, wanted, number in zip(self.stages, areas, band, range(len(areas)), strict=False):
                top = _moved(held[number], wanted, area, stage.shape)
                start = max(held[number].end, top.first)
                if start < top.end:
                    stage.layer.forward_rows(source, (start, top.end), top, [])
                source = held[number] = top
            last = self.stages[-1]
            top = Rows(tops[0], 0, last.shape[2], last.shape[2])
            last.layer.forward_rows(source, band[-1], top, bottoms[1:])


def _moved(held: Rows, wanted: Pair, area: Tensor, shape: Shape) -> Rows:
    """Memory for the rows `wanted` in `area`, those of them that are held already brought to its front."""
    first, end = wanted
    kept = held.values[:, :, first - held.first :].clone()
    values = area[: (end - first) * prod(shape) // shape[2]].view(*shape[:2], end - first, shape[3])
    values[:, :, : kept.shape[2]] = kept
    return Rows(values, first, end, shape[2])


def chain(steps: list[Step], shapes: dict[Value, Shape], kept: set[Value], threads: int) -> list[Step]:
    """The steps with every worthwhile chain made one; values in `kept` stay whole."""
    readers: dict[Value, list[Step]] = {}
    for step in steps:
        for value in step.bottoms:
            readers.setdefault(value, []).append(step)
    chained: dict[Step, Step] = {}  # the last step of each chain: what runs instead
    gone: set[Step] = set()
    for step in steps:
        links = [] if step in gone else _links(step, shapes, readers, kept)
        if len(links) < 2:
            continue
        bands = RowBands(
            [link.layer for link in links],
            shapes[links[0].bottoms[0]],
            [shapes[link.tops[0]] for link in links],
            threads,
        )
        if len(bands.bands) > 1 and bands.saved >= max(LEAST_SAVED, bands.scratch):
            last = links[-1]
            scratch = Value(f"{last.tops[0].name} (rows)", last.index)
            shapes[scratch] = (bands.scratch,)
            bottoms = [links[0].bottoms[0], *last.bottoms[1:]]
            chained[last] = Step(last.index, bands, bottoms, [last.tops[0], scratch])
            gone.update(links)
    return [chained.get(step, step) for step in steps if step not in gone or step in chained]


def _links(
    step: Step, shapes: dict[Value, Shape], readers: dict[Value, list[Step]], kept: set[Value]
) -> list[Step]:
    """The chain that starts with `step`: up to and with the first layer that makes the image smaller."""
    links: list[Step] = []
    while step.layer.rows_read((0, 1), 1) is not None and (not links or step.bottoms[0] is links[-1].tops[0]):
        links.append(step)
        following = readers.get(step.tops[0], [])
        shrinks = shapes[step.tops[0]][2] * 2 <= shapes[step.bottoms[0]][2] + 1
        if shrinks or len(step.bottoms) > 1 or len(following) != 1 or step.tops[0] in kept:
            break
        step = following[0]
    return links
