"""Prototxt text, one layer after the other."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

WIDTH = 160  # characters in a line: most layers fit one


class Word(str):
    """A value written without quotes: an enum's name, or a `${VARIABLE}` that stands for a number."""


class NetText:
    """A net in the V2 layout, built from top to bottom; `str()` gives the text.

    comment: lines about the net, at the top of the file. fields: those of the net itself, `name` above all.
    """

    def __init__(self, comment: str, **fields: Any) -> None:
        self._parts: list[str] = []
        self.comment(comment)
        self._parts += _fields(fields)

    def comment(self, text: str) -> None:
        """Lines that begin with #, after an empty one; long ones are broken."""
        lines = [line for given in text.splitlines() for line in textwrap.wrap(given, 106) or [""]]
        self._parts += [""] if self._parts else []
        self._parts += [f"# {line}".rstrip() for line in lines]

    def layer(
        self,
        name: str,
        kind: str,
        bottoms: str | Sequence[str] = (),
        top: str | Sequence[str] = "",
        **fields: Any,
    ) -> str:
        """Adds a layer and returns its first top, by default a blob of the layer's name.

        bottoms, top: one blob's name or several; `top=bottom` works in place. fields: those of LayerParameter
        (`pooling_param={"pool": Word("MAX"), ...}`, `param=[{"name": "w"}, ...]`).
        """
        bottoms = [bottoms] if isinstance(bottoms, str) else list(bottoms)
        tops = [top or name] if isinstance(top, str) else list(top)
        values = {name: value for name, value in fields.items() if value}
        head = {"name": name, "type": kind, "bottom": bottoms, "top": tops}
        self._parts += _wrapped(["layer {", *_fields(head), *_fields(values), "}"])
        return tops[0] if tops else ""

    @override
    def __str__(self) -> str:
        return "\n".join(self._parts) + "\n"


def _wrapped(pieces: list[str]) -> list[str]:
    """The pieces in as few lines as hold them, all but the first indented."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if len(lines[-1]) + 1 + len(piece) <= WIDTH:
            lines[-1] += f" {piece}"
        else:
            lines.append(f"  {piece}")
    return lines


def _fields(fields: Mapping[str, Any]) -> list[str]:
    """Each field as text; a list is a repeated field, a mapping a message."""
    return [
        name + _value(value)
        for name, values in fields.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    ]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f" {{ {' '.join(_fields(value))} }}"
    if isinstance(value, str) and not isinstance(value, Word):
        return f': "{value}"'
    return f": {str(value).lower() if isinstance(value, bool) else value}"
