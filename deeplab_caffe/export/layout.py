"""Lines of Python that are not too long, and loops in place of lines that repeat."""

import re
from collections.abc import Sequence

WIDTH = 100


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """The line, or where it is too long its last bracket opened onto lines of its own."""
    indent = re.match(r" *", line)[0]  # type: ignore[index]
    if len(line) <= width:
        return [line]
    for start, end in sorted(_brackets(line), key=lambda pair: pair[0] - pair[1]):
        head, inner, tail = line[: start + 1], line[start + 1 : end], line[end:]
        if len(head) > width or not inner:
            continue
        deeper = f"{indent}    "
        if len(deeper + inner) <= width and "," not in tail:
            return [head, deeper + inner, *wrapped(indent + tail, width)]
        pieces = [wrapped(f"{deeper}{part},", width) for part in _parts(inner)]
        return [head, *_filled(pieces, width), *wrapped(indent + tail, width)]
    return [line]


def _filled(pieces: list[list[str]], width: int) -> list[str]:
    """Pieces of one line one behind the other, as many as there is room for."""
    found: list[str] = []
    open_line = False
    for piece in pieces:
        joined = f"{found[-1]} {piece[0].lstrip()}" if found else ""
        if open_line and len(piece) == 1 and len(joined) <= width:
            found[-1] = joined
        else:
            found += piece
        open_line = len(piece) == 1
    return found


def _brackets(line: str) -> list[tuple[int, int]]:
    """Of outermost pairs, begin and end; those in strings do not count."""
    pairs, opened, quoted = [], [], False
    for place, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif not quoted and sign in "([{":
            opened.append(place)
        elif not quoted and sign in ")]}":
            start = opened.pop()
            if not opened:
                pairs.append((start, place))
    return pairs


def _parts(inner: str) -> list[str]:
    """What the commas outside all brackets part."""
    cuts, depth, quoted = [-1], 0, False
    for place, sign in enumerate(inner):
        if sign == '"':
            quoted = not quoted
        depth += (not quoted) * ((sign in "([{") - (sign in ")]}"))
        if sign == "," and depth == 0 and not quoted:
            cuts.append(place)
    ends = [*cuts[1:], len(inner)]
    return [part for begin, end in zip(cuts, ends, strict=True) if (part := inner[begin + 1 : end].strip())]


def loop(names: Sequence[str], indent: str) -> tuple[str, str]:
    """The head of a loop over names, and how its body says one: numbers in a row as a range."""
    found = [re.fullmatch(r"(.*?)(\d+)(\D*)", name) for name in names]
    if all(found):
        begins, numbers, ends = zip(*(match.groups() for match in found if match), strict=True)
        first = int(numbers[0])
        in_row = [str(first + i) for i in range(len(names))] == list(numbers)
        if in_row and len({*begins}) == len({*ends}) == 1 and len(names) > 2:
            return (
                f"{indent}for i in range({first}, {first + len(names)}):",
                f'f"{begins[0]}{{i}}{ends[0]}"',
            )
    listed = ", ".join(f'"{name}"' for name in names)
    return f"{indent}for name in ({listed}):", "name"
