"""Command lines in the style of gflags, the library that Caffe's programs read theirs with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import DeepLabError

Value = str | int | bool
_TRUE, _FALSE = ("1", "t", "true", "y", "yes"), ("0", "f", "false", "n", "no")


@dataclass(frozen=True)
class Flag:
    """One flag. The default's type is the flag's: text, a whole number, or yes and no."""

    name: str
    default: Value
    help: str

    @property
    def kind(self) -> str:
        """The type as gflags calls it."""
        return {bool: "bool", int: "int32"}.get(type(self.default), "string")

    def value(self, text: str) -> Value:
        """What `text` means for this flag; FlagError if nothing."""
        if isinstance(self.default, bool):
            if text.lower() in _TRUE + _FALSE:
                return text.lower() in _TRUE
        elif not isinstance(self.default, int):
            return text
        else:
            try:
                return int(text)
            except ValueError:
                pass
        raise FlagError(f"illegal value '{text}' specified for {self.kind} flag '{self.name}'")


class FlagError(DeepLabError):
    """A command line that gflags would refuse."""


class Flags:
    """The values of a program's flags, as attributes."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def text(self, name: str) -> str:
        """The value of a flag that takes text."""
        return str(self._values[name])

    def number(self, name: str) -> int:
        """The value of a flag that takes a whole number."""
        return int(self._values[name])

    def yes(self, name: str) -> bool:
        """The value of a flag that is given or not."""
        return bool(self._values[name])


def parse(flags: Iterable[Flag], arguments: Sequence[str]) -> tuple[Flags, list[str]]:
    """The flags' values and what is no flag, in order.

    `--name=value`, `--name value`, `-name...`; yes and no as `--name`, `--noname`, `--name=false`; dashes
    within a name count as underscores. Flags may stand anywhere before `--`; of a flag that is given twice
    the later counts. Raises FlagError.
    """
    known = {flag.name: flag for flag in flags}
    values: dict[str, Value] = {flag.name: flag.default for flag in known.values()}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return Flags(values), rest + waiting
        if not argument.startswith("-") or argument == "-":
            rest.append(argument)
            continue
        name, equals, text = argument.removeprefix("-").removeprefix("-").partition("=")
        name = name.replace("-", "_")
        if name not in known and not equals and name.startswith("no"):
            plain = known.get(name.removeprefix("no"))
            if plain is not None and isinstance(plain.default, bool):
                values[plain.name] = False
                continue
        if name not in known:
            raise FlagError(f"unknown command line flag '{name}'")
        flag = known[name]
        if not equals and isinstance(flag.default, bool):
            text = "true"
        elif not equals:
            if not waiting:
                raise FlagError(f"flag '{argument}' is missing its argument: {flag.help}")
            text = waiting.pop(0)
        values[name] = flag.value(text)
    return Flags(values), rest


def describe(flags: Iterable[Flag]) -> str:
    """The flags, a line each, as --help shows them."""
    lines = []
    for flag in flags:
        default = f'"{flag.default}"' if flag.kind == "string" else str(flag.default).lower()
        lines.append(f"    -{flag.name} ({flag.help}) type: {flag.kind} default: {default}")
    return "\n".join(lines)
