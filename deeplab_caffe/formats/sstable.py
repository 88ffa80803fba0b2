"""LevelDB's table file, in which a TensorFlow checkpoint keeps its index: sorted keys with their values.

Blocks of entries; a block of handles (offset, size) of them; a footer with the handle of that one. Keys are
stored as what differs from the key before. (LevelDB, doc/table_format.md.)
"""

from collections.abc import Iterator

from .crc32c import crc32c, masked
from .wire import WireError, read_varint

_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER = 48
_TRAILER = 5  # compression, checksum
# Far above any checkpoint; they bound what a hostile file of prefix-compressed keys can ask for.
_MAX_ENTRIES = 100_000
_MAX_KEY = 1024


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All entries of the table. Raises WireError if it is not one, is cut off or damaged."""
    if len(data) < _FOOTER or data[-8:] != _MAGIC:
        raise WireError("cut off, or not a table: its last bytes are not a table's")
    end = len(data) - _FOOTER
    _, at = _handle(data, end, len(data) - 8)  # the meta index: filters, not wanted
    index, _ = _handle(data, at, len(data) - 8)
    entries: dict[bytes, bytes] = {}
    last = 0
    for _, value in _entries(_block(data, index, end)):
        block, _ = _handle(value, 0, len(value))
        # In file order and apart, as writers lay them, lest a small file name one block a million times.
        if block[0] < last:
            raise WireError(f"blocks overlap at byte {block[0]}")
        last = block[0] + block[1] + _TRAILER
        for key, content in _entries(_block(data, block, end)):
            if key in entries:
                raise WireError(f"the key {key!r} twice")
            if len(entries) == _MAX_ENTRIES:
                raise WireError(f"more than {_MAX_ENTRIES} entries")
            entries[key] = content
    return entries


def _handle(data: bytes, at: int, end: int) -> tuple[tuple[int, int], int]:
    """The block handle (offset, size) at `at`, and the position after it."""
    offset, at = read_varint(data, at, end)
    size, at = read_varint(data, at, end)
    return (offset, size), at


def _block(data: bytes, handle: tuple[int, int], end: int) -> bytes:
    start, size = handle
    if start + size + _TRAILER > end:
        raise WireError(f"a block of {size} bytes at byte {start} lies beyond the end")
    stop = start + size
    stored = int.from_bytes(data[stop + 1 : stop + _TRAILER], "little")
    if masked(crc32c(data[start : stop + 1])) != stored:
        raise WireError(f"damaged: wrong checksum of the block at byte {start}")
    if data[stop]:
        raise WireError(f"the block at byte {start} is compressed, which TensorFlow's checkpoints are not")
    return data[start:stop]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries before the restart points (positions for binary search, and their count)."""
    if len(block) < 4:
        raise WireError("a block without restart points")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise WireError("a block with more restart points than bytes")
    at = count = 0
    key = b""
    while at < end:
        shared, at = read_varint(block, at, end)
        own, at = read_varint(block, at, end)
        size, at = read_varint(block, at, end)
        if shared > len(key) or at + own + size > end:
            raise WireError("an entry that reaches beyond its block")
        if shared + own > _MAX_KEY or count == _MAX_ENTRIES:
            raise WireError(f"a key above {_MAX_KEY} bytes, or more than {_MAX_ENTRIES} entries")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + size]
        at += size
        count += 1
