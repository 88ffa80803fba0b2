"""The exception users meet, a single clear line that the command line ends with, and the warning.

Beside numpy every package is optional; what is missing is told with the extra that brings it. Names, contents
and libraries' texts come from outside and may hold anything; one_line makes them fit to show.
"""

import difflib
import re
from collections.abc import Iterable

# Of a module that may be missing: the package it is in and the extra of ours that installs it.
_EXTRAS = {
    "PIL": ("pillow", "cli"),
    "fsspec": ("fsspec", "remote"),
    "google": ("protobuf", "torch"),
    "h5py": ("h5py", "hdf5"),
    "jinja2": ("jinja2", "torch"),
    "lmdb": ("lmdb", "lmdb"),
    "matplotlib": ("matplotlib", "plots"),
    "pillow_heif": ("pillow-heif", "heic"),
    "networkx": ("networkx", "torch"),
    "ray": ("ray", "ray"),
    "rich": ("rich", "cli"),
    "tomli": ("tomli", "torch"),
    "torch": ("torch", "torch"),
    "typer": ("typer", "cli"),
    "typing_extensions": ("typing_extensions", "torch"),
}
# Characters of a text or a word from outside, and of a whole message; what is longer loses its middle.
MOST_QUOTED, MOST_TEXT = 200, 1000
_LONG_WORD = re.compile(rf"\S{{{MOST_QUOTED + 1},}}")


def one_line(text: object, most: int = MOST_QUOTED) -> str:
    """The text with what cannot be printed escaped (\\n for a newline), of about `most` characters."""
    line = _cut(str(text), 8 * most)
    if not line.isprintable():
        line = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode()
            for character in line
        )
    return _cut(_LONG_WORD.sub(lambda word: _cut(word[0], MOST_QUOTED), line), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: 2 * most // 3]}...{text[-(most // 4) :]}"


def known_names(known: Iterable[str], given: str) -> str:
    """What an error about an unknown name ends with: all that are known, or if they are many the nearest."""
    names = list(known)
    if len(text := ", ".join(names)) <= MOST_QUOTED:
        return f"known: {text}"
    near = difflib.get_close_matches(given[:MOST_QUOTED], names, 3, 0.6)
    return f"nearest of {len(names)} known: {', '.join(near)}" if near else f"none of {len(names)} known"


class DeepLabError(ValueError):
    """Something the user can mend; its text is one line that names file, layer and field where known."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message, MOST_TEXT))


class OutOfMemoryError(DeepLabError, MemoryError):
    """There is not enough memory; its text says for what."""


class DeepLabWarning(UserWarning):
    """Something that is allowed but seldom meant; one line, too."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message, MOST_TEXT))


# What torch's and our kernels' errors of memory have in their texts; their class is RuntimeError.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory is what is missing, however the library says so."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


def reason_of(error: BaseException) -> str:
    """The text of a library's exception, as one short line; of one without a text its class."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return one_line(" ".join(str(error).split())) or type(error).__name__


def missing_package(error: ModuleNotFoundError, who: str = "this") -> str | None:
    """The line that says what to install; None where the module is none of our optional ones."""
    package, extra = _EXTRAS.get((error.name or "").partition(".")[0], ("", ""))
    return f"{who} needs {package}: pip install 'deeplab_caffe[{extra}]'" if package else None
