"""Draws reduction_order.svg, how an exact convolution sums: `python docs/reduction_order.py`."""

from pathlib import Path

PICTURE = Path(__file__).with_suffix(".svg")
CHANNELS, TAPS = 512, 9  # fc6 of LargeFOV
STYLE = """
text { font: 15px system-ui, sans-serif; fill: #24303c; }
.small { font-size: 13px; fill: #55626f; }
.code { font-family: ui-monospace, monospace; font-size: 13px; }
.head { font-weight: 600; }
.box { stroke: #24303c; stroke-width: 1; }
.line { stroke: #55626f; stroke-width: 1.4; fill: none; }
"""
FILLS = ("#cfe3f7", "#e6f0fa")
WIDTH, LEFT = 960, 30


def blocks(depth: int) -> list[int]:
    """The lengths of the blocks that a sum of `depth` terms is cut into, as reduction_block (csrc) says."""
    lengths = []
    while depth:
        if depth >= 896:
            length = 448
        elif depth > 448:
            length = (depth // 2 + 15) // 16 * 16
        else:
            length = depth
        lengths.append(length)
        depth -= length
    return lengths


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" class="box"/>'
    )


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """A line with a head."""
    return f'<path d="M{x:.1f} {y:.1f} L{to_x:.1f} {to_y:.1f}" class="line" marker-end="url(#head)"/>'


def cut(depth: int, lengths: list[int]) -> list[str]:
    """The sum, cut into blocks."""
    scale = (WIDTH - 2 * LEFT) / depth
    words = (
        f"1. The {depth:,} products of one output: {CHANNELS} channels, of each the {TAPS} taps of the kernel"
    )
    parts = [text(LEFT, 28, words, "head")]
    x = float(LEFT)
    for number, length in enumerate(lengths):
        parts.append(box(x, 42, length * scale, 44, FILLS[number % 2]))
        parts.append(text(x + length * scale / 2, 62, str(length), "small", "middle"))
        parts.append(
            text(
                x + length * scale / 2,
                79,
                f"block {number}" if length > 300 else str(number),
                "small",
                "middle",
            )
        )
        x += length * scale
    return parts


def chain() -> list[str]:
    """A block: one chain of fused multiply-adds."""
    parts = [
        text(
            LEFT,
            130,
            "2. A block: one chain of fused multiply-adds, from the first product to the last",
            "head",
        )
    ]
    names = ("0", "w0 x0", "w1 x1", "w2 x2", "...", "w447 x447")
    step = (WIDTH - 2 * LEFT) / len(names)
    for number, name in enumerate(names):
        x = LEFT + number * step
        parts.append(box(x, 144, step - 46, 36, FILLS[0] if number else "#ffffff"))
        parts.append(text(x + (step - 46) / 2, 167, name, "code", "middle"))
        if number + 1 < len(names):
            parts.append(arrow(x + step - 46, 162, x + step - 6, 162))
            parts.append(text(x + step - 26, 156, "fma", "small", "middle"))
    return [
        *parts,
        text(
            LEFT,
            200,
            "acc = fma(w, x, acc), one rounding a step. Taps in the padding are left out: no bit changes.",
            "small",
        ),
    ]


def total(count: int) -> list[str]:
    """The blocks, added in order."""
    parts = [text(LEFT, 244, "3. The blocks, added in order, then the bias", "head")]
    names = ("block 0", "block 1", "block 2", "...", f"block {count - 1}", "bias", "output")
    step = (WIDTH - 2 * LEFT) / len(names)
    for number, name in enumerate(names):
        x = LEFT + number * step
        parts.append(box(x, 258, step - 34, 36, FILLS[1] if number < len(names) - 1 else "#d8efd3"))
        parts.append(text(x + (step - 34) / 2, 281, name, "code", "middle"))
        if number + 1 < len(names):
            parts.append(arrow(x + step - 34, 276, x + step - 4, 276))
            parts.append(text(x + step - 20, 270, "+" if number < len(names) - 2 else "=", "", "middle"))
    return parts


def outputs() -> list[str]:
    """What may be done at once."""
    parts = [
        text(
            LEFT,
            340,
            "4. Outputs do not meet: vectors, tiles, threads and GPUs share them out as they like",
            "head",
        )
    ]
    colours = ("#f7d9c4", "#d8efd3", "#e3d7f4", "#cfe3f7")
    for row in range(6):
        for column in range(24):
            owner = (row // 3) * 2 + column // 12
            parts.append(box(LEFT + column * 20, 356 + row * 20, 20, 20, colours[owner]))
    for number, words in enumerate(("thread 0", "thread 1", "thread 2", "thread 3")):
        y = 368 + number * 26
        parts.append(box(LEFT + 510, y - 12, 16, 16, colours[number]))
        parts.append(text(LEFT + 534, y + 1, words, "small"))
    parts.append(text(LEFT + 640, 369, "Never across a sum:", "small"))
    parts.append(text(LEFT + 640, 395, "no split sums, no shuffles, no atomics.", "small"))
    return [*parts, text(LEFT + 640, 421, "A square is one output.", "small")]


def picture() -> str:
    """The SVG."""
    depth = CHANNELS * TAPS
    lengths = blocks(depth)
    body = [*cut(depth, lengths), *chain(), *total(len(lengths)), *outputs()]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 490" role="img" '
        'aria-label="How an exact convolution sums">'
    )
    marker = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#55626f"/></marker>'
    )
    background = f'<rect width="{WIDTH}" height="490" fill="#ffffff"/>'
    return "\n".join([head, f"<style>{STYLE}</style><defs>{marker}</defs>", background, *body, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture())
