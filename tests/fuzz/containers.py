"""Changes inside of archives, packed and summed pieces, messages: what is around them is made to fit again.

Each takes an input and a generator; ValueError and the like where the input is not what it looks like.
"""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

from deeplab_caffe.formats.crc32c import crc32c, masked

from . import plain
from .plain import INTEGERS, PLAIN, TEXTS, Mutation


def _zip(data: bytes, rng: random.Random) -> bytes:
    """A change inside an archive's member, whose sums are right again; or of its name or compression."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(item.filename, _member(archive, item)) for item in archive.infolist()[:200]]
    number = rng.randrange(len(members))
    name, content = members[number]
    if rng.random() < 0.8:
        content = rng.choice(PLAIN)(content, rng)
    else:
        name = rng.choice(TEXTS).decode("latin-1")[:1000] + rng.choice(("", ".npy"))
    members[number] = name, content
    methods = (
        zipfile.ZIP_STORED,
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_LZMA,
        zipfile.ZIP_BZIP2,
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice(methods)) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "a"), content, archive.compression)
    return out.getvalue()


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes:
    with archive.open(item) as file:
        return file.read(1 << 20)


def _mat(data: bytes, rng: random.Random) -> bytes:
    """The first variable, packed or not: changed and packed; or one that unpacks to very much."""
    code, size = struct.unpack_from("<II", data, 128)
    inner = data[136 : 136 + size]
    inner = zlib.decompressobj().decompress(inner, 1 << 20) if code == 15 else data[128 : 136 + size]
    inner = rng.choice((plain.bytes_, plain.integer, plain.integer, plain.text))(inner, rng)
    if rng.random() < 0.05:
        inner = inner[:4] + struct.pack("<I", 1 << 29) + inner[8:] + bytes(1 << 24)
    if rng.random() < 0.5:
        return data[:128] + inner + data[136 + size :]
    packed = zlib.compress(inner)
    return data[:128] + struct.pack("<II", 15, len(packed)) + packed + data[136 + size :]


def _safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header changed, its length right."""
    length = int.from_bytes(data[:8], "little")
    header = rng.choice(
        (plain.bytes_, plain.number, plain.number, plain.text, plain.nest, plain.lines, plain.repeat)
    )(data[8 : 8 + length], rng)
    if rng.random() < 0.3:
        table = json.loads(data[8 : 8 + length])
        item = table[rng.choice(list(table))]
        item[rng.choice(list(item))] = rng.choice(
            (None, -1, [], [-1, 3], [0, 1 << 62], "F32", 1e300, {}, True)
        )
        header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _png(data: bytes, rng: random.Random) -> bytes:
    """A chunk changed, its sum right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    number = rng.randrange(len(chunks))
    kind, content = chunks[number]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(plain.bytes_(zlib.decompressobj().decompress(content, 1 << 20), rng))
    else:
        content = rng.choice((plain.bytes_, plain.integer))(content, rng)
    chunks[number] = kind, content
    body = [len(c).to_bytes(4, "big") + k + c + zlib.crc32(k + c).to_bytes(4, "big") for k, c in chunks]
    return data[:8] + b"".join(body)


def _table(data: bytes, rng: random.Random) -> bytes:
    """A checkpoint's index changed, the sums of its first block and of the last before the footer right."""
    body, footer = rng.choice((plain.bytes_, plain.integer))(data[:-48], rng), data[-48:]
    if len(body) != len(data) - 48:
        body = body[: len(data) - 48].ljust(len(data) - 48, b"\0")
    for offset, size in _blocks(footer, body):
        stop = offset + size
        sums = masked(crc32c(body[offset : stop + 1])).to_bytes(4, "little")
        body = body[: stop + 1] + sums + body[stop + 5 :]
    return body + footer


def _blocks(footer: bytes, body: bytes) -> list[tuple[int, int]]:
    numbers, at = [], 0
    while len(numbers) < 4:
        value = shift = 0
        while footer[at] > 127:
            value |= (footer[at] & 127) << shift
            at, shift = at + 1, shift + 7
        numbers.append(value | footer[at] << shift)
        at += 1
    meta, size, index, index_size = numbers
    # Of the data blocks only the first: where it ends, the meta index begins.
    found = [(0, meta - 5), (meta, size), (index, index_size)]
    return [(offset, size) for offset, size in found if size > 0 and offset + size + 5 <= len(body)]


def _wire(data: bytes, rng: random.Random) -> bytes:
    """A field of a protobuf message, at any depth, changed; the lengths around it are right again."""
    parts = _parts(data)
    number = rng.randrange(len(parts))
    tag, value = parts[number]
    kind = tag & 7
    what = rng.random()
    if what < 0.1:
        parts[number:number] = [parts[number]] * rng.choice((1, 2, 50))
    elif what < 0.2:
        del parts[number]
    elif what < 0.25:
        parts[number] = rng.choice(INTEGERS) % (1 << 20) << 3 | kind, value
    elif kind == 0:
        parts[number] = tag, varint(rng.choice(INTEGERS))
    elif kind == 2:
        parts[number] = tag, _inside(value, rng)
    else:
        parts[number] = tag, rng.randbytes(len(value))
    return b"".join(varint(t) + (varint(len(v)) if t & 7 == 2 else b"") + v for t, v in parts)


def _inside(value: bytes, rng: random.Random) -> bytes:
    if value and rng.random() < 0.8 and _is_message(value):
        return _wire(value, rng)
    return rng.choice((plain.bytes_, plain.integer, plain.text))(value, rng)


def _is_message(data: bytes) -> bool:
    try:
        return bool(_parts(data))
    except ValueError:
        return False


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and value of each field. ValueError: no message."""
    parts, at = [], 0
    while at < len(data):
        tag, at = _varint_at(data, at)
        kind, start = tag & 7, at
        if kind == 0:
            _, at = _varint_at(data, at)
        elif kind == 2:
            size, start = _varint_at(data, at)
            at = start + size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError("no such kind of field")
        if at > len(data) or tag < 8:
            raise ValueError("cut off")
        parts.append((tag, data[start:at]))
    return parts


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
    raise ValueError("no number")


def varint(value: int) -> bytes:
    """A number in protobuf's way."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


# What an input looks like, and how it is changed then.
CONTAINERS: tuple[tuple[Callable[[bytes], bool], Mutation], ...] = (
    (lambda data: data[:2] == b"PK", _zip),
    (lambda data: data[126:128] == b"IM" and len(data) > 136, _mat),
    (lambda data: data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data), _safetensors),
    (lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png),
    (lambda data: data[-8:] == 0xDB4775248B80FB57.to_bytes(8, "little"), _table),
    (lambda data: len(data) < 1 << 16 and _is_message(data), _wire),
)
