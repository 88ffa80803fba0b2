"""One convolution to measure, as numbers: those of a net's layer, or a user's own (N,C,H,W,K,R,S,rate)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .. import ops
from ..errors import DeepLabError
from ..formats.files import read_bytes, reading
from ..types import Pair, Shape

# What the numbers of a shape are, in the order in which they are written; the last two may be left out.
FIELDS = ("N", "C", "H", "W", "K", "R", "S", "rate", "stride", "groups")
WANTED = 8
MOST_VALUES = 2**31 - 1  # of a tensor
MOST_BYTES = 1 << 20  # of a file of shapes


@dataclass(frozen=True)
class ConvShape:
    """Parallel convolutions of one map, one for each rate.

    Padded by as much as the kernel reaches beyond its middle: at stride 1 the map keeps its size. map,
    kernel: (rows, columns); image: the side of the square image that has such a map, where that is known.
    """

    name: str
    batch: int
    inputs: int
    map: Pair
    outputs: int
    kernel: Pair
    rates: tuple[int, ...]
    stride: int = 1
    groups: int = 1
    image: int | None = None

    @property
    def weights(self) -> Shape:
        """[out, channels / groups, rows, columns] of each rate's weights."""
        return self.outputs, self.inputs // self.groups, *self.kernel

    def pad(self, rate: int) -> Pair:
        """Rows and columns of zeros at either end."""
        return rate * (self.kernel[0] - 1) // 2, rate * (self.kernel[1] - 1) // 2

    def out_map(self, rate: int) -> Pair:
        """Rows and columns of the result."""
        rows, columns = (
            ops.convolved_size(size, kernel, self.stride, pad, rate)
            for size, kernel, pad in zip(self.map, self.kernel, self.pad(rate), strict=True)
        )
        return rows, columns

    @property
    def bytes(self) -> int:
        """float32 read and written: the input once, the results of every rate."""
        results = sum(self.outputs * prod(self.out_map(rate)) for rate in self.rates)
        return 4 * self.batch * (self.inputs * prod(self.map) + results)

    def multiply_adds(self, inside: bool) -> int:
        """Of the whole batch; `inside`: without the taps that lie in the padding."""
        total = 0
        for rate in self.rates:
            taps = [
                self._taps(*axis, rate, inside)
                for axis in zip(self.map, self.kernel, self.pad(rate), self.out_map(rate), strict=True)
            ]
            total += prod(taps) * self.inputs // self.groups * self.outputs
        return self.batch * total

    def _taps(self, size: int, kernel: int, pad: int, out: int, rate: int, inside: bool) -> int:
        if not inside:
            return kernel * out
        intervals = ops.tap_intervals(size, kernel, self.stride, pad, rate, extent=1, worth=0, shortest=1)
        return sum((end - begin) * len(seen) for begin, end, seen in intervals)


def read_shapes(given: Sequence[str]) -> list[ConvShape]:
    """The shapes of --shape: each N,C,H,W,K,R,S,rate[,stride[,groups]], or a CSV file with one a row.

    A file may have a heading, empty lines and lines that begin with #. Raises DeepLabError, one line that
    names the text, or file and line.
    """
    shapes: list[ConvShape] = []
    for text in given:
        if _numbers(text) is not None or not os.path.exists(text):
            shapes.append(_shape(text, f"--shape {text}"))
        else:
            shapes += _file(text)
    return list(dict.fromkeys(shapes))


def _file(path: str) -> list[ConvShape]:
    with reading(path, f"no text, a CSV file with {','.join(FIELDS[:WANTED])} wanted"):
        lines = read_bytes(path, MOST_BYTES).decode("utf-8-sig").splitlines()
    rows = [(number, line.strip().replace(";", ",")) for number, line in enumerate(lines, 1)]
    rows = [(number, line) for number, line in rows if line.strip(",") and not line.startswith("#")]
    if rows and _is_heading(rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise DeepLabError(f"{path}: no shapes in it")
    return [_shape(line.rstrip(","), f"{path}:{number}") for number, line in rows]


def _is_heading(line: str) -> bool:
    words = [word.strip().strip('"').lower() for word in line.rstrip(",").split(",")]
    return words == [field.lower() for field in FIELDS[: len(words)]]


def _numbers(text: str) -> list[int] | None:
    parts = [part.strip() for part in text.split(",")]
    whole = all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts)
    return [int(part) for part in parts] if whole else None


def _shape(text: str, where: str) -> ConvShape:
    numbers = _numbers(text)
    if numbers is None or not WANTED <= len(numbers) <= len(FIELDS) or min(numbers) < 1:
        wanted = (
            f"{','.join(FIELDS[:WANTED])}[,stride[,groups]], whole numbers from 1 on, or a CSV file, wanted"
        )
        raise DeepLabError(f"{where}: {wanted}")
    batch, channels, height, width, outputs, rows, columns, rate, *rest = numbers
    stride, groups = (*rest, 1, 1)[:2] if len(rest) < 2 else rest
    if channels % groups or outputs % groups:
        raise DeepLabError(f"{where}: {groups} groups do not divide {channels} and {outputs} channels")
    name = ",".join(map(str, numbers))
    sizes = batch, channels, (height, width), outputs, (rows, columns)
    shape = ConvShape(name, *sizes, (rate,), stride, groups)
    if min(shape.out_map(rate)) < 1:
        raise DeepLabError(f"{where}: the kernel at this rate is larger than the padded {height}x{width} map")
    results = batch * outputs * prod(shape.out_map(rate))
    if max(batch * channels * height * width, prod(shape.weights), results) > MOST_VALUES:
        raise DeepLabError(f"{where}: a tensor of more than {MOST_VALUES} values")
    return shape
