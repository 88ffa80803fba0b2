"""Prototxt as text, before protobuf sees it: `${NAME}` variables, and where each layer starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import DeepLabError

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<variable>\$\{\w+\})
      | (?P<word>[A-Za-z_]\w*)
      | (?P<open>[{<])
      | (?P<close>[}>])
      | (?P<newline>\n)""",
    re.VERBOSE,
)
# What C++'s parser of protobuf text takes besides: a blank behind a minus, 0 and 1 in base 16 or 8.
_ODD_NUMBER = re.compile(
    r"""(?P<other>\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*)
      | -(?P<blank>\s+)(?=[\d.]|inf\b)
      | (?<![\w.+-])0(?:[xX]0*|0*)(?P<bit>[01])(?![\w.])""",
    re.VERBOSE,
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def substitute(text: str, variables: Mapping[str, object], source: str) -> str:
    """Replaces each `${NAME}` outside comments; inside strings the value is escaped.

    Raises DeepLabError naming all variables that have no value, with the line of their first use.
    """
    if "${" not in text:
        return text
    missing: dict[str, int] = {}

    def value(match: re.Match[str], position: int, quoted: bool) -> str:
        name = match[1]
        if name not in variables:
            missing.setdefault(name, text.count("\n", 0, position) + 1)
            return ""
        plain = str(variables[name])
        return re.sub(r"([\\\"'])", r"\\\1", plain).replace("\n", r"\n") if quoted else plain

    def token(match: re.Match[str]) -> str:
        if match.lastgroup not in ("string", "variable"):
            return match[0]
        quoted = match.lastgroup == "string"
        return _VARIABLE.sub(lambda m: value(m, match.start() + m.start(), quoted), match[0])

    result = _TOKEN.sub(token, text)
    if missing:
        names = ", ".join(f"{name} (line {line})" for name, line in missing.items())
        given = f"variables= in Python, --set {next(iter(missing))}=VALUE ... of a command"
        raise DeepLabError(f"{source}: variables without a value: {names}; {given}")
    return result


def plain_numbers(text: str) -> str:
    """The text with numbers as Python's parser of protobuf takes them too; every line stays where it is."""

    def plain(match: re.Match[str]) -> str:
        if match["blank"]:
            return match["blank"] + "-"
        return match["bit"] or match[0]

    return _ODD_NUMBER.sub(plain, text)


def variables_of(text: str) -> list[str]:
    """The names of all `${NAME}` outside comments."""
    found: dict[str, None] = {}
    for match in _TOKEN.finditer(text):
        if match.lastgroup in ("string", "variable"):
            found |= dict.fromkeys(_VARIABLE.findall(match[0]))
    return list(found)


def variables_of_strings(text: str) -> list[str]:
    """The names that stand in strings alone: of files and folders, never a number that shapes a net."""
    bare = {token[0][2:-1] for token in _TOKEN.finditer(text) if token.lastgroup == "variable"}
    return [name for name in variables_of(text) if name not in bare]


@dataclass
class LayerSpan:
    """Where a `layer { }` or `layers { }` block stands: its lines, from 1, and its name if it has one."""

    first_line: int
    last_line: int
    name: str = ""


def layer_spans(text: str) -> list[LayerSpan]:
    """The layer blocks of a net in file order. Never fails: on broken text the spans are a best guess."""
    spans: list[LayerSpan] = []
    line, depth, outer, word = 1, 0, "", ""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "newline":
            line += 1
        elif kind == "word":
            word = match[0]
            outer = word if depth == 0 else outer
        elif kind == "string":
            # The name lies at depth 1, in V0 files inside `layer { }`.
            if word == "name" and depth in (1, 2) and outer in ("layer", "layers") and not spans[-1].name:
                spans[-1].name = match[0][1:-1]
            word = ""
        elif kind == "open":
            if depth == 0 and outer in ("layer", "layers"):
                spans.append(LayerSpan(line, line))
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
            if depth == 0 and spans:
                spans[-1].last_line = (
                    max(line, spans[-1].last_line) if outer in ("layer", "layers") else spans[-1].last_line
                )
    return spans
