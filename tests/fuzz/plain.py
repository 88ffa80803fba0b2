"""Changes of bytes, numbers, words, lines, brackets; each takes an input and a generator."""

import random
import re
from collections.abc import Callable

_POWERS = (7, 8, 16, 20, 24, 27, 31, 32, 40, 63, 64)
INTEGERS = (0, 1, 2, *(1 << power for power in _POWERS), *((1 << power) - 1 for power in _POWERS))
NUMBERS = b"0 -1 1 2 0.5 1e9 1e400 -1e-400 1e-45 nan inf -inf true '' 1000000 100000000".split() + [
    *(str(number).encode() for number in (2**31 - 1, 2**31, 2**63 - 1, 2**63)),
    b"1" * 5000,
]
TEXTS = b"../../etc/passwd /dev/zero %s%n {} [red] \xff\xfe a\\000b".split() + [
    *(b"", b"a\nb", b"\x1b[31m\x07", b"\0", b"a" * 255, b"x" * 100_000),
    "\u2028\u202e\u0085".encode(),
]

Mutation = Callable[[bytes, random.Random], bytes]


def place(data: bytes, rng: random.Random, longest: int = 64) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(0, longest))


def bytes_(data: bytes, rng: random.Random) -> bytes:
    """Other bits, bytes, some more, some less."""
    start, end = place(data, rng)
    kind = rng.randrange(5)
    if kind == 0 and start < len(data):
        return data[:start] + bytes([data[start] ^ 1 << rng.randrange(8)]) + data[start + 1 :]
    if kind == 1:
        return data[:start] + rng.randbytes(end - start) + data[end:]
    if kind == 2:
        return data[:start] + data[end:]
    if kind == 3:
        return data[:start] + rng.randbytes(rng.randint(1, 8)) + data[start:]
    return data[:start]


def integer(data: bytes, rng: random.Random) -> bytes:
    """A binary number that means something to programs."""
    size = rng.choice((1, 2, 4, 8))
    start, _ = place(data, rng)
    value = rng.choice((*INTEGERS, len(data), len(data) - start)) + rng.choice((0, 0, 1, -1))
    order = rng.choice(("little", "big"))
    return data[:start] + (value % (1 << 8 * size)).to_bytes(size, order) + data[start + size :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = place(data, rng, 200)
    times = rng.choice((2, 3, 10, 100, 2000))
    return data[:start] + data[start:end] * times + data[end:]


def number(data: bytes, rng: random.Random) -> bytes:
    """A number in a text."""
    start, match = _find(re.compile(rb"-?\d+(\.\d+)?"), data, rng)
    return data[: start + match.start()] + rng.choice(NUMBERS) + data[start + match.end() :]


def text(data: bytes, rng: random.Random) -> bytes:
    """What is in quotes, or a word."""
    pattern = re.compile(rb"(?<=[\"'])[^\"'\n]*(?=[\"'])|\w+")
    start, match = _find(pattern, data, rng)
    _, word = _find(pattern, data, rng)
    return data[: start + match.start()] + rng.choice((*TEXTS, word.group())) + data[start + match.end() :]


def _find(pattern: re.Pattern[bytes], data: bytes, rng: random.Random) -> tuple[int, re.Match[bytes]]:
    """One of the matches in a piece of the data, and where that begins."""
    start = rng.randrange(max(1, len(data) - 4096))
    return start, rng.choice(list(pattern.finditer(data[start : start + 4096])))


def lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(two, lines[one])
    elif kind == 2:
        lines[one], lines[two] = lines[two], lines[one]
    else:
        lines[one:one] = [lines[one]] * rng.choice((10, 1000))
    return b"\n".join(lines)


def nest(data: bytes, rng: random.Random) -> bytes:
    start, end = place(data, rng)
    left, right = rng.choice(
        ((b"[", b"]"), (b"{", b"}"), (b"(", b")"), (b"a{", b"}"), (b"a.", b""), (b"-", b""))
    )
    depth = rng.choice((2, 50, 500, 20_000))
    return data[:start] + left * depth + data[start:end] + right * depth + data[end:]


def splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    start, _ = place(data, rng)
    first, last = place(other, rng, len(other))
    return (
        data[:start] + other[first:last] + data[rng.choice((start, min(len(data), start + last - first))) :]
    )


PLAIN: tuple[Mutation, ...] = (bytes_, bytes_, integer, integer, number, number, text, lines, nest, repeat)
