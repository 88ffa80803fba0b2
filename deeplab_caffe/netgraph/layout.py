"""Where boxes and connections are drawn, in pixels.

templates/graph.js places blocks by the same rules when one is folded or unfolded; a test holds the two to it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from .blocks import Block, Fold, Item, Leaf, Line
from .stacks import Stack

GAP_X, GAP_Y = 18, 22  # between items of a row, between rows
PAD, HEAD = 12, 28  # of the frame round an unfolded block: beside and below it, above it
LINE = 10  # room of a connection that passes by
TEXT, LETTER, SMALL = 15, 7.7, 6.8  # a line's height; the mean width of a letter, in the title and below it
LONGEST = 30  # letters of a title


class Point(NamedTuple):
    """x to the right, y down."""

    x: float
    y: float


@dataclass
class Box:
    """A stack (its number), a folded block, or the frame of an unfolded one."""

    item: Leaf | Fold
    x: float
    y: float
    width: float
    height: float


@dataclass
class Drawing:
    """Boxes, frames before what is in them, and all connections as the data of one SVG path."""

    width: float = 0
    height: float = 0
    boxes: list[Box] = field(default_factory=list)
    path: str = ""


def shorten(name: str, longest: int = LONGEST) -> str:
    """Its end: long names of layers begin alike."""
    return name if len(name) <= longest else "…" + name[1 - longest :]


def lines_of(stack: Stack, note: str = "") -> list[str]:
    """What is written in its box, the title first."""
    shown = [shorten(stack.name), shorten(stack.detail, 36), stack.shape, " · ".join(stack.followers), note]
    return [line if len(line) <= 40 else line[:39] + "…" for line in shown if line]


def stack_size(lines: list[str]) -> tuple[float, float]:
    """Width and height of a box for these lines."""
    letters = max(LETTER * len(lines[0]), *(SMALL * len(line) for line in lines))
    return max(90, round(letters) + 26), TEXT * len(lines) + 12


def fold_title(fold: Fold) -> str:
    """ "22 × res4b1 … res4b22" """
    first, _, last = fold.name.partition(" … ")
    short = shorten(first, 22) + (f" … {shorten(last, 22)}" if last else "")
    return f"{fold.times} × {short}" if fold.times > 1 else short


def fold_size(fold: Fold) -> tuple[float, float]:
    """Width and height of a block that is folded."""
    letters = max(LETTER * (len(fold_title(fold)) + 2), SMALL * len(fold.caption))
    return max(110, round(letters) + 26), 2 * TEXT + 14


class _Placer:
    def __init__(self, sizes: list[tuple[float, float]]) -> None:
        self.sizes = sizes
        self.boxes: list[Box] = []
        self.paths: list[str] = []

    def size(self, item: Item) -> tuple[float, float]:
        if isinstance(item, Leaf):
            return self.sizes[item.stack]
        if isinstance(item, Line):
            return LINE, 0
        if isinstance(item, Fold):
            closed = fold_size(item)
            if not item.opened:
                return closed
            width, height = self.size(item.block)
            return max(closed[0], width + 2 * PAD), height + HEAD + PAD
        rows = [self.row_size(row) for row in item.rows]
        return max(width for width, _ in rows), sum(height for _, height in rows) + GAP_Y * (len(rows) - 1)

    def row_size(self, row: list[Item]) -> tuple[float, float]:
        sizes = [self.size(item) for item in row]
        return sum(width for width, _ in sizes) + GAP_X * (len(sizes) - 1), max(height for _, height in sizes)

    def place(self, item: Item, x: float, y: float, height: float) -> tuple[list[Point], list[Point]]:
        """Places it with its left upper corner at x, y; where connections enter it and where they leave."""
        width, own = self.size(item)
        middle = x + width / 2
        if isinstance(item, Line):
            self.paths.append(f"M{middle:g} {y:g}V{y + height:g}")
            return [Point(middle, y)], [Point(middle, y + height)]
        y += (height - own) / 2
        if isinstance(item, Block):
            return self.place_rows(item, x, y, width)
        self.boxes.append(Box(item, x, y, width, own))
        if isinstance(item, Fold) and item.opened:
            inside = self.size(item.block)
            return self.place(item.block, x + (width - inside[0]) / 2, y + HEAD, inside[1])
        return [Point(middle, y)], [Point(middle, y + own)]

    def place_rows(self, block: Block, x: float, y: float, width: float) -> tuple[list[Point], list[Point]]:
        first: list[Point] = []
        above: list[list[Point]] = []
        for number, row in enumerate(block.rows):
            row_width, row_height = self.row_size(row)
            left = x + (width - row_width) / 2
            ways_out: list[list[Point]] = []
            ways_in: list[list[Point]] = []
            for item in row:
                entries, exits = self.place(item, left, y, row_height)
                ways_in.append(entries)
                ways_out.append(exits)
                left += self.size(item)[0] + GAP_X
            if number:
                for i, j in block.links[number - 1]:
                    self.connect(above[i], ways_in[j], y)
            else:
                first = [point for entries in ways_in for point in entries]
            above = ways_out
            y += row_height + GAP_Y
        return first, [point for exits in above for point in exits]

    def connect(self, exits: list[Point], entries: list[Point], top: float) -> None:
        """Down, across in the gap above `top`, and down again."""
        for start in exits:
            for end in entries:
                if start.x == end.x:
                    self.paths.append(f"M{start.x:g} {start.y:g}V{end.y:g}")
                    continue
                a, m = top - GAP_Y, top - GAP_Y / 2
                bend = f"C{start.x:g} {m:g} {end.x:g} {m:g} {end.x:g} {top:g}"
                self.paths.append(f"M{start.x:g} {start.y:g}V{a:g}{bend}V{end.y:g}")


def place(root: Block, sizes: list[tuple[float, float]]) -> Drawing:
    """Draws the tree as it is folded now; sizes: width and height of every stack's box."""
    placer = _Placer(sizes)
    width, height = placer.size(root)
    placer.place(root, PAD, PAD, height)
    return Drawing(width + 2 * PAD, height + 2 * PAD, placer.boxes, "".join(placer.paths))
