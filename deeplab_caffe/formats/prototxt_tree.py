"""Prototxt as a tree that keeps every character: comments, blanks, `${NAME}`; for rewriting text.

protobuf's own parser says what is right; this one only finds where fields begin and end, and is forgiving.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from typing_extensions import override

from ..errors import DeepLabError

_MAX_DEPTH = 50
_BLANK = re.compile(r"(?:\s|\#[^\n]*|[,;])*")
_NAME = re.compile(r"[A-Za-z_]\w*|\[[^\]\n]*\]")
_STRING = r"""(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
# A scalar: strings, adjacent ones are one value; a list of scalars; a word, a number or a variable. Each text
# can be matched in one way only, lest a bracket that is never closed take for ever.
_SCALAR = re.compile(
    rf"""{_STRING}(?:\s*{_STRING})*|\[(?:{_STRING}|\#[^\n]*\n|[^\]"'\#])*\]|(?:\$\{{\w+\}}|[^\s\#,;{{}}<>\[\]"'])+"""
)


@dataclass
class Message:
    """`{ ... }`; tail: what stands between the last field and the closing bracket."""

    fields: list["Field"] = field(default_factory=list)
    tail: str = " "
    opening: str = "{"

    @override
    def __str__(self) -> str:
        closing = ("}" if self.opening == "{" else ">") if self.opening else ""
        return self.opening + "".join(map(str, self.fields)) + self.tail + closing

    def all(self, *names: str) -> Iterator["Field"]:
        """The fields of these names, in order."""
        return (part for part in self.fields if part.name in names)

    def message(self, name: str) -> "Message | None":
        """The first message of that name."""
        return next((part.value for part in self.all(name) if isinstance(part.value, Message)), None)

    def text(self, name: str) -> str:
        """The first scalar of that name, without quotes; "" if there is none."""
        return next((part.plain for part in self.all(name)), "")


@dataclass
class Field:
    """`name: value`; lead: blanks and comments before it, colon: what stands between name and value."""

    name: str
    value: Message | str
    lead: str = " "
    colon: str = ": "

    @override
    def __str__(self) -> str:
        return f"{self.lead}{self.name}{self.colon}{self.value}"

    @property
    def plain(self) -> str:
        """A scalar without its quotes; "" of a message."""
        return self.value.strip("\"'") if isinstance(self.value, str) else ""

    @property
    def items(self) -> list[str]:
        """The scalars of a list `[a, b]`, else the one."""
        if not isinstance(self.value, str):
            return []
        if not self.value.startswith("["):
            return [self.value]
        return [item.strip() for item in self.value[1:-1].split(",") if item.strip()]


def parse(text: str, source: str) -> Message:
    """The whole file as a message without brackets. `str()` of it is the text again.

    Raises DeepLabError with the line where the text is no prototxt.
    """
    whole = Message(opening="")
    open_messages = [whole]
    at = 0

    def fail(reason: str) -> DeepLabError:
        return DeepLabError(f"{source}:{text.count(chr(10), 0, at) + 1}: {reason}")

    while True:
        lead, at = _take(_BLANK, text, at)
        current = open_messages[-1]
        if at == len(text):
            if len(open_messages) > 1:
                raise fail("a bracket is not closed")
            whole.tail = lead
            return whole
        if text[at] in "}>":
            if len(open_messages) == 1 or (text[at] == "}") != (current.opening == "{"):
                raise fail(f"'{text[at]}' closes nothing")
            current.tail = lead
            open_messages.pop()
            at += 1
            continue
        name, at = _take(_NAME, text, at)
        if not name:
            raise fail(f"a field's name wanted, '{text[at : at + 20].split()[0]}' found")
        start = at
        _, at = _take(_BLANK, text, at)
        if text[at : at + 1] == ":":
            _, at = _take(_BLANK, text, at + 1)
        colon = text[start:at]
        if text[at : at + 1] in ("{", "<"):
            if len(open_messages) > _MAX_DEPTH:
                raise fail(f"more than {_MAX_DEPTH} brackets in each other")
            child = Message(opening=text[at])
            current.fields.append(Field(name, child, lead, colon))
            open_messages.append(child)
            at += 1
            continue
        value, at = _take(_SCALAR, text, at)
        if not value:
            raise fail(f"'{name}' has no value")
        current.fields.append(Field(name, value, lead, colon))


def _take(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    """What the pattern matches there ("" if nothing), and the position behind it."""
    match = pattern.match(text, at)
    return (match[0], match.end()) if match else ("", at)
